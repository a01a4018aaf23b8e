"""The pool once for all T checkpoints: dot products with every target vector, norms and losses (CADC §3, METHOD §4).

Shape letters: B samples of a batch, T checkpoints, S single target samples, M units, R = S + M (+ M grounded) target
vectors. A batch is decoded, tokenised and seen by the frozen part once; then each checkpoint is switched in for the
rest forward and backward, and every LoRA linear's per-sample gradient is multiplied with its slice of the target
vectors and dropped.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from cadc.data.indices import FeedRow
from cadc.data.reasons import NOT_FINITE
from cadc.gradients import batch_plan, batch_search, landmarks, products, targets
from cadc.gradients.checkpoints import Checkpoints, open_model
from cadc.gradients.features import Feature
from cadc.gradients.keeping import GradientModel
from cadc.gradients.vectors import Exact, Vectors, accumulating
from cadc.gradients.whitening import Whitening
from cadc.jobs import engines, shards
from cadc.jobs.engines import EngineSettings
from cadc.models.batching import Item, run_batches
from cadc.models.copies import Copies
from cadc.study import Study
from cadc.study.progress import Progress

if TYPE_CHECKING:
    from cadc.data.sample import Sample
    from cadc.models.encode import Batch
    from cadc.models.feed import Feed
    from cadc.models.vlm import Vlm

log = logging.getLogger(__name__)


class TargetVectors:
    """The R target vectors of every checkpoint on the device, and the features they are multiplied with."""

    def __init__(self, vlm: "Vlm", sample_unit: torch.Tensor, units: int, *, grounded: bool = False,
                 inputs: str = "", vectors: Vectors | None = None) -> None:
        """`sample_unit` int64 [S]: unit of each single target sample; `inputs`: digest of the target job's result;
        `vectors`: how they are kept and multiplied with, `Exact` by default."""
        self.inputs, self.units, self.samples, self.grounded = inputs, units, len(sample_unit), grounded
        self.members = products.members(sample_unit, units).to(vlm.device)
        self.features: list[Feature] = []
        self.metrics: list[tuple[Whitening, torch.Tensor]] = []
        """Per checkpoint the metric of the single target samples and their ‖h‖ / ‖g‖ [S]; [] where none was made."""
        self.vectors: Vectors = vectors or Exact(vlm)

    def add(self, gamma: Feature, *rows: torch.Tensor) -> None:
        """The next checkpoint: its feature and rows [R, P] (or as `vectors` takes them), in one tensor or several:
        singles first, then means (then grounded means)."""
        self.features.append(gamma)
        self.vectors.append(*rows)

    @classmethod
    def of(cls, study: Study, vlm: "Vlm", checkpoints: Checkpoints) -> "TargetVectors":
        """What the target job of a study wrote. Raises JobError before it ran."""
        from safetensors.torch import load_file

        done, result = targets.summary(study), study.result("targets")
        gradient_model = GradientModel(study, vlm, checkpoints)
        number = {name: u for u, name in enumerate(done["units"])}
        grounded = study.config.grounded
        made = cls(vlm, torch.tensor([number[s["unit"]] for s in done["samples"]]), len(number), grounded=grounded,
                   inputs=pool_inputs(study), vectors=gradient_model.vectors(done))
        kinds = ["sample", "unit"] + (["grounded"] if grounded else [])
        grams = load_file(result.intact("gram.safetensors")) if study.config.whitens else {}
        for t in range(len(checkpoints)):
            vectors = load_file(result.intact(f"vectors-{t + 1}.safetensors"))
            made.add(gradient_model.feature(t), *(vectors[kind] for kind in kinds))
            if grams:
                made.metrics.append((Whitening(grams["balanced"][t].to(vlm.device), study.config.ridge),
                                     grams["balanced_norm"][t].to(vlm.device, accumulating(vlm))))
        return made


class Scoring:
    """Model, adapters and target vectors; `run` computes a batch."""

    def __init__(self, vlm: "Vlm", checkpoints: Checkpoints, vectors: TargetVectors, near_q: int) -> None:
        self.vlm, self.checkpoints, self.vectors, self._near_q = vlm, checkpoints, vectors, near_q
        self.weights = (checkpoints.eta / checkpoints.eta.sum()).tolist()

    def run(self, joined: "Batch") -> dict[str, torch.Tensor]:
        """Scores of a batch: `loss`, `gradient_norm`, `feature_norm` [B, T], `dots` (and `dots_grounded`) [B, T, M],
        `near`, `winner` [B, M], `influence` [B, S], `tokens` [B]; with metrics `near_whitened`, `winner_whitened`
        [B, M] and `whitened` [B, S] as well: the same by the kernel of METHOD §4."""
        from cadc.models import answer_losses, prefix

        given = prefix(self.vlm, joined)
        losses, gradients, features, dots = [], [], [], []
        count = self.vectors.samples
        influence, whitened = torch.zeros(()), torch.zeros(())  # numbers until the first [B, S] is added
        for t, weight in enumerate(self.weights):
            self.checkpoints.switch(t)
            sums = _Sums(self.vlm, self.vectors, t, len(joined))
            with self.checkpoints.capture.watch(sums.add):
                loss = answer_losses(self.vlm, given)
                loss.sum().backward()
            norm, found = sums.feature.sqrt(), sums.products.dots()
            cosines = products.cosine(found, norm)  # [B, R]
            influence = influence + weight * cosines[:, :count]
            if self.vectors.metrics:
                metric, length = self.vectors.metrics[t]
                shared = products.cosine(found[:, :count], sums.products.length(sums.balanced)) / length
                whitened = whitened + weight * metric.kernel(shared)
            losses.append(loss.detach())
            gradients.append(sums.gradient.sqrt())
            features.append(norm)
            dots.append(cosines[:, count:])
        near, winner = products.near(influence, self.vectors.members, self._near_q)
        stacked = torch.stack(dots, dim=1)  # [B, T, M (+ M)]
        units = self.vectors.units
        result = {"loss": torch.stack(losses, 1), "gradient_norm": torch.stack(gradients, 1),
                  "feature_norm": torch.stack(features, 1), "dots": stacked[:, :, :units], "near": near,
                  "winner": winner, "influence": influence, "tokens": given.tokens.to(torch.int32)}
        if self.vectors.metrics:
            near, winner = products.near(whitened, self.vectors.members, self._near_q)
            result |= {"near_whitened": near, "winner_whitened": winner, "whitened": whitened}
        if self.vectors.grounded:
            result["dots_grounded"] = stacked[:, :, units:]
        return {key: value.cpu() for key, value in result.items()}


class PoolPass(Scoring):
    """The pass over a study's pool: everything is loaded once, then shard after shard is computed."""

    def __init__(self, study: Study) -> None:
        vlm, checkpoints = open_model(study)
        super().__init__(vlm, checkpoints, TargetVectors.of(study, vlm, checkpoints), study.config.near_q)
        self.study = study
        self.plan: batch_plan.BatchPlan | None = None

    def scores(self, batch: Sequence[Item]) -> dict[str, torch.Tensor]:
        """`run` of encoded rows."""
        return self.run(self.vlm.collate([encoded for _, encoded in batch]))

    def shard(self, feed: "Feed", shard: shards.Shard, step: Callable[[int, float], None]) -> None:
        """Compute and write one shard; `step(rows, loss)` after every batch, cancels by raising."""
        started = time.monotonic()
        failed: dict[FeedRow, str] = {}
        parts: list[dict[str, torch.Tensor]] = []
        rows: list[FeedRow] = []
        plan, same = self._plan(feed), Copies(feed.samples, shard.rows)
        batches = run_batches(feed, same.firsts, self.scores, failed, plan)
        for part, found in batches:
            fine = _finite(found, part, failed)
            kept = [row for row, ok in zip(part, fine.tolist(), strict=True) if ok]
            rows += same.all_of(kept)
            parts.append(same.spread(kept, {key: value[fine] for key, value in found.items()}))
            step(len(same.all_of(part)), float(found["loss"][:, -1].mean()))
        same.fail(failed, feed)
        tensors = self._join(parts, rows)
        seconds = time.monotonic() - started
        facts = {"inputs": self.vectors.inputs, "kept": rows, "computed": len(same.firsts), "halved": batches.halved,
                 "seconds": round(seconds, 3),
                 "precision": self.vlm.precision, "batch": asdict(plan),
                 "failed": [{"index": feed.samples[row].index, "id": feed.samples[row].id, "reason": reason}
                            for row, reason in sorted(failed.items())]}
        shards.write(self.study, shard, tensors, facts)
        log.info("shard %d: %d rows, %.1f samples/s", shard.number, len(rows), len(rows) / max(seconds, 1e-9))

    def _plan(self, feed: "Feed") -> batch_plan.BatchPlan:
        """How batches are cut: chosen by whoever computes first, then the same for all."""
        if self.plan is None:
            self.plan = batch_search.choose_batch_size(
                self.study, "attribute", self.vlm, feed, self.scores,
                lambda found: (found["loss"], found["gradient_norm"]))
        return self.plan

    def _join(self, parts: list[dict[str, torch.Tensor]], rows: Sequence[FeedRow]) -> dict[str, torch.Tensor]:
        """Batches → the tensors of a shard; of the influences only each target sample's best rows are kept."""
        if not parts:
            return {"rows": torch.zeros(0, dtype=torch.int64)}
        joined = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        influence = joined.pop("influence")
        value, place = products.best(influence, self.study.config.best_rows)
        positions = torch.tensor(rows, dtype=torch.int64)
        answers = {"influence": influence.half()} if self.study.config.landmarks < 1 else {}  # for the regression
        best = {"best_value": value.float(), "best_row": positions[place.long()].int()}
        if "whitened" in joined:
            value, place = products.best(joined.pop("whitened"), self.study.config.best_rows)
            best |= {"best_value_whitened": value.float(), "best_row_whitened": positions[place.long()].int()}
        narrow = {key: v.float() for key, v in joined.items() if v.is_floating_point()}
        return joined | narrow | answers | best | {"rows": positions}


class _Sums:
    """Adds up what each LoRA linear contributes to the products [B, R], ‖g‖², ‖Γ‖² and ⟨Γ, g⟩ [B]."""

    def __init__(self, vlm: "Vlm", vectors: TargetVectors, t: int, batch: int) -> None:
        self._matrices, self._gamma = vlm.layout.matrices, vectors.features[t]
        self._kind = accumulating(vlm)
        self.products = vectors.vectors.products(t, batch)
        self.gradient = torch.zeros(batch, dtype=self._kind, device=vlm.device)
        self.feature = torch.zeros(batch, dtype=self._kind, device=vlm.device)
        self.balanced = torch.zeros(batch, dtype=self._kind, device=vlm.device)

    def add(self, number: int, gradient: torch.Tensor) -> None:
        """Take gradients [B, p] of linear `number`."""
        m = self._matrices[number]
        found = self._gamma.apply(gradient.to(self._kind), m.offset, m.end)
        self.gradient += found.gradient
        self.feature += found.square
        self.balanced += found.balanced
        self.products.add(number, found.feature)


def _finite(found: dict[str, torch.Tensor], rows: Sequence[FeedRow], failed: dict[FeedRow, str]) -> torch.Tensor:
    """bool [B]: rows whose numbers are all finite; the others are set aside with their reason."""
    fine = torch.isfinite(found["loss"]).all(1) & torch.isfinite(found["feature_norm"]).all(1)
    for name in {"gradient_norm", "dots", "influence", "whitened"} & found.keys():
        fine &= torch.isfinite(found[name].flatten(1)).all(1)
    for row, ok in zip(rows, fine.tolist(), strict=True):
        if not ok:
            failed[row] = f"{NOT_FINITE}: loss or gradient at some checkpoint"
    return fine


def run_attribute(study: Study, progress: Progress, *, engine: EngineSettings | None = None) -> None:
    """Compute every shard of the pool with the engine given (None: one process).

    Finished shards are verified and kept; the result does not depend on who computed them. Raises Cancelled,
    JobError (nothing to start from, or a shard of another question) and ModelError.
    """
    from cadc.data import read_samples

    result = study.result("attribute")
    if result.finished:
        progress.note("attribution is already finished")
        return
    inputs = pool_inputs(study)
    pool = read_samples(study.samples_file("pool"))
    pieces = pool_shards(study, pool)
    features = landmarks.feature_shards(study, pool)
    todo = {kind: [s for s in every if shards.sidecar(study, s, inputs) is None]
            for kind, every in (("pool", pieces), ("features", features))}
    count = sum(len(s.rows) for s in (*pieces, *features))
    progress.start(count, done=count - sum(len(s.rows) for open_shards in todo.values() for s in open_shards))
    missing = sum(map(len, todo.values()))
    progress.note(f"{len(pieces) + len(features) - missing} of {len(pieces) + len(features)} shards are already there")
    for kind, open_shards in todo.items():
        work = engines.Work(study=study, kind=kind, inputs=inputs, shards=open_shards)
        engines.compute(work, progress, engine or EngineSettings(workers=1))
    batch_plan.restore(study, "attribute")
    for warning in batch_plan.read(study, "attribute").warnings:
        progress.note(warning)
    result.finish()


def pool_inputs(study: Study) -> str:
    """Digest of the target vectors that the pool is multiplied with. Raises JobError before there are any."""
    record = study.require("targets").record
    return record.digest if record else ""


def pool_shards(study: Study, pool: Sequence["Sample"]) -> list[shards.Shard]:
    """All shards of the rows whose gradients are computed, always the same."""
    from cadc.models.feed import by_length

    return shards.cut(by_length(pool, landmarks.chosen(study, pool)), study.config.shard_rows)
