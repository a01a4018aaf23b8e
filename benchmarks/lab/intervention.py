"""The intervention test: what training on one target unit does to every other (METHOD §3).

M target units. From one checkpoint θ_t, train a few LoRA steps on half of the samples of unit s alone, and record the
drop in loss on the other half of every unit s'. M short runs on target data only; no pool, no gradient vectors.
`transfer.py` judges the result.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.indices import FeedRow
from cadc.errors import DataError, JobError
from cadc.study import Study
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    import torch

    from cadc.data.sample import Sample
    from cadc.models import Vlm
    from cadc.training.prefix_cache import PrefixCache

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """How the intervention is made; the same for every unit."""

    checkpoint: int = 1
    """θ_t to start from, 1 … T; 0 is the untrained adapter, the base itself."""
    steps: int = 8
    """Optimiser steps on the training half of one unit."""
    batch: int = 16
    """Samples per step, drawn from the training half in seeded passes (all of them when there are fewer)."""
    learning_rate: float = 1e-3
    """Constant AdamW rate: gentler than the warm-up's, at which the few samples of one unit overfit in a dozen steps
    and even its own held-out loss rises."""
    samples: int = 64
    """At most this many samples of a unit are used, half to train and half to measure."""
    measured: int = 32
    """The measured half is no larger than this; what it does not need is trained on."""
    repeats: int = 2
    """Runs per unit with other halves and batches; drops are averaged."""
    seed: int = 0
    """Seeds halves and batches."""

    def __post_init__(self) -> None:
        checks = {"checkpoint": self.checkpoint >= 0, "learning_rate": 0 < self.learning_rate < 1,
                  "samples": self.samples >= 2}
        checks |= {name: getattr(self, name) >= 1 for name in ("steps", "batch", "repeats", "measured")}
        for name, ok in checks.items():
            if not ok:
                raise DataError(f"transfer setting {name}={getattr(self, name)!r} is not allowed. "
                                "See docs/evaluation.md for what it means.")


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Measured transfer between target units."""

    units: tuple[str, ...]
    """M names."""
    drop: np.ndarray
    """float64 [M, M]: held-out loss of s' before minus after training on s (rows s, columns s')."""
    before: np.ndarray
    """float64 [M]: held-out loss before."""
    settings: TransferSettings

    @property
    def matrix(self) -> np.ndarray:
        """Tr float64 [M, M]: drop relative to the drop of s' trained on itself, diagonal 1; see `relative`."""
        return relative(self.drop)


FLOOR = 0.02
"""A unit whose own training lowers its held-out loss by less (nats per token) gives no scale: its column is nan."""


def relative(drop: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    """Tr [M, M] from drops [M, M]: each column divided by its diagonal; nan where the diagonal is below `floor`."""
    own = np.diag(drop)
    usable = own >= floor
    return np.where(usable, drop / np.where(usable, own, 1.0), np.nan)


def measure_transfer(study: Study, settings: TransferSettings | None = None,
                     progress: Progress | None = None) -> Transfer:
    """Run the intervention for every unit of a study whose warm-up is finished.

    A unit with one sample trains and is measured on that sample. Raises JobError when a checkpoint is missing or no
    sample can be used, Cancelled when `progress` says so.
    """
    from cadc.models import load_adapter_state, open_vlm
    from cadc.models.feed import Feed
    from cadc.training.loop import train
    from cadc.training.prefix_cache import PrefixCache

    settings, progress, config = settings or TransferSettings(), progress or Silent(), study.config
    vlm = open_vlm(config)
    start = _start(study, vlm, settings.checkpoint)
    feed = Feed(study, "target", vlm)
    prefixes = PrefixCache(vlm, feed.encode)
    units = _unit_rows(feed.samples, prefixes.usable(map(FeedRow, range(len(feed)))))
    names = tuple(units)
    progress.start(len(names) * settings.repeats, unit="units")
    drop, before = np.zeros((len(names), len(names))), np.zeros(len(names))
    for repeat in range(settings.repeats):
        halves = [_halves(units[name], settings, number, repeat) for number, name in enumerate(names)]
        held = [rows for _, rows in halves]
        load_adapter_state(vlm, start)
        base = _means(vlm, prefixes, held)
        before += base / settings.repeats
        for number, (rows, _) in enumerate(halves):
            load_adapter_state(vlm, start)
            batches = _batches(rows, settings, number, repeat)
            *_, last = train(vlm, prefixes, batches, [settings.learning_rate] * settings.steps)
            drop[number] += (base - _means(vlm, prefixes, held)) / settings.repeats
            progress.step(1, loss=last)
    log.info("transfer between %d units measured from checkpoint %d", len(names), settings.checkpoint)
    return Transfer(units=names, drop=drop, before=before, settings=settings)


def _means(vlm: "Vlm", prefixes: "PrefixCache[FeedRow]", groups: list[list[FeedRow]]) -> np.ndarray:
    """float64 [len(groups)]: mean loss of each group of rows under the current adapter."""
    from cadc.training.loop import losses

    each = losses(vlm, prefixes, [row for rows in groups for row in rows]).double().numpy()
    ends = np.cumsum([len(rows) for rows in groups])[:-1]
    return np.array([part.mean() for part in np.split(each, ends)])


def _start(study: Study, vlm: "Vlm", checkpoint: int) -> "dict[str, torch.Tensor]":
    """The adapter to start from."""
    from safetensors.torch import load_file

    from cadc.models import adapter_state
    from cadc.training.warmup import checkpoint_file

    if checkpoint == 0:
        return adapter_state(vlm)
    path = checkpoint_file(study, checkpoint)
    if not path.exists():
        raise JobError(f"study {study.name!r} has no checkpoint {checkpoint} (it has {study.config.checkpoints}). "
                       f"Run its warm-up first (`python -m cadc run {study.name} --until warmup`).")
    state = load_file(path)
    return {name: state[name] for name in adapter_state(vlm)}


def _unit_rows(samples: "list[Sample]", usable: list[FeedRow]) -> dict[str, list[FeedRow]]:
    """Usable rows of each unit, units in order of first appearance (as the scores have them)."""
    units: dict[str, list[FeedRow]] = {}
    for row in usable:
        units.setdefault(samples[row].unit or samples[row].id, []).append(row)
    if not units:
        raise JobError("no target sample can be encoded. See the Data page.")
    return units


def _halves(rows: list[FeedRow], settings: TransferSettings, number: int, repeat: int
            ) -> tuple[list[FeedRow], list[FeedRow]]:
    """Seeded halves of a unit: rows to train on, rows to measure on (at most `measured`)."""
    order = np.random.default_rng([settings.seed, 51, repeat, number]).permutation(rows)[:settings.samples].tolist()
    middle = max(1, len(order) // 2, len(order) - settings.measured)
    return order[:middle], order[middle:] or order[:middle]


def _batches(rows: list[FeedRow], settings: TransferSettings, number: int, repeat: int) -> list[list[FeedRow]]:
    """`steps` batches out of seeded passes over the training half."""
    rng = np.random.default_rng([settings.seed, 52, repeat, number])
    size = min(settings.batch, len(rows))
    passes = -(-settings.steps * size // len(rows))
    flat = np.concatenate([rng.permutation(rows) for _ in range(passes)])[:settings.steps * size]
    return flat.reshape(settings.steps, size).tolist()
