"""Target gradients: single samples, unit means and grounded unit means at every checkpoint, and their Gram matrices
(METHOD §2).

Each batch of target samples is decoded and seen by the vision tower once for all T checkpoints. A broken run starts
over (minutes at most); a finished one is not repeated.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cadc import warmup
from cadc.errors import DataError, JobError
from cadc.gradients import batch_plan
from cadc.gradients.batching import Item, encoded_rows, halving, packed
from cadc.gradients.capture import gradient_matrix, open_capture
from cadc.progress import Progress
from cadc.study import Study, file_digest, write_json

if TYPE_CHECKING:
    from cadc.vlm.feed import Feed
    from cadc.vlm.load import Vlm

log = logging.getLogger(__name__)

_CHOICE, _PICTURES = 21, 22  # streams of the study's seed


@dataclass(frozen=True)
class Choice:
    """Which target samples are used."""

    units: tuple[str, ...]
    """M names, in order of first appearance."""
    rows: tuple[tuple[int, ...], ...]
    """Rows of each unit that enter its mean, ascending."""
    singles: tuple[tuple[int, ...], ...]
    """Rows of each unit that also count one by one, ascending."""

    @property
    def unit_of(self) -> dict[int, int]:
        """Unit of each row used."""
        return {row: u for u, rows in enumerate(self.rows) for row in rows}


def choose(study: Study, feed: "Feed") -> Choice:
    """At most `samples_per_unit` rows of each unit by a seeded draw; the first `near_samples` of the draw count
    singly."""
    config = study.config
    of_unit: dict[str, list[int]] = {}
    for row, sample in enumerate(feed.samples):
        of_unit.setdefault(sample.unit or sample.id, []).append(row)
    rows, singles = [], []
    for number, members in enumerate(of_unit.values()):
        draw = np.random.default_rng([config.seed, _CHOICE, number]).permutation(members).tolist()
        rows.append(tuple(sorted(draw[:config.samples_per_unit])))
        singles.append(tuple(sorted(draw[:config.samples_per_unit][:config.near_samples])))
    return Choice(tuple(of_unit), tuple(rows), tuple(singles))


def donors(pictures: Sequence[tuple[str, ...]], round_: int, seed: Sequence[int]) -> list[int]:
    """Whose pictures each row of a unit gets in permutation `round_`: a derangement inside each group of equal
    picture count.

    `pictures`: picture paths of the unit's rows. Returns positions in the unit; a row that cannot swap keeps its own.
    Of several seeded draws the one is taken that leaves the fewest rows with the same pictures.
    """
    result = list(range(len(pictures)))
    groups: dict[int, list[int]] = {}
    for position, paths in enumerate(pictures):
        groups.setdefault(len(paths), []).append(position)
    for count, group in sorted(groups.items()):
        if count == 0 or len(group) < 2:
            continue
        rng = np.random.default_rng([*seed, round_, count])
        draws = []
        for _ in range(8):
            order = rng.permutation(group)
            moved = np.roll(order, 1 + round_ % (len(group) - 1))
            same = sum(pictures[a] == pictures[b] for a, b in zip(order, moved, strict=True))
            draws.append((same, len(draws), dict(zip(order.tolist(), moved.tolist(), strict=True))))
        for position, donor in min(draws)[2].items():
            result[position] = donor
    return result


def swappable(pictures: Sequence[tuple[str, ...]]) -> bool:
    """Whether any two rows of a unit have equally many, different pictures: else the unit stays plain."""
    seen: dict[int, tuple[str, ...]] = {}
    return any(paths and seen.setdefault(len(paths), paths) != paths for paths in pictures)


class Checkpoints:
    """The T adapters on the model's device, switched in one after the other."""

    def __init__(self, study: Study, vlm: "Vlm") -> None:
        from safetensors import safe_open
        from safetensors.torch import load_file

        done = warmup.finished(study)
        if done is None:
            raise JobError(f"study {study.name!r} has no warm-up yet. Run that job first.")
        kind = torch.float64 if vlm.dtype == torch.float64 else torch.float32
        self.eta = torch.tensor(done["eta"], dtype=torch.float64)
        self.flats, self.first, self.second, self.updates = [], [], [], []
        for t in range(study.config.checkpoints):
            path = warmup.checkpoint_file(study, t + 1)
            state = load_file(path)
            with safe_open(path, "pt") as handle:
                self.updates.append(int(handle.metadata()["updates"]))
            for store, suffix in ((self.flats, ""), (self.first, ".m"), (self.second, ".v")):
                store.append(vlm.lora.flatten(state, suffix).to(vlm.device, kind))
        self.capture = open_capture(vlm)

    def __len__(self) -> int:
        return len(self.flats)

    def switch(self, t: int) -> None:
        """Make checkpoint t (0 … T-1) the current adapter."""
        self.capture.switch(self.flats[t])


def open_model(study: Study) -> tuple["Vlm", Checkpoints]:
    """The study's model with LoRA and its checkpoints, ready for gradients."""
    from cadc.vlm import open_vlm

    config = study.config
    vlm = open_vlm(config)
    return vlm, Checkpoints(study, vlm)


def finished(study: Study) -> dict[str, Any] | None:
    """`targets.json` of a finished target pass over the present checkpoints, else None."""
    path = study.targets_folder / "targets.json"
    if not path.exists():
        return None
    done = json.loads(path.read_text())
    if done["identity"] != study.identity:
        raise JobError(f"targets of study {study.name!r} belong to another question. Delete its targets folder and run "
                       "again.")
    before = warmup.finished(study)
    files = [study.targets_folder / f"vectors-{t + 1}.safetensors" for t in range(study.config.checkpoints)]
    fits = before is not None and done["checkpoints"] == before["checkpoints"]
    return done if fits and all(path.exists() for path in files) else None


def run_targets(study: Study, progress: Progress) -> None:
    """Compute and write all target vectors and Gram matrices. Raises Cancelled, JobError, ModelError."""
    if finished(study):
        progress.note("target gradients are already finished")
        return
    from cadc.vlm.feed import Feed

    started = time.monotonic()
    progress.note("loading the model and its checkpoints")
    vlm, checkpoints = open_model(study)
    feed = Feed(study, "target", vlm)
    work = _Targets(study, vlm, checkpoints, feed, choose(study, feed))
    work.run(progress)
    work.write(round(time.monotonic() - started, 3))


class _Targets:
    """One run of the target pass; vectors are collected in memory, at most T · (S + 2 M) · P numbers."""

    def __init__(self, study: Study, vlm: "Vlm", checkpoints: Checkpoints, feed: "Feed", choice: Choice) -> None:
        self.study, self.vlm, self.checkpoints, self.feed, self.choice = study, vlm, checkpoints, feed, choice
        self.singles = {row: k for k, row in enumerate(row for rows in choice.singles for row in rows)}
        steps, units, size = len(checkpoints), len(choice.units), vlm.lora.size
        kind = torch.float64 if vlm.dtype == torch.float64 else torch.float32
        self.sample = torch.zeros(steps, len(self.singles), size, dtype=kind)
        self.sample_loss = torch.zeros(steps, len(self.singles))
        self.unit = torch.zeros(steps, units, size, dtype=kind)
        self.swapped = torch.zeros(steps, units, size, dtype=kind) if study.config.grounded else None
        self.count = torch.zeros(units)
        self.failed: dict[int, str] = {}
        self.plan, self.halved = batch_plan.BatchPlan(), 0
        self.plain_units = [u for u, rows in enumerate(choice.rows)
                            if not swappable([feed.samples[row].images for row in rows])]

    def run(self, progress: Progress) -> None:
        """Plain pass, then one pass per permutation of the pictures."""
        unit_of = self.choice.unit_of
        rounds = self.study.config.permutations if self.swapped is not None else 0
        moved = [row for row, u in unit_of.items() if u not in self.plain_units]
        self.plan = batch_plan.settle(self.study, "targets", self.vlm, self.feed, self._gradients, _measured)
        for warning in self.plan.warnings:
            progress.note(warning)
        progress.start(len(unit_of) + rounds * len(moved))
        self._pass(encoded_rows(self.feed, self.feed.by_length(list(unit_of)), self.failed), self._keep, progress)
        moved = [row for row in moved if row not in self.failed]
        for round_ in range(rounds):
            progress.note(f"grounded gradients: permutation {round_ + 1} of {rounds}")
            giver = self._givers(round_)
            items = self.feed.ahead(self.feed.by_length(moved), partial(self._encode_with, giver))
            self._pass(items, self._keep_swapped, progress)

    def _pass(self, items: Any, keep: Callable[..., None], progress: Progress) -> None:
        for batch in packed(items, self.plan.rows, self.plan.tokens):
            pieces = 0
            for part, found in halving(self._gradients, batch):
                pieces += 1
                for t, (losses, matrix) in enumerate(found):
                    keep(t, [row for row, _ in part], losses.cpu(), matrix.cpu())
                progress.step(len(part), loss=float(found[-1][0].mean()))
            self.halved += pieces > 1

    def _gradients(self, batch: Sequence[Item]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        from cadc.vlm import answer_losses, prefix

        given = prefix(self.vlm, self.vlm.collate([encoded for _, encoded in batch]))
        found = []
        for t in range(len(self.checkpoints)):
            self.checkpoints.switch(t)
            found.append(gradient_matrix(self.vlm, self.checkpoints.capture, lambda: answer_losses(self.vlm, given)))
        return found

    def _keep(self, t: int, rows: list[int], losses: torch.Tensor, matrix: torch.Tensor) -> None:
        units = torch.tensor([self.choice.unit_of[row] for row in rows])
        self.unit[t].index_add_(0, units, matrix)
        if t == 0:
            self.count += torch.bincount(units, minlength=len(self.choice.units))
        at = [(i, self.singles[row]) for i, row in enumerate(rows) if row in self.singles]
        if at:
            source, place = (torch.tensor(x) for x in zip(*at, strict=True))
            chosen = matrix[source]
            self.sample[t][place] = chosen / chosen.norm(dim=1, keepdim=True).clamp_min(1e-30)
            self.sample_loss[t][place] = losses[source].float()

    def _keep_swapped(self, t: int, rows: list[int], losses: torch.Tensor, matrix: torch.Tensor) -> None:
        self.swapped[t].index_add_(0, torch.tensor([self.choice.unit_of[row] for row in rows]), matrix)

    def _givers(self, round_: int) -> dict[int, int]:
        """Row whose pictures each row gets."""
        giver = {}
        for u, rows in enumerate(self.choice.rows):
            alive = [row for row in rows if row not in self.failed]
            swap = donors([self.feed.samples[row].images for row in alive], round_,
                          [self.study.config.seed, _PICTURES, u])
            giver |= {row: alive[d] for row, d in zip(alive, swap, strict=True)}
        return giver

    def _encode_with(self, giver: Mapping[int, int], row: int) -> Any:
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
            raise JobError(f"no target sample can be encoded: {reason}")
        names = [self.choice.units[u] for u in alive]
        kept = sorted((k, row) for row, k in self.singles.items() if row not in self.failed)
        places = torch.tensor([k for k, _ in kept], dtype=torch.int64)
        number = {int(u): i for i, u in enumerate(alive)}
        unit = self.unit[:, alive] / self.count[alive, None]
        vectors = {"sample": self.sample[:, places], "unit": unit}
        if self.swapped is not None:
            rounds = self.study.config.permutations
            grounded = unit - self.swapped[:, alive] / (rounds * self.count[alive, None])
            plain = [number[u] for u in self.plain_units if u in number]
            grounded[:, plain] = unit[:, plain]
            vectors["grounded"] = grounded
        samples = [{"row": row, "index": self.feed.samples[row].index, "id": self.feed.samples[row].id,
                    "unit": names[number[self.choice.unit_of[row]]]} for _, row in kept]
        self._save(vectors, self.sample_loss[:, places])
        bad = [{"index": self.feed.samples[row].index, "id": self.feed.samples[row].id, "reason": reason}
               for row, reason in sorted(self.failed.items())]
        write_json(self.study.targets_folder / "targets.json", {
            "identity": self.study.identity, "units": names, "samples": samples, "failed": bad,
            "counts": self.count[alive].int().tolist(),
            "text_only": [self.choice.units[u] for u in self.plain_units if u in number],
            "dropped_units": [name for u, name in enumerate(self.choice.units) if u not in number],
            "precision": self.vlm.precision, "warnings": list(self.plan.warnings), "halved_batches": self.halved,
            "batch": {"rows": self.plan.rows, "tokens": self.plan.tokens, "reason": self.plan.reason},
            "checkpoints": warmup.finished(self.study)["checkpoints"],
            "gram_digest": file_digest(self.study.targets_folder / "gram.safetensors"), "seconds": seconds})

    def _save(self, vectors: dict[str, torch.Tensor], sample_loss: torch.Tensor) -> None:
        head = {"identity": self.study.identity}
        for t in range(len(self.checkpoints)):
            warmup.write_tensors(self.study.targets_folder / f"vectors-{t + 1}.safetensors",
                                 {key: value[t] for key, value in vectors.items()}, head)
        grams = {key: torch.stack([gram(x) for x in value]) for key, value in vectors.items()}
        warmup.write_tensors(self.study.targets_folder / "gram.safetensors", grams | {"sample_loss": sample_loss}, head)


def _measured(found: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses and gradient norms [B, T] of what `_gradients` returns."""
    return (torch.stack([losses for losses, _ in found], 1),
            torch.stack([torch.linalg.vector_norm(matrix, dim=1) for _, matrix in found], 1))


def gram(vectors: torch.Tensor) -> torch.Tensor:
    """⟨x, y⟩ of all rows [R, P] → float32 [R, R], summed in float64 block by block."""
    total = torch.zeros(len(vectors), len(vectors), dtype=torch.float64)
    for start in range(0, vectors.shape[1], 65_536):
        block = vectors[:, start:start + 65_536].double()
        total += block @ block.t()
    return total.float()
