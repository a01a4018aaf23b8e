"""Target gradients: single samples, unit means and grounded unit means at every checkpoint, and their Gram matrices
(METHOD §2).

Each batch of target samples is decoded and seen by the vision tower once for all T checkpoints. A broken run starts
over (minutes at most); a finished one is not repeated.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from cadc.data.indices import FeedRow
from cadc.data.reasons import NOT_FINITE
from cadc.errors import DataError, JobError
from cadc.gradients import batch_search, keeping, modes
from cadc.gradients.checkpoints import open_model
from cadc.gradients.choice import Choice, choose, donors, swappable
from cadc.gradients.collected import Left
from cadc.gradients.lanes import lanes
from cadc.gradients.vectors import stored
from cadc.jobs.engines import EngineSettings
from cadc.models.batching import Item, run_batches
from cadc.models.threads import lone_threads
from cadc.study import Study, write_json, write_tensors
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    from cadc.models.encode import Encoded
    from cadc.models.feed import Feed

log = logging.getLogger(__name__)

_PICTURES = 22  # stream of the study's seed

Keep = Callable[[int, Sequence[FeedRow], torch.Tensor, torch.Tensor, torch.Tensor], None]
"""Checkpoint, rows [B], their units [B], losses [B], gradients [B, P]."""


def summary(study: Study) -> dict[str, Any]:
    """`targets.json` of a finished target pass. Raises JobError before it ran, or when the file is damaged."""
    return json.loads(study.require("targets").intact("targets.json").read_text())


def run_targets(study: Study, progress: Progress, *, engine: EngineSettings | None = None) -> None:
    """Compute and write all target vectors and Gram matrices. Raises Cancelled, JobError, ModelError.

    `engine` says how many processes will hold the vectors in the pool pass (None: one); mode `auto` is decided by it.
    """
    if study.result("targets").finished:
        progress.note("target gradients are already finished")
        return
    workers = engine.processes if engine else 1
    from cadc.models.feed import Feed

    started = time.monotonic()
    progress.note("loading the model and its checkpoints")
    vlm, checkpoints = open_model(study)
    feed = Feed(study, "target", vlm)
    model, choice = keeping.GradientModel(study, vlm, checkpoints), choose(study.config, feed.samples)
    free = modes.free_bytes(vlm.device)
    singles, units = sum(map(len, choice.singles)), len(choice.units) * (2 if study.config.grounded else 1)
    need = modes.Need(vectors=len(checkpoints) * (singles + units), parameters=vlm.layout.size,
                      width=stored(vlm).itemsize, workers=1 if vlm.device != "cpu" else workers)
    mode = modes.choose(study.config, need, free)
    log.info("mode %s: %s", mode.mode, mode.reason)
    progress.note(f"{mode.mode} products: {mode.reason}")
    kept: keeping.ExactKeeping | keeping.SketchKeeping
    if mode.mode == "exact":
        kept = keeping.ExactKeeping(model, mode, choice)
    else:
        kept = keeping.SketchKeeping(model, mode, choice, (feed, Feed(study, "pool", vlm)), free)
    work = _Targets(model, feed, choice, kept)
    with lone_threads(vlm.device):
        work.run(progress, workers)
        work.write(round(time.monotonic() - started, 3))


class _Targets:
    """One run of the target pass: every batch's gradients go to what is kept of them."""

    def __init__(self, engine: keeping.GradientModel, feed: "Feed", choice: Choice,
                 kept: keeping.ExactKeeping | keeping.SketchKeeping) -> None:
        self.engine, self.study, self.vlm = engine, engine.study, engine.vlm
        self.feed, self.choice, self.kept = feed, choice, kept
        self.singles = {row: k for k, row in enumerate(row for rows in choice.singles for row in rows)}
        self.sample_loss = torch.zeros(len(engine.checkpoints), len(self.singles))
        self.feature_norm = torch.zeros(len(engine.checkpoints), len(self.singles))
        self.count = torch.zeros(len(choice.units))
        self.failed: dict[FeedRow, str] = {}
        self.plan, self.halved = batch_search.fixed(), 0
        self.beside: list[keeping.GradientModel] = []
        self.plain_units = [u for u, rows in enumerate(choice.rows)
                            if not swappable([feed.samples[row].images for row in rows])]

    def run(self, progress: Progress, workers: int = 1) -> None:
        """Plain pass, then one pass per permutation of the pictures; `workers`: batches at a time at most."""
        unit_of = self.choice.unit_of
        rounds = self.study.config.permutations if self.study.config.grounded else 0
        moved = [row for row, u in unit_of.items() if u not in self.plain_units]
        self.plan = batch_search.choose_batch_size(self.study, "targets", self.vlm, self.feed, self._gradients,
                                                   _measured)
        for warning in self.plan.warnings:
            progress.note(warning)
        self.beside = [keeping.GradientModel(self.study, *open_model(self.study))
                       for _ in range(lanes(self.vlm, len(self.engine.checkpoints), self.plan.rows, workers) - 1)]
        progress.start(len(unit_of) + rounds * len(moved))
        self._pass(self.feed.by_length(list(unit_of)), self._keep, progress)
        moved = [row for row in moved if row not in self.failed]
        for round_ in range(rounds):
            progress.note(f"grounded gradients: permutation {round_ + 1} of {rounds}")
            giver = self._givers(round_)
            self._pass(self.feed.by_length(moved), self._keep_swapped, progress, partial(self._encode_with, giver))

    def _pass(self, rows: Sequence[FeedRow], keep: Keep, progress: Progress,
              encode: Callable[[FeedRow], "Encoded"] | None = None) -> None:
        batches = run_batches(self.feed, rows, self._gradients, self.failed, self.plan, encode=encode,
                              beside=[partial(_gradients, model) for model in self.beside])
        odd: list[FeedRow] = []
        for whole, every in batches:
            part, found = _finite(whole, every)
            odd += sorted(set(whole) - set(part))
            progress.step(len(whole) - len(part))
            if not part:
                continue
            units = torch.tensor([self.choice.unit_of[row] for row in part])
            for t, (losses, matrix) in enumerate(found):
                keep(t, part, units, losses.cpu(), matrix)
            progress.step(len(part), loss=float(found[-1][0].mean()))
        self.halved += batches.halved
        if encode is None:
            self.failed |= dict.fromkeys(odd, f"{NOT_FINITE}: loss or gradient at some checkpoint")
        elif odd:  # with another picture only: with its own the row cancels out
            log.warning("%d rows keep their own pictures: gradients with the swapped ones are not finite", len(odd))
            self._pass(odd, keep, Silent())

    def _gradients(self, batch: Sequence[Item]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return _gradients(self.engine, batch)

    def _keep(self, t: int, rows: Sequence[FeedRow], units: torch.Tensor, losses: torch.Tensor, matrix: torch.Tensor
              ) -> None:
        if t == 0:
            self.count += torch.bincount(units, minlength=len(self.choice.units))
        single = torch.tensor([self.singles.get(row, -1) for row in rows])
        self.sample_loss[t][single[single >= 0]] = losses[single >= 0].float()
        made = self.engine.feature(t).apply(matrix.to(self.engine.kind), 0, matrix.shape[1])
        ratio = (made.square / made.gradient.clamp_min(1e-60)).sqrt().cpu().float()
        self.feature_norm[t][single[single >= 0]] = ratio[single >= 0]
        for collected in self.kept.every:
            collected.add(t, units, matrix, single)

    def _keep_swapped(self, t: int, rows: Sequence[FeedRow], units: torch.Tensor, losses: torch.Tensor,
                      matrix: torch.Tensor) -> None:
        for collected in self.kept.every:
            collected.add_swapped(t, units, matrix)

    def _givers(self, round_: int) -> dict[FeedRow, FeedRow]:
        """Row whose pictures each row gets."""
        giver: dict[FeedRow, FeedRow] = {}
        for u, rows in enumerate(self.choice.rows):
            alive = [row for row in rows if row not in self.failed]
            swap = donors([self.feed.samples[row].images for row in alive], round_,
                          [self.study.config.seed, _PICTURES, u])
            giver |= {row: alive[d] for row, d in zip(alive, swap, strict=True)}
        return giver

    def _encode_with(self, giver: Mapping[FeedRow, FeedRow], row: FeedRow) -> "Encoded":
        try:
            return self.feed.encode(row, giver[row])
        except DataError as error:  # another picture may take more tokens than fit: the row then cancels out
            log.warning("row %d keeps its own pictures: the swapped ones do not fit (%s)", row, error)
            return self.feed.encode(row)

    def write(self, seconds: float) -> None:
        """Means, Gram matrices, files; `targets.json` last."""
        alive = (self.count > 0).nonzero()[:, 0]
        if len(alive) == 0:
            reason = next(iter(self.failed.values()), "the target is empty")
            raise JobError(f"no target sample can be used: {reason.rstrip('.')}. Raise max_tokens where they are too "
                           "long, mend them otherwise.")
        names = [self.choice.units[u] for u in alive]
        kept = sorted((k, row) for row, k in self.singles.items() if row not in self.failed)
        places = torch.tensor([k for k, _ in kept], dtype=torch.int64)
        number = {int(u): i for i, u in enumerate(alive)}
        plain = [number[u] for u in self.plain_units if u in number]
        samples = [{"row": row, "index": self.feed.samples[row].index, "id": self.feed.samples[row].id,
                    "unit": names[number[self.choice.unit_of[row]]]} for _, row in kept]
        of = torch.tensor([number[self.choice.unit_of[row]] for _, row in kept], dtype=torch.int64)
        vectors, full, facts = self.kept.finish(Left(count=self.count, places=places, sample_unit=of, plain=plain,
                                                     rounds=self.study.config.permutations))
        own = {"sample_loss": self.sample_loss[:, places]}
        config = self.study.config
        if config.whitened and config.features != "less":  # whether the pool is predicted does not change the target
            own |= self._balanced(vectors["sample"], facts["mode"]) | {"feature_norm": self.feature_norm[:, places]}
        self._save(vectors, full, facts, own)
        bad = [{"index": self.feed.samples[row].index, "id": self.feed.samples[row].id, "reason": reason}
               for row, reason in sorted(self.failed.items())]
        moment = {key: facts.pop(key) for key in ("reason", "free_mb")}
        result = self.study.result("targets")
        write_json(result.folder / "targets.json", {
            "units": names, "samples": samples, "failed": bad,
            "counts": self.count[alive].int().tolist(),
            "text_only": [self.choice.units[u] for u in self.plain_units if u in number],
            "dropped_units": [name for u, name in enumerate(self.choice.units) if u not in number],
            "precision": self.vlm.precision, "warnings": list(self.plan.warnings), "halved_batches": self.halved,
            "batch": {"rows": self.plan.rows, "tokens": self.plan.tokens, "reason": self.plan.reason},
            "products": facts})
        write_json(result.folder / "about.json", {"seconds": seconds, "products": moment})
        result.finish()

    def _balanced(self, samples: torch.Tensor, mode: str) -> dict[str, torch.Tensor]:
        """`balanced` [T, S, S], cosines between the balanced gradients of single target samples, and `balanced_norm`
        [T, S], their ‖h‖ / ‖g‖: of the vectors [T, S, ·] as the pool pass reads them, so that its products fit."""
        weights = [None if mode == "sketch" else self.engine.balanced_weight(t)  # sketches carry √w already
                   for t in range(len(samples))]
        whole = torch.stack(self._at_once(gram, samples, weights))
        norm = whole.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
        return {"balanced": whole / (norm[:, :, None] * norm[:, None, :]).clamp_min(1e-30),
                "balanced_norm": norm.clamp_min(1e-15)}

    def _at_once(self, function: Callable[..., torch.Tensor], *each: Iterable[Any]) -> list[torch.Tensor]:
        """`map`, on as many threads as batches were computed at a time."""
        with ThreadPoolExecutor(1 + len(self.beside), thread_name_prefix="gram") as pool:
            return list(pool.map(function, *each))

    def _save(self, vectors: dict[str, torch.Tensor], full: dict[str, torch.Tensor], facts: dict[str, Any],
              own: dict[str, torch.Tensor]) -> None:
        """`full` is what Gram matrices are made of. Mode and dimension stand in the header and so in the digest of this
        result: shards of one mode never count in the other."""
        head = {"key": self.study.key("targets"), "mode": facts["mode"], "dim": str(facts["dim"])}

        def write_vectors() -> None:
            for t in range(len(self.engine.checkpoints)):
                write_tensors(self.study.targets_folder / f"vectors-{t + 1}.safetensors",
                              {key: value[t].contiguous() for key, value in vectors.items()}, head)

        with ThreadPoolExecutor(1, thread_name_prefix="write") as beside:
            written = beside.submit(write_vectors)
            grams = {key: torch.stack(self._at_once(gram, value)) for key, value in full.items()}
            written.result()
        if facts["gram"]["sample"] == "sketch":  # unit vectors have length 1 whatever the sketch says
            diagonal = grams["sample"].diagonal(dim1=1, dim2=2)
            diagonal.copy_(diagonal > 0)
        write_tensors(self.study.targets_folder / "gram.safetensors", grams | own, head)


def _gradients(model: keeping.GradientModel, batch: Sequence[Item]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Losses [B] and gradients [B, P] of encoded rows at every checkpoint."""
    from cadc.models import prefix

    return model.gradients(prefix(model.vlm, model.vlm.collate([encoded for _, encoded in batch])))


def _finite(rows: Sequence[FeedRow], found: list[tuple[torch.Tensor, torch.Tensor]]
            ) -> tuple[list[FeedRow], list[tuple[torch.Tensor, torch.Tensor]]]:
    """Those rows of a batch whose loss and gradient are finite at every checkpoint, and what was found for them."""
    losses, norms = _measured(found)
    fine = (torch.isfinite(losses) & torch.isfinite(norms)).all(1)
    if bool(fine.all()):
        return list(rows), found
    return ([row for row, ok in zip(rows, fine.tolist(), strict=True) if ok],
            [(loss[fine], matrix[fine]) for loss, matrix in found])


def _measured(found: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses and gradient norms [B, T] of what `_gradients` returns."""
    return (torch.stack([losses for losses, _ in found], 1),
            torch.stack([torch.linalg.vector_norm(matrix, dim=1) for _, matrix in found], 1))


BLOCK = 8192
"""Columns of a Gram matrix that are multiplied at once in the vectors' own precision."""


def gram(vectors: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """⟨x, w ⊙ y⟩ of all rows [R, P] → float32 [R, R], w [P] ≥ 0 (None: ones); blocks are added up in float64, which is
    within 1e-6 of sums in float64 alone and a third of their time."""
    total = torch.zeros(len(vectors), len(vectors), dtype=torch.float64)
    for start in range(0, vectors.shape[1], BLOCK):
        block = vectors[:, start:start + BLOCK]
        block = block if block.dtype == torch.float64 else block.float()
        if weight is not None:
            block = block * weight[start:start + BLOCK].to("cpu", block.dtype).sqrt()
        total += (block @ block.t()).double()
    return total.float()
