"""Landmarks: the share of the pool whose gradients are computed when `landmarks` < 1 (METHOD §4).

The other rows get one forward (`landmarks_pass`), from which a regression fitted on the landmarks predicts what their
gradients would have said (`landmarks_regression`, `landmarks_fill`; decision 0013).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadc.arrays import largest_remainder
from cadc.data.indices import FeedRow
from cadc.jobs.shards import Shard, cut
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.data.sample import Sample

DIRECTIONS = ("hidden", "prompt", "error", "output", "outer")
"""Features of the forward-only pass that are stored with length one; their lengths are among its `numbers`."""
MINIMUM = 256
"""A regression is never fitted on fewer rows than this (or the whole pool)."""
_STREAM = 31  # of the study's seed


@dataclass(frozen=True)
class FeatureShard(Shard):
    """One piece of the pool for the forward-only pass."""

    def file(self, study: Study) -> Path:
        """Its tensors, beside the shards of the gradients."""
        return study.shards_folder / f"features-{self.number:05d}.safetensors"


def gradient_rows(share: float, rows: int) -> int:
    """How many of `rows` pool rows get gradients."""
    return min(rows, max(MINIMUM, round(share * rows)))


def predicts(study: Study, rows: int) -> bool:
    """Whether some of the pool's `rows` rows are predicted rather than measured."""
    return gradient_rows(study.config.landmarks, rows) < rows


def chosen(study: Study, samples: Sequence["Sample"]) -> list[FeedRow]:
    """Rows whose gradients are computed, ascending: a seeded draw that follows the pool in source and length.

    Every source gets its share by largest remainder, and at least one row where there are enough for that; inside a
    source one row is drawn from each of as many equal pieces of its rows in order of length.
    """
    from cadc.models.feed import by_length

    count = gradient_rows(study.config.landmarks, len(samples))
    if count == len(samples):
        return [FeedRow(row) for row in range(count)]
    of_source: dict[str, list[FeedRow]] = {}
    for row in by_length(samples):
        of_source.setdefault(samples[row].source, []).append(row)
    names = sorted(of_source)
    rng = np.random.default_rng([study.config.seed, _STREAM])
    rows: list[FeedRow] = []
    for name, quota in zip(names, quotas([len(of_source[name]) for name in names], count), strict=True):
        if quota:
            edges = np.arange(quota + 1) * len(of_source[name]) // quota
            rows += [of_source[name][place] for place in rng.integers(edges[:-1], edges[1:]).tolist()]
    return sorted(rows)


def quotas(sizes: Sequence[int], count: int) -> list[int]:
    """`count` dealt to groups of these sizes in proportion, by largest remainder; none gets more than it has, and each
    gets at least one where `count` suffices for that."""
    size = np.asarray(sizes, np.int64)
    least = np.ones_like(size) if count >= len(size) else np.zeros_like(size)
    spare = size - least
    exact = (count - least.sum()) * spare / max(1, spare.sum())
    return (least + largest_remainder(exact, count - int(least.sum()))).tolist()


def feature_shards(study: Study, samples: Sequence["Sample"]) -> list[Shard]:
    """Shards of the forward-only pass over the whole pool, always the same; none where no row is predicted."""
    from cadc.models.feed import by_length

    if not predicts(study, len(samples)):
        return []
    pieces = cut(by_length(samples), study.config.shard_rows)
    return [FeatureShard(piece.number, piece.rows) for piece in pieces]
