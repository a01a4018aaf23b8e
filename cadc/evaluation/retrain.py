"""One retraining from the untrained base: what the comparison and the datamodelling score both do many times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.errors import JobError
from cadc.evaluation.schedule import plan, rate
from cadc.evaluation.settings import EvaluationSettings
from cadc.progress import Progress
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.data.sample import Sample
    from cadc.training import PrefixBank
    from cadc.vlm import Vlm


@dataclass(frozen=True)
class Bench:
    """The base model with an adapter, and kept prefixes of pool and target."""

    vlm: "Vlm"
    pool: "PrefixBank"
    target: "PrefixBank"
    place: dict[int, int]
    """Position in the pool file → row of the bank."""
    samples: "list[Sample]"
    """Accepted target samples."""
    scored: list[int]
    """Their positions that are scored and can be encoded."""
    pictures: Callable[["Sample"], list[Any]]


def open_bench(study: Study, scored: Sequence[int], model: str = "") -> Bench:
    """Load the base with an adapter, and the target samples `scored` (positions in the target file).

    model: another base than the study's, to see whether a curriculum carries over. Raises ModelError, JobError.
    """
    from dataclasses import replace

    from cadc.data import open_images
    from cadc.training import PrefixBank
    from cadc.vlm import open_vlm
    from cadc.vlm.feed import Feed

    vlm = open_vlm(replace(study.config, model=model) if model else study.config)
    pool, target = Feed(study, "pool", vlm), Feed(study, "target", vlm)
    bank = PrefixBank(vlm, target.encode)
    at = {sample.index: place for place, sample in enumerate(target.samples)}
    usable = bank.usable([at[index] for index in scored])
    if not usable:
        raise JobError("no target sample can be encoded, so there is nothing to score. See the Data page.")

    def pictures(sample: "Sample") -> list[Any]:
        return open_images(sample, study.image_root("target"), study.ingest_images("target"))

    return Bench(vlm, PrefixBank(vlm, pool.encode), bank, {s.index: p for p, s in enumerate(pool.samples)},
                 target.samples, usable, pictures)


def retrain(bench: Bench, rows: Sequence[int], stages: Sequence[int] | None, *, shuffled: bool, steps: int, seed: int,
            settings: EvaluationSettings, progress: Progress) -> list[float]:
    """A fresh adapter trained on these rows (positions in the pool file; none: left untrained); loss of every step.

    stages, shuffled: as in `Chosen`; settings: batch, learning_rate and rise. Raises Cancelled.
    """
    from cadc.training import fresh_adapter

    if not len(rows) or not steps:
        fresh_adapter(bench.vlm, seed)
        return []
    own = np.array([bench.place[index] for index in rows])
    batches = plan(len(own), None if stages is None else np.array(stages), steps=steps, batch=settings.batch, seed=seed,
                   shuffled=shuffled)
    return train_batches(bench.vlm, bench.pool, own[batches], seed=seed, settings=settings, progress=progress)


def train_batches(vlm: "Vlm", bank: "PrefixBank", batches: np.ndarray, *, seed: int, settings: EvaluationSettings,
                  progress: Progress) -> list[float]:
    """A fresh adapter, one step for each line of `batches` [steps, batch] (rows of the bank); loss of every step."""
    from cadc.training import fresh_adapter, train

    fresh_adapter(vlm, seed)
    rates = [rate(step, settings.learning_rate, settings.rise) for step in range(len(batches))]
    logged = []
    for loss, now in zip(train(vlm, bank, batches.tolist(), rates), rates, strict=True):
        logged.append(round(loss, 5))
        progress.step(batches.shape[1], loss=loss, lr=now)
    return logged
