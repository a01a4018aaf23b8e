"""Finished shards → the columns of the scores, once."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.errors import JobError
from cadc.gradients import batch_plan, landmarks, targets
from cadc.gradients.attribute import pool_inputs, pool_shards
from cadc.jobs.shards import Shard, sidecar
from cadc.scores import columns
from cadc.scores.scores import HELD_OUT, PREDICTED
from cadc.study import Study, write_json
from cadc.study.progress import Progress
from cadc.training import warmup

if TYPE_CHECKING:
    import torch

    from cadc.data.sample import Sample
    from cadc.scores.prediction import Predictor

log = logging.getLogger(__name__)

CHOICE = "gradients"
"""The near(z, s) that shards hold."""
_NAMES = {name: f"{name}.{CHOICE}" for name in ("near", "winner", "best_index", "best_value")}


def run_scores(study: Study, progress: Progress) -> None:
    """Put the finished shards of a study together. Idempotent; raises JobError where a shard is missing or
    damaged, or when no row has scores."""
    from cadc.data import read_samples

    result = study.result("scores")
    if result.finished:
        progress.note("the shards are together already")
        return
    pool = read_samples(study.samples_file("pool"))
    progress.start(len(pool))
    progress.note("putting the shards together")
    pieces, features = pool_shards(study, pool), landmarks.feature_shards(study, pool)
    arrays, held_out, about = _together(study, pool, pieces, features)
    write_scores(study, arrays, targets.summary(study)["units"], held_out=held_out)
    write_json(result.folder / "failed.json", about.pop("left_out"))
    write_json(result.folder / "attribute.json", about)
    result.finish()
    progress.step(len(pool))


def write_scores(study: Study, arrays: Mapping[str, np.ndarray], units: Sequence[str], *,
                 held_out: Mapping[str, np.ndarray] | None = None) -> None:
    """Write the columns of the job `scores`; arrays by their field in `Scores`, near(z, s) that of gradients."""
    for name, values in arrays.items():
        columns.write(study, _NAMES.get(name, name), values)
    folder = study.result("scores").folder
    for name, values in (held_out or {}).items():
        columns.keep(folder / HELD_OUT / f"{name}.npy", values)
    write_json(folder / "scores.json", {"units": list(units), "rows": len(arrays["index"])})


def _together(study: Study, pool: Sequence["Sample"], pieces: Sequence[Shard], features: Sequence[Shard]
              ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    """All shards in file order: the arrays of `Scores`, what was predicted for measured rows, and a report.

    features: shards of the forward-only pass; rows that only they hold are predicted (decision 0013).
    """
    from safetensors.numpy import load_file

    inputs = pool_inputs(study)
    facts, forward = _facts(study, pieces, inputs), _facts(study, features, inputs)
    index = np.asarray([sample.index for sample in pool], dtype=np.int64)
    measured = np.zeros(len(pool), bool)
    measured[_rows(facts)] = True
    scored = np.zeros(len(pool), bool)
    scored[_rows(forward)] = True
    failed = {bad["index"]: bad for f in (*forward, *facts) for bad in f["failed"]}
    kept = np.flatnonzero(measured | (scored & ~np.isin(index, list(failed))))
    bad = [failed[i] for i in sorted(set(failed) - set(index[kept].tolist()))]
    if not measured.any():
        why = bad[0]["reason"].rstrip(".") if bad else "the pool is empty"
        raise JobError(f"no pool row could be scored: {why}. Raise max_tokens where rows are too long, mend them "
                       "otherwise.")
    place = np.full(len(pool), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    done = targets.summary(study)
    into = _Arrays(study, len(kept), len(done["units"]))
    influence: list[tuple[np.ndarray, np.ndarray]] = []
    for shard, found in zip(pieces, facts, strict=True):
        if found["kept"]:
            into.add(tensors := load_file(shard.file(study)), place)
            if features:  # else shards hold no influences
                influence.append((place[tensors["rows"]], tensors["influence"]))
    predicted = None
    if features:
        predicted = _predict(study, pool, features, into, place, measured[kept], influence)
        into.lists += predicted.fill(study.config.best_rows, _members(done))
    arrays = into.all() | _upstream(study, done) | {"index": index[kept], "measured": measured[kept]}
    plan = batch_plan.read(study, "attribute")
    about = {"rows": len(kept), "failed": len(bad), "left_out": bad, "shards": len(pieces),
             "precision": " and ".join(sorted({f["precision"] for f in facts})), "warnings": list(plan.warnings),
             "products": done["products"], "batch": {"rows": plan.rows, "tokens": plan.tokens, "reason": plan.reason},
             "halved_batches": sum(f["halved"] for f in facts),
             "seconds": round(sum(f["seconds"] for f in (*facts, *forward)), 3)}
    held_out = {}
    if predicted:
        about["landmarks"] = predicted.report(done["units"]) | {
            "gradient_seconds": round(sum(f["seconds"] for f in facts), 3),
            "forward_seconds": round(sum(f["seconds"] for f in forward), 3)}
        held_out = {name: getattr(predicted.held_out(), name) for name in PREDICTED}
    return arrays, held_out, about


def _facts(study: Study, pieces: Sequence[Shard], inputs: str) -> list[dict[str, Any]]:
    """What the sidecars of finished shards say. Raises JobError when one is missing or damaged."""
    facts = []
    for shard in pieces:
        found = sidecar(study, shard, inputs)
        if found is None:
            raise JobError(f"{shard.file(study).stem} of study {study.name!r} is missing or damaged. Run the job "
                           "again.")
        facts.append(found)
    return facts


def _rows(facts: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *(np.asarray(f["kept"], np.int64) for f in facts)])


def _predict(study: Study, pool: Sequence["Sample"], features: Sequence[Shard], into: "_Arrays", place: np.ndarray,
             measured: np.ndarray, influence: list[tuple[np.ndarray, np.ndarray]]) -> "Predictor":
    """The regression fitted on the measured rows. influence: positions and Inf(z, z') [rows, S] of each shard."""
    from cadc.scores.prediction import Filled, Predictor

    at = np.concatenate([positions for positions, _ in influence])
    values = np.concatenate([value for _, value in influence])[np.argsort(at)]
    arrays = Filled(**{f.name: getattr(into, f.name) for f in fields(Filled)})
    return Predictor(study, pool, features, arrays, place, measured, values)


def _members(done: dict[str, Any]) -> "torch.Tensor":
    import torch

    from cadc.gradients import products

    number = {name: u for u, name in enumerate(done["units"])}
    return products.members(torch.tensor([number[s["unit"]] for s in done["samples"]]), len(number))


class _Arrays:
    """The arrays of `Scores`, filled shard by shard."""

    def __init__(self, study: Study, rows: int, units: int) -> None:
        steps, self._limit = study.config.checkpoints, study.config.best_rows
        self.grounded = study.config.grounded
        self.dots = np.zeros((steps, units, rows), np.float32)
        self.dots_grounded = np.zeros((steps if self.grounded else 0, units, rows), np.float32)
        self.near = np.zeros((units, rows), np.float32)
        self.winner = np.full((units, rows), -1, np.int32)
        self.loss = np.zeros((rows, steps), np.float32)
        self.gradient_norm = np.zeros((rows, steps), np.float32)
        self.feature_norm = np.zeros((rows, steps), np.float32)
        self.tokens = np.zeros(rows, np.int32)
        self.whitened = study.config.whitens
        self.near_whitened = np.zeros((units if self.whitened else 0, rows), np.float32)
        self.winner_whitened = np.full((units if self.whitened else 0, rows), -1, np.int32)
        self.lists_whitened: list[tuple[np.ndarray, np.ndarray]] = []
        self.lists: list[tuple[np.ndarray, np.ndarray]] = []
        """Best rows of each target sample, shard by shard: positions and values [S, ≤ L]."""

    def add(self, shard: dict[str, np.ndarray], place: np.ndarray) -> None:
        """Put one shard's rows to their places."""
        at = place[shard["rows"]]
        self.dots[:, :, at] = shard["dots"].transpose(1, 2, 0)
        if self.grounded:
            self.dots_grounded[:, :, at] = shard["dots_grounded"].transpose(1, 2, 0)
        self.near[:, at], self.winner[:, at] = shard["near"].T, shard["winner"].T
        for name in ("loss", "gradient_norm", "feature_norm", "tokens"):
            getattr(self, name)[at] = shard[name]
        self.lists.append((place[shard["best_row"]], shard["best_value"]))
        if self.whitened:
            self.near_whitened[:, at], self.winner_whitened[:, at] = shard["near_whitened"].T, \
                shard["winner_whitened"].T
            self.lists_whitened.append((place[shard["best_row_whitened"]], shard["best_value_whitened"]))

    def all(self) -> dict[str, np.ndarray]:
        """The arrays by their names in `Scores`, those of the whitened kernel by the names of their columns."""
        names = ("dots", "dots_grounded", "near", "winner", "loss", "gradient_norm", "feature_norm", "tokens")
        best_index, best_value = self._best(self.lists)
        found = {name: getattr(self, name) for name in names} | {"best_index": best_index, "best_value": best_value}
        if self.whitened:
            best_index, best_value = self._best(self.lists_whitened)
            found |= {"near.whitened": self.near_whitened, "winner.whitened": self.winner_whitened,
                      "best_index.whitened": best_index, "best_value.whitened": best_value}
        return found

    def _best(self, lists: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Merged best rows [S, L] (positions, values): exact, since each shard kept its own L best."""
        row = np.concatenate([r for r, _ in lists], axis=1)
        value = np.concatenate([v for _, v in lists], axis=1)
        order = np.lexsort((row, -value), axis=1)[:, :self._limit]
        row, value = np.take_along_axis(row, order, 1), np.take_along_axis(value, order, 1)
        missing = self._limit - row.shape[1]
        row = np.pad(row, ((0, 0), (0, missing)), constant_values=-1).astype(np.int32)
        return row, np.pad(value, ((0, 0), (0, missing))).astype(np.float32)


def _upstream(study: Study, done: dict[str, Any]) -> dict[str, np.ndarray]:
    """What the scores take over from warm-up and targets."""
    from safetensors.numpy import load_file

    grams = load_file(study.result("targets").intact("gram.safetensors"))
    number = {name: u for u, name in enumerate(done["units"])}
    none = np.zeros((0, len(number), len(number)), np.float32)
    return {"eta": np.asarray(warmup.summary(study)["eta"], np.float32), "gram": grams["unit"],
            "gram_grounded": grams.get("grounded", none), "sample_gram": grams["sample"],
            "sample_unit": np.asarray([number[s["unit"]] for s in done["samples"]], np.int32),
            "sample_index": np.asarray([s["index"] for s in done["samples"]], np.int64)}
