"""The intervention test: what training on one target unit does to every other (METHOD §3).

M units. From one checkpoint θ_t, train a few LoRA steps on the samples of unit s alone, a part of them held out, and
read the losses of every unit before and after: of s itself those held out, of the others the same samples in every run.
M short runs on target data only; no pool, no gradient vectors.
`transfer.py` judges the result; `transfer_job.py` runs it as a job of a study.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.indices import FeedRow
from cadc.discovery.transfer import relative
from cadc.errors import DataError, JobError
from cadc.study import Study, StudyConfig
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    import torch

    from cadc.data.sample import Sample
    from cadc.models import Vlm

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """How the intervention is made; the same for every unit."""

    checkpoint: int = 0
    """θ_t to start from, 1 … T; 0 is the untrained adapter, the base itself."""
    steps: int = 8
    """Optimiser steps on one unit."""
    batch: int = 16
    """Samples per step, drawn from those trained on in seeded passes (all of them when there are fewer)."""
    learning_rate: float = 1e-3
    """Constant AdamW rate: gentler than the warm-up's, at which the few samples of one unit overfit in a dozen steps
    and even its own held-out loss rises."""
    samples: int = 64
    """At most this many samples of a unit are used."""
    measured: int = 32
    """Of at most this many of them the loss is read after every run; a run on their own unit holds a quarter of its
    samples out, all of them among these."""
    repeats: int = 2
    """Runs per unit; the second holds out others than the first, the third divides anew. Drops are averaged."""
    seed: int = 0
    """Seeds who is held out, and batches."""

    def __post_init__(self) -> None:
        checks = {"checkpoint": self.checkpoint >= 0, "learning_rate": 0 < self.learning_rate < 1,
                  "samples": self.samples >= 2}
        checks |= {name: getattr(self, name) >= 1 for name in ("steps", "batch", "repeats", "measured")}
        for name, ok in checks.items():
            if not ok:
                raise DataError(f"transfer setting {name}={getattr(self, name)!r} is not allowed. "
                                "See docs/evaluation.md for what it means.")

    @classmethod
    def of(cls, config: StudyConfig) -> "TransferSettings":
        """How the job of a study makes it."""
        return cls(steps=config.transfer_steps, learning_rate=GENTLER * config.learning_rate, batch=BATCH,
                   measured=MEASURED, repeats=config.transfer_repeats, samples=max(2, config.samples_per_unit),
                   seed=config.seed)

    def sizes(self, samples: int) -> tuple[int, int, int]:
        """Of a unit of so many samples: how many a run trains on, holds out, and reads the loss of."""
        used = min(self.samples, samples)
        held = min(max(1, self.measured // min(2, self.repeats)), max(1, round(used / HELD)), used // 2)
        return used - held, held, min(used, self.measured)


BATCH = 16
"""Samples per step of the job's runs."""
MEASURED = 40
"""Samples of a unit whose loss the job reads, at most."""
HELD = 4
"""Every fourth sample of a unit is held out of a run on it."""
GENTLER = 2 / 3
"""Their learning rate, by the warm-up's peak."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Measured transfer between target units. X losses: one of each measured sample in each repeat."""

    units: tuple[str, ...]
    """M names."""
    before: np.ndarray
    """float32 [X]: loss of a sample before training."""
    after: np.ndarray
    """float32 [M, X]: the same after training on unit s in the repeat of x."""
    unit: np.ndarray
    """int64 [X]: unit of the sample, 0…M-1."""
    held: np.ndarray
    """bool [X]: the run on its own unit did not train on it."""

    def drop(self, weight: np.ndarray | None = None) -> np.ndarray:
        """float64 [M, M]: loss of s' before minus after training on s (rows s, columns s'), on the diagonal of samples
        that were held out; nan for a unit without a sample. weight: float [X], how often each loss counts; once each
        without."""
        times = np.ones(len(self.unit)) if weight is None else np.asarray(weight, np.float64)
        found = np.full((len(self.units), len(self.units)), np.nan)
        change = self.before.astype(np.float64) - self.after
        for unit in range(len(self.units)):
            own = times * (self.unit == unit)
            if own.sum() > 0:
                found[:, unit] = change @ own / own.sum()
            own = own * self.held
            found[unit, unit] = change[unit] @ own / own.sum() if own.sum() > 0 else np.nan
        return found

    @property
    def matrix(self) -> np.ndarray:
        """Tr float64 [M, M]: drop relative to the drop of s' trained on itself, diagonal 1; see `relative`."""
        return relative(self.drop())

    @property
    def own(self) -> np.ndarray:
        """float64 [M]: what each unit gains from itself, nats per answer token."""
        return np.diag(self.drop()).copy()


@dataclass(frozen=True, kw_only=True)
class Start:
    """What every run starts from. n samples that can be used."""

    names: tuple[str, ...]
    """M units, those without a usable sample included."""
    rows: np.ndarray
    """int64 [n]: feed rows."""
    unit: np.ndarray
    """int64 [n]: unit of each."""
    loss: np.ndarray
    """float32 [n]: loss under the adapter that runs start from."""

    def members(self, number: int) -> list[FeedRow]:
        """Usable rows of a unit."""
        return [FeedRow(row) for row in self.rows[self.unit == number].tolist()]


class Intervention:
    """A loaded base with an adapter, and the target samples of a study."""

    def __init__(self, study: Study, settings: TransferSettings) -> None:
        """Load the base. Raises ModelError, JobError when the checkpoint to start from is missing."""
        from cadc.models import open_vlm
        from cadc.models.feed import Feed
        from cadc.training.prefix_cache import PrefixCache

        self.settings, self.vlm = settings, open_vlm(study.config)
        self._state = _start(study, self.vlm, settings.checkpoint)
        self.feed: Feed = Feed(study, "target", self.vlm)
        self._kept: PrefixCache[FeedRow] = PrefixCache(self.vlm, self.feed.encode)

    def start(self, units: dict[str, list[FeedRow]]) -> tuple[Start, dict[FeedRow, str]]:
        """The losses before, of the rows of each unit that can be used, and why others cannot.

        Raises JobError when there is none.
        """
        from cadc.data.reasons import NOT_FINITE
        from cadc.models import load_adapter_state

        usable = self._kept.usable([row for rows in units.values() for row in rows])
        failed = dict(self._kept.failed)
        load_adapter_state(self.vlm, self._state)
        loss = self._losses(usable)
        failed |= {row: f"{NOT_FINITE}: loss" for row, value in zip(usable, loss, strict=True)
                   if not np.isfinite(value)}
        fine = [place for place, row in enumerate(usable) if row not in failed]
        if not fine:
            raise JobError("no target sample can be used: " + next(iter(failed.values()), "the target is empty")
                           + " See the Data page.")
        of = {row: number for number, rows in enumerate(units.values()) for row in rows}
        rows = [usable[place] for place in fine]
        return Start(names=tuple(units), rows=np.array(rows, np.int64),
                     unit=np.array([of[row] for row in rows], np.int64), loss=loss[fine]), failed

    def run(self, start: Start, number: int, repeat: int, told: Callable[[float], None]) -> np.ndarray:
        """float32: losses of `measured_places(start, …)` after training on unit `number`.

        told: called with the loss of every step. Raises JobError where training went astray.
        """
        from cadc.models import load_adapter_state
        from cadc.training.loop import train

        settings, rows = self.settings, divided(start, self.settings, number, repeat)[0]
        load_adapter_state(self.vlm, self._state)
        rates = [settings.learning_rate] * settings.steps
        for loss in train(self.vlm, self._kept, _batches(rows, settings, number, repeat), rates):
            told(loss)
        found = self._losses([FeedRow(row) for row in start.rows[measured_places(start, settings, repeat)].tolist()])
        if odd := int((~np.isfinite(found)).sum()):
            raise JobError(f"training on the unit {start.names[number]!r} went astray: {odd:,} losses are not finite "
                           "numbers. Lower learning_rate, or choose another precision.")
        return found

    def _losses(self, rows: list[FeedRow]) -> np.ndarray:
        from cadc.training.loop import losses

        return losses(self.vlm, self._kept, rows).numpy()


def measured_places(start: Start, settings: TransferSettings, repeat: int) -> np.ndarray:
    """int64: places in `start.rows` whose losses are read in a repeat, unit by unit; the same in two repeats that
    belong together."""
    place = {row: number for number, row in enumerate(start.rows.tolist())}
    return np.array([place[row] for number in range(len(start.names))
                     for row in _order(start, settings, number, repeat)[:settings.measured]], np.int64)


def assembled(start: Start, settings: TransferSettings, runs: dict[tuple[int, int], np.ndarray]) -> Transfer:
    """What all runs found together. runs: (unit, repeat) → losses as `Intervention.run` returns them; a unit without a
    usable sample has none, and its row stays nan."""
    before, unit, after, held = [], [], [], []
    for repeat in range(settings.repeats):
        places = measured_places(start, settings, repeat)
        out = {row for number in range(len(start.names)) for row in divided(start, settings, number, repeat)[1]}
        held.append(np.array([row in out for row in start.rows[places].tolist()], bool))
        before.append(start.loss[places])
        unit.append(start.unit[places])
        nothing = np.full(len(places), np.nan, np.float32)
        after.append(np.stack([runs.get((number, repeat), nothing) for number in range(len(start.names))]))
    return Transfer(units=start.names, before=np.concatenate(before), unit=np.concatenate(unit),
                    after=np.concatenate(after, 1), held=np.concatenate(held))


def measure_transfer(study: Study, settings: TransferSettings | None = None,
                     progress: Progress | None = None) -> Transfer:
    """Run the intervention for every unit of the target in this process, keeping nothing on disk.

    A unit with one sample trains and is measured on that sample. Raises JobError when a checkpoint is missing or no
    sample can be used, Cancelled when `progress` says so.
    """
    settings, progress = settings or TransferSettings(), progress or Silent()
    one = Intervention(study, settings)
    start, _ = one.start(unit_rows(one.feed.samples, [FeedRow(row) for row in range(len(one.feed))]))
    wanted = [(number, repeat) for repeat in range(settings.repeats) for number in range(len(start.names))
              if start.members(number)]
    progress.start(len(wanted), unit="runs")
    runs = {}
    for number, repeat in wanted:
        runs[number, repeat] = one.run(start, number, repeat, lambda loss: progress.step(0, loss=loss))
        progress.step(1)
    log.info("transfer between %d units measured from checkpoint %d", len(start.names), settings.checkpoint)
    return assembled(start, settings, runs)


def _start(study: Study, vlm: "Vlm", checkpoint: int) -> "dict[str, torch.Tensor]":
    """The adapter to start from."""
    from safetensors.torch import load_file

    from cadc.models import adapter_state
    from cadc.training.warmup import checkpoint_file

    fresh = {name: value.clone() for name, value in adapter_state(vlm).items()}
    if checkpoint == 0:
        return fresh
    path = checkpoint_file(study, checkpoint)
    if not path.exists():
        raise JobError(f"study {study.name!r} has no checkpoint {checkpoint} (it has {study.config.checkpoints}). "
                       f"Run its warm-up first (`python -m cadc run {study.name} --until warmup`).")
    state = load_file(path)
    return {name: state[name] for name in fresh}


def unit_rows(samples: "list[Sample]", rows: list[FeedRow]) -> dict[str, list[FeedRow]]:
    """Rows of each unit, units in order of first appearance (as the scores have them)."""
    units: dict[str, list[FeedRow]] = {}
    for row in rows:
        units.setdefault(samples[row].unit or samples[row].id, []).append(row)
    return units


def divided(start: Start, settings: TransferSettings, number: int, repeat: int) -> tuple[list[int], list[int]]:
    """Seeded division of a unit: rows to train on, rows held out. A unit of one sample has it on both sides.

    An odd repeat holds out others than the even one before it.
    """
    order = _order(start, settings, number, repeat)
    size = settings.sizes(len(order))[1]
    out = order[repeat % 2 * size:][:size]
    return [row for row in order if row not in set(out)], out or order


def _order(start: Start, settings: TransferSettings, number: int, repeat: int) -> list[int]:
    """The rows of a unit that are used, those that are read first."""
    rng = np.random.default_rng([settings.seed, 51, repeat // 2, number])
    return rng.permutation(start.rows[start.unit == number])[:settings.samples].tolist()


def _batches(rows: list[int], settings: TransferSettings, number: int, repeat: int) -> list[list[FeedRow]]:
    """`steps` batches out of seeded passes over the rows."""
    rng = np.random.default_rng([settings.seed, 52, repeat, number])
    size = min(settings.batch, len(rows))
    passes = -(-settings.steps * size // len(rows))
    flat = np.concatenate([rng.permutation(rows) for _ in range(passes)])[:settings.steps * size]
    return [[FeedRow(row) for row in batch] for batch in flat.reshape(settings.steps, size).tolist()]
