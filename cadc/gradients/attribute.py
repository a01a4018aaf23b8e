"""The pool once for all T checkpoints: dot products with every target vector, norms and losses (CADC §3, METHOD §4).

Shape letters: B samples of a batch, T checkpoints, S single target samples, M units, R = S + M (+ M grounded) target
vectors. A batch is decoded, tokenised and seen by the frozen part once; then each checkpoint is switched in for the
rest forward and backward, and every LoRA linear's per-sample gradient is multiplied with its slice of the target
vectors and dropped.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from cadc import warmup
from cadc.errors import JobError
from cadc.gradients import landmarks, products, shards, targets
from cadc.gradients.batching import Item, encoded_rows, halving, packed
from cadc.gradients.features import Feature, feature
from cadc.progress import Progress
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.vlm.feed import Feed
    from cadc.vlm.load import Vlm

log = logging.getLogger(__name__)


class TargetVectors:
    """The R target vectors of every checkpoint on the device, cut by LoRA linear."""

    def __init__(self, study: Study, vlm: "Vlm", checkpoints: targets.Checkpoints) -> None:
        from safetensors.torch import load_file

        done = targets.finished(study)
        if done is None:
            raise JobError(f"study {study.name!r} has no target gradients yet. Run that job first.")
        self.source: str = done["gram_digest"]
        number = {name: u for u, name in enumerate(done["units"])}
        self.units = len(number)
        self.samples = len(done["samples"])
        self.grounded = study.config.grounded
        sample_unit = torch.tensor([number[s["unit"]] for s in done["samples"]])
        self.members = products.members(sample_unit, self.units).to(vlm.device)
        self.features: list[Feature] = []
        self.blocks: list[list[torch.Tensor]] = []
        kinds = ["sample", "unit"] + (["grounded"] if self.grounded else [])
        for t in range(len(checkpoints)):
            vectors = load_file(study.targets_folder / f"vectors-{t + 1}.safetensors")
            gamma = feature(study.config.features, checkpoints.first[t], checkpoints.second[t], checkpoints.updates[t],
                            warmup.BETAS, warmup.EPSILON)
            rows = torch.cat([vectors[kind] for kind in kinds]).to(vlm.device)
            self.features.append(gamma)
            self.blocks.append([rows[:, m.offset:m.end].contiguous() for m in vlm.lora.matrices])


class PoolPass:
    """Everything that is loaded once: model, adapters, target vectors. `run` computes a batch."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.vlm, self.checkpoints = targets.open_model(study)
        self.vectors = TargetVectors(study, self.vlm, self.checkpoints)
        self.weights = (self.checkpoints.eta / self.checkpoints.eta.sum()).tolist()

    def run(self, batch: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Scores of a batch: `loss`, `gradient_norm`, `feature_norm` [B, T], `dots` (and `dots_grounded`) [B, T, M],
        `near`, `winner` [B, M], `influence` [B, S], `tokens` [B]."""
        from cadc.vlm import answer_losses, prefix

        joined = self.vlm.collate([encoded for _, encoded in batch])
        given = prefix(self.vlm, joined)
        losses, gradients, features, dots, influence = [], [], [], [], 0
        count = self.vectors.samples
        for t, weight in enumerate(self.weights):
            self.checkpoints.switch(t)
            sums = _Sums(self.vlm, self.vectors, t, len(batch))
            with self.checkpoints.capture.watch(sums.add):
                loss = answer_losses(self.vlm, given)
                loss.sum().backward()
            cosines = products.cosine(sums.dots, sums.feature.sqrt())  # [B, R]
            influence = influence + weight * cosines[:, :count]
            losses.append(loss.detach())
            gradients.append(sums.gradient.sqrt())
            features.append(sums.feature.sqrt())
            dots.append(cosines[:, count:])
        near, winner = products.near(influence, self.vectors.members, self.study.config.near_q)
        stacked = torch.stack(dots, dim=1)  # [B, T, M (+ M)]
        units = self.vectors.units
        result = {"loss": torch.stack(losses, 1), "gradient_norm": torch.stack(gradients, 1),
                  "feature_norm": torch.stack(features, 1), "dots": stacked[:, :, :units], "near": near,
                  "winner": winner, "influence": influence, "tokens": given.tokens.to(torch.int32)}
        if self.vectors.grounded:
            result["dots_grounded"] = stacked[:, :, units:]
        return {key: value.cpu() for key, value in result.items()}

    def shard(self, feed: "Feed", shard: shards.Shard, step: Callable[[int, float], None]) -> None:
        """Compute and write one shard; `step(rows, loss)` after every batch, cancels by raising."""
        started = time.monotonic()
        failed: dict[int, str] = {}
        parts: list[dict[str, torch.Tensor]] = []
        rows: list[int] = []
        halved = 0
        for batch in packed(encoded_rows(feed, shard.rows, failed)):
            pieces = 0
            for part, found in halving(self.run, batch):
                fine = _finite(found, [row for row, _ in part], failed)
                rows += [row for (row, _), ok in zip(part, fine.tolist(), strict=True) if ok]
                parts.append({key: value[fine] for key, value in found.items()})
                pieces += 1
                step(len(part), float(found["loss"][:, -1].mean()))
            halved += pieces > 1
        tensors = self._join(parts, rows)
        seconds = time.monotonic() - started
        facts = {"source": self.vectors.source, "kept": rows, "halved": halved, "seconds": round(seconds, 3),
                 "failed": [{"index": feed.samples[row].index, "id": feed.samples[row].id, "reason": reason}
                            for row, reason in sorted(failed.items())]}
        shards.write(self.study, shard, tensors, facts)
        log.info("shard %d: %d rows, %.1f samples/s", shard.number, len(rows), len(rows) / max(seconds, 1e-9))

    def _join(self, parts: list[dict[str, torch.Tensor]], rows: list[int]) -> dict[str, torch.Tensor]:
        """Batches → the tensors of a shard; of the influences only each target sample's best rows are kept."""
        if not parts:
            return {"rows": torch.zeros(0, dtype=torch.int64)}
        joined = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        influence = joined.pop("influence")
        value, place = products.best(influence, self.study.config.best_rows)
        positions = torch.tensor(rows, dtype=torch.int64)
        answers = {"influence": influence.half()} if self.study.config.landmarks < 1 else {}  # for the regression
        joined = {key: v.float() if v.is_floating_point() else v for key, v in joined.items()}
        best = {"best_value": value.float(), "best_row": positions[place.long()].int()}
        return joined | answers | best | {"rows": positions}


class _Sums:
    """Adds up what each LoRA linear contributes to dots [B, R], ‖g‖² [B] and ‖Γ‖² [B]."""

    def __init__(self, vlm: "Vlm", vectors: TargetVectors, t: int, batch: int) -> None:
        self._matrices, self._blocks, self._gamma = vlm.lora.matrices, vectors.blocks[t], vectors.features[t]
        block = self._blocks[0]
        self.dots = block.new_zeros(batch, block.shape[0])
        self.gradient = block.new_zeros(batch)
        self.feature = block.new_zeros(batch)

    def add(self, number: int, gradient: torch.Tensor) -> None:
        """Take gradients [B, p] of linear `number`."""
        m = self._matrices[number]
        block = self._blocks[number]  # [R, p]
        ready, plain, transformed = self._gamma.apply(gradient.to(block.dtype), m.offset, m.end)
        self.gradient += plain
        self.feature += transformed
        self.dots.addmm_(ready, block.t())


def _finite(found: dict[str, torch.Tensor], rows: list[int], failed: dict[int, str]) -> torch.Tensor:
    """bool [B]: rows whose numbers are all finite; the others are set aside with their reason."""
    fine = torch.isfinite(found["loss"]).all(1) & torch.isfinite(found["feature_norm"]).all(1)
    for row, ok in zip(rows, fine.tolist(), strict=True):
        if not ok:
            failed[row] = "its loss or gradient is not a finite number at some checkpoint"
    return fine


def run_attribute(study: Study, progress: Progress, workers: int = 1) -> None:
    """Score the whole pool with `workers` processes, then compact the shards into `Scores`.

    Finished shards are verified and kept; the result does not depend on the number of workers. Raises Cancelled,
    JobError (nothing to start from, or a shard of another question) and ModelError.
    """
    from cadc.data import read_samples
    from cadc.gradients import compaction, local

    if targets.finished(study) is None:
        raise JobError(f"study {study.name!r} has no target gradients yet. Run that job first.")
    pool = read_samples(study.samples_file("pool"))
    source = targets.finished(study)["gram_digest"]
    if compaction.finished(study, source):
        progress.note("attribution is already finished")
        return
    pieces = pool_shards(study, pool)
    features = landmarks.feature_shards(study, pool) if landmarks.predicts(study, len(pool)) else []
    todo = {kind: [s for s in every if shards.sidecar(study, s, source) is None]
            for kind, every in (("pool", pieces), ("features", features))}
    count = sum(len(s.rows) for s in (*pieces, *features))
    progress.start(count, done=count - sum(len(s.rows) for open_shards in todo.values() for s in open_shards))
    missing = sum(map(len, todo.values()))
    progress.note(f"{len(pieces) + len(features) - missing} of {len(pieces) + len(features)} shards are already there")
    for kind, open_shards in todo.items():
        local.compute(study, open_shards, source, progress, workers, kind)
    progress.note("putting the shards together")
    compaction.compact(study, pool, pieces, source, features)


def pool_shards(study: Study, pool: Sequence) -> list[shards.Shard]:
    """All shards of the rows whose gradients are computed, always the same."""
    from cadc.vlm.feed import by_length

    return shards.cut(by_length(pool, landmarks.chosen(study, pool)), study.config.shard_rows)
