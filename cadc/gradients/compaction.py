"""Finished shards → `Scores`, once."""

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc import warmup
from cadc.errors import JobError
from cadc.gradients import targets
from cadc.gradients.scores import Scores
from cadc.gradients.shards import Shard, sidecar
from cadc.study import Study, write_json

if TYPE_CHECKING:
    from cadc.data.sample import Sample

log = logging.getLogger(__name__)


def finished(study: Study, source: str) -> bool:
    """Whether the scores of these target vectors are there already."""
    try:
        head = json.loads((study.scores_folder / "scores.json").read_text())
        report = json.loads((study.shards_folder / "attribute.json").read_text())
    except FileNotFoundError:
        return False
    return head["identity"] == study.identity and report["source"] == source


def compact(study: Study, pool: Sequence["Sample"], pieces: Sequence[Shard], source: str) -> None:
    """Put all shards together in file order and save them; writes `failed.json` and `attribute.json` beside the shards.

    Raises JobError when a shard is missing or damaged, or when no row has scores.
    """
    from safetensors.numpy import load_file

    facts = []
    for shard in pieces:
        found = sidecar(study, shard, source)
        if found is None:
            raise JobError(f"shard {shard.number} of study {study.name!r} is missing or damaged. Run the job again.")
        facts.append(found)
    failed = sorted((bad for f in facts for bad in f["failed"]), key=lambda bad: bad["index"])
    write_json(study.shards_folder / "failed.json", failed)
    kept = np.sort(np.concatenate([np.asarray(f["kept"], dtype=np.int64) for f in facts]))
    if not len(kept):
        raise JobError("no pool row could be scored: " + (failed[0]["reason"] if failed else "the pool is empty"))
    place = np.full(len(pool), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    done = targets.finished(study)
    into = _Arrays(study, len(kept), len(done["units"]), len(done["samples"]))
    for shard, found in zip(pieces, facts, strict=True):
        if found["kept"]:
            into.add(load_file(shard.file(study)), place)
    best_index, best_value, inexact = into.best()
    index = np.asarray([sample.index for sample in pool], dtype=np.int64)[kept]
    _scores(study, done, into, index, best_index, best_value).save(study.scores_folder)
    write_json(study.shards_folder / "attribute.json", {
        "identity": study.identity, "source": source, "rows": len(kept), "failed": len(failed), "shards": len(pieces),
        "halved_batches": sum(f["halved"] for f in facts), "best_rows_exact": inexact == 0,
        "inexact_target_samples": inexact, "products": done["products"],
        "seconds": round(sum(f["seconds"] for f in facts), 3)})


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
        self._best: list[tuple[np.ndarray, np.ndarray]] = []
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
        self._best.append((place[shard["best_row"]], shard["best_value"]))
        if shard["best_value"].shape[1] < len(at):
            self._floor = np.maximum(self._floor, shard["best_value"][:, -1])

    def best(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Merged best rows [S, L] (positions, values) and for how many target samples a better row may be missing."""
        row = np.concatenate([r for r, _ in self._best], axis=1)
        value = np.concatenate([v for _, v in self._best], axis=1)
        order = np.lexsort((row, -value), axis=1)[:, :self._limit]
        row, value = np.take_along_axis(row, order, 1), np.take_along_axis(value, order, 1)
        inexact = int((value[:, -1] < self._floor).sum()) if row.shape[1] else 0
        missing = self._limit - row.shape[1]
        row = np.pad(row, ((0, 0), (0, missing)), constant_values=-1).astype(np.int32)
        return row, np.pad(value, ((0, 0), (0, missing))).astype(np.float32), inexact


def _scores(study: Study, done: dict[str, Any], into: _Arrays, index: np.ndarray, best_index: np.ndarray,
            best_value: np.ndarray) -> Scores:
    from safetensors.numpy import load_file

    grams = load_file(study.targets_folder / "gram.safetensors")
    number = {name: u for u, name in enumerate(done["units"])}
    none = np.zeros((0, len(number), len(number)), np.float32)
    return Scores(
        index=index, eta=np.asarray(warmup.finished(study)["eta"], np.float32), dots=into.dots,
        dots_grounded=into.dots_grounded, near=into.near, winner=into.winner, loss=into.loss,
        gradient_norm=into.gradient_norm, feature_norm=into.feature_norm, tokens=into.tokens,
        pool_sketch=into.pool_sketch,
        best_index=best_index, best_value=best_value, gram=grams["unit"], gram_grounded=grams.get("grounded", none),
        sample_gram=grams["sample"],
        sample_unit=np.asarray([number[s["unit"]] for s in done["samples"]], np.int32),
        sample_index=np.asarray([s["index"] for s in done["samples"]], np.int64), units=tuple(done["units"]),
        identity=study.identity)
