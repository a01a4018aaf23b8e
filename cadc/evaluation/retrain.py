"""One retraining from the untrained base: what the comparison and the datamodelling score both do many times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.indices import FeedRow, FileIndex
from cadc.errors import JobError
from cadc.evaluation.request import RowList
from cadc.evaluation.settings import EvaluationSettings
from cadc.study import Study
from cadc.study.progress import Progress
from cadc.training.schedule import plan

if TYPE_CHECKING:
    from PIL.Image import Image

    from cadc.data.sample import Sample
    from cadc.models import Vlm
    from cadc.training.prefix_cache import PrefixCache


@dataclass(frozen=True)
class Retrainer:
    """The base model with an adapter, and kept prefixes of pool and target."""

    vlm: "Vlm"
    pool: "PrefixCache[FeedRow]"
    target: "PrefixCache[FeedRow]"
    place: dict[FileIndex, FeedRow]
    """Position in the pool file → row of `pool`."""
    samples: "list[Sample]"
    """Accepted target samples."""
    scored: list[FeedRow]
    """Their positions that are scored and can be encoded."""
    pictures: "Callable[[Sample], list[Image]]"


def open_retrainer(study: Study, scored: Sequence[int], model: str = "") -> Retrainer:
    """Load the base with an adapter, and the target samples `scored` (positions in the target file).

    model: another base than the study's, to see whether a curriculum carries over. Raises ModelError, JobError.
    """
    from dataclasses import replace

    from cadc.data import PictureLimits, open_images
    from cadc.models import open_vlm
    from cadc.models.feed import Feed
    from cadc.training.prefix_cache import PrefixCache

    vlm = open_vlm(replace(study.config, model=model) if model else study.config)
    pool, target = Feed(study, "pool", vlm), Feed(study, "target", vlm)
    prefixes = PrefixCache(vlm, target.encode)
    at = {sample.index: FeedRow(row) for row, sample in enumerate(target.samples)}
    usable = prefixes.usable([at[FileIndex(index)] for index in scored])
    if not usable:
        raise JobError("no target sample can be encoded, so there is nothing to score. See the Data page.")

    def pictures(sample: "Sample") -> "list[Image]":
        return open_images(sample, study.image_root("target"), study.ingest_images("target"),
                           PictureLimits.of(study.config))

    return Retrainer(vlm, PrefixCache(vlm, pool.encode), prefixes,
                     {s.index: FeedRow(row) for row, s in enumerate(pool.samples)}, target.samples, usable, pictures)


def retrain(retrainer: Retrainer, rows: RowList, *, steps: int, seed: int, settings: EvaluationSettings,
            progress: Progress) -> list[float]:
    """A fresh adapter trained on these rows (none: left untrained); loss of every step.

    settings: batch, learning_rate and rise. Raises Cancelled.
    """
    from cadc.training.loop import fresh_adapter, train_fresh

    if not rows["index"] or not steps:
        fresh_adapter(retrainer.vlm, seed)
        return []
    own = np.array([retrainer.place[FileIndex(index)] for index in rows["index"]])
    stages = None if rows["stages"] is None else np.array(rows["stages"])
    batches = plan(len(own), stages, steps=steps, batch=settings.batch, seed=seed, shuffled=rows["shuffled"])
    return train_fresh(retrainer.vlm, retrainer.pool, own[batches], seed=seed, learning_rate=settings.learning_rate,
                       rise=settings.rise, progress=progress)
