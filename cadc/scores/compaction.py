"""Finished shards → `Scores`, once."""

import json
import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.errors import JobError
from cadc.gradients import batch_plan, landmarks, targets
from cadc.gradients.attribute import pool_shards, pool_source
from cadc.jobs.shards import Shard, sidecar
from cadc.scores.scores import HELD_OUT, Scores
from cadc.study import Study, write_json
from cadc.study.progress import Progress
from cadc.training import warmup

if TYPE_CHECKING:
    import torch

    from cadc.data.sample import Sample
    from cadc.scores.prediction import Predictor

log = logging.getLogger(__name__)


def run_scores(study: Study, progress: Progress) -> None:
    """Put the finished shards of a study together. Idempotent; raises JobError where one is missing or damaged."""
    from cadc.data import read_samples

    source = pool_source(study)
    if finished(study, source):
        progress.note("the shards are together already")
        return
    pool = read_samples(study.samples_file("pool"))
    progress.note("putting the shards together")
    compact(study, pool, pool_shards(study, pool), source, landmarks.feature_shards(study, pool))


def finished(study: Study, source: str) -> bool:
    """Whether the scores of these target vectors are there already."""
    try:
        head = json.loads((study.scores_folder / "scores.json").read_text())
        report = json.loads((study.shards_folder / "attribute.json").read_text())
    except FileNotFoundError:
        return False
    return head["identity"] == study.identity and report["source"] == source


def compact(study: Study, pool: Sequence["Sample"], pieces: Sequence[Shard], source: str,
            features: Sequence[Shard] = ()) -> None:
    """Put all shards together in file order and save them; writes `failed.json` and `attribute.json` beside the shards.

    `features`: shards of the forward-only pass; rows that only they hold are predicted (decision 0013). Raises JobError
    when a shard is missing or damaged, or when no row has scores.
    """
    from safetensors.numpy import load_file

    facts, forward = _facts(study, pieces, source), _facts(study, features, source)
    index = np.asarray([sample.index for sample in pool], dtype=np.int64)
    measured = np.zeros(len(pool), bool)
    measured[_rows(facts)] = True
    scored = np.zeros(len(pool), bool)
    scored[_rows(forward)] = True
    failed = {bad["index"]: bad for f in (*forward, *facts) for bad in f["failed"]}
    kept = np.flatnonzero(measured | (scored & ~np.isin(index, list(failed))))
    bad = [failed[i] for i in sorted(set(failed) - set(index[kept].tolist()))]
    write_json(study.shards_folder / "failed.json", bad)
    if not measured.any():
        raise JobError("no pool row could be scored: " + (bad[0]["reason"] if bad else "the pool is empty"))
    place = np.full(len(pool), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    done = targets.finished(study)
    into = _Arrays(study, len(kept), len(done["units"]), len(done["samples"]))
    influence = []
    for shard, found in zip(pieces, facts, strict=True):
        if found["kept"]:
            into.add(tensors := load_file(shard.file(study)), place)
            influence.append((place[tensors["rows"]], tensors.get("influence")))
    predicted = None
    if features:
        predicted = _predict(study, pool, features, into, place, measured[kept], influence)
        into.lists += predicted.fill(study.config.best_rows, _members(done))
    arrays = into.all() | _upstream(study, done) | {"index": index[kept], "measured": measured[kept]}
    best_index, best_value, inexact = into.best()
    plan = batch_plan.read(study, "attribute")
    report = {"identity": study.identity, "source": source, "rows": len(kept), "failed": len(bad),
              "shards": len(pieces), "precision": " and ".join(sorted({f["precision"] for f in facts})),
              "warnings": list(plan.warnings), "products": done["products"],
              "batch": {"rows": plan.rows, "tokens": plan.tokens, "reason": plan.reason},
              "halved_batches": sum(f["halved"] for f in facts),
              "best_rows_exact": inexact == 0 and predicted is None, "inexact_target_samples": inexact,
              "seconds": round(sum(f["seconds"] for f in (*facts, *forward)), 3)}
    if predicted:
        report["landmarks"] = predicted.report(done["units"]) | {
            "gradient_seconds": round(sum(f["seconds"] for f in facts), 3),
            "forward_seconds": round(sum(f["seconds"] for f in forward), 3)}
        own = {"index": arrays["index"][predicted.landmarks], "measured": np.zeros(len(predicted.landmarks), bool),
               "best_index": best_index[:, :0], "best_value": best_value[:, :0]}
        Scores(**arrays | vars(predicted.held_out()) | own).save(study.scores_folder / HELD_OUT)
    Scores(**arrays, best_index=best_index, best_value=best_value).save(study.scores_folder)
    write_json(study.shards_folder / "attribute.json", report)


def _facts(study: Study, pieces: Sequence[Shard], source: str) -> list[dict[str, Any]]:
    """What the sidecars of finished shards say. Raises JobError when one is missing or damaged."""
    facts = []
    for shard in pieces:
        found = sidecar(study, shard, source)
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

    def __init__(self, study: Study, rows: int, units: int, samples: int) -> None:
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
        kept = study.config.pool_sketch
        self.pool_sketch = np.zeros((rows if kept else 0, steps, kept), np.float16)
        self.lists: list[tuple[np.ndarray, np.ndarray]] = []
        """Best rows of each target sample, shard by shard: positions and values [S, ≤ L]."""
        self._floor = np.full(samples, -np.inf)
        """Per target sample: no row left out of a shard's list can be better than this."""
        self._samples = samples

    def add(self, shard: dict[str, np.ndarray], place: np.ndarray) -> None:
        """Put one shard's rows to their places."""
        at = place[shard["rows"]]
        self.dots[:, :, at] = shard["dots"].transpose(1, 2, 0)
        if self.grounded:
            self.dots_grounded[:, :, at] = shard["dots_grounded"].transpose(1, 2, 0)
        self.near[:, at], self.winner[:, at] = shard["near"].T, shard["winner"].T
        for name in ("loss", "gradient_norm", "feature_norm", "tokens"):
            getattr(self, name)[at] = shard[name]
        if len(self.pool_sketch):
            self.pool_sketch[at] = shard["pool_sketch"]
        self.lists.append((place[shard["best_row"]], shard["best_value"]))
        if shard["best_value"].shape[1] < len(at):
            self._floor = np.maximum(self._floor, shard["best_value"][:, -1])

    def all(self) -> dict[str, np.ndarray]:
        """The arrays by their names in `Scores`."""
        names = ("dots", "dots_grounded", "near", "winner", "loss", "gradient_norm", "feature_norm", "tokens",
                 "pool_sketch")
        return {name: getattr(self, name) for name in names}

    def best(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Merged best rows [S, L] (positions, values) and for how many target samples a better row may be missing."""
        row = np.concatenate([r for r, _ in self.lists], axis=1)
        value = np.concatenate([v for _, v in self.lists], axis=1)
        order = np.lexsort((row, -value), axis=1)[:, :self._limit]
        row, value = np.take_along_axis(row, order, 1), np.take_along_axis(value, order, 1)
        inexact = int((value[:, -1] < self._floor).sum()) if row.shape[1] else 0
        missing = self._limit - row.shape[1]
        row = np.pad(row, ((0, 0), (0, missing)), constant_values=-1).astype(np.int32)
        return row, np.pad(value, ((0, 0), (0, missing))).astype(np.float32), inexact


def _upstream(study: Study, done: dict[str, Any]) -> dict[str, Any]:
    """What the scores take over from warm-up and targets."""
    from safetensors.numpy import load_file

    grams = load_file(study.targets_folder / "gram.safetensors")
    number = {name: u for u, name in enumerate(done["units"])}
    none = np.zeros((0, len(number), len(number)), np.float32)
    return {"eta": np.asarray(warmup.finished(study)["eta"], np.float32), "gram": grams["unit"],
            "gram_grounded": grams.get("grounded", none), "sample_gram": grams["sample"],
            "sample_unit": np.asarray([number[s["unit"]] for s in done["samples"]], np.int32),
            "sample_index": np.asarray([s["index"] for s in done["samples"]], np.int64),
            "units": tuple(done["units"]), "identity": study.identity}
