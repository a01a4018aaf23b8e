"""Rows that are the same to a model, with the same pictures and the same turns: computed once, and so with one result
to the last bit."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from cadc.data.indices import FeedRow
from cadc.data.sample import Sample
from cadc.errors import DataError

if TYPE_CHECKING:
    from cadc.models.feed import Feed


class Copies:
    """Rows of a feed, of each several the first, and which others it stands for."""

    def __init__(self, samples: Sequence[Sample], rows: Sequence[FeedRow]) -> None:
        found: dict[tuple[object, object], list[FeedRow]] = {}
        for row in rows:
            found.setdefault((samples[row].images, samples[row].turns), []).append(row)
        self._of = {own[0]: own for own in found.values()}

    @property
    def firsts(self) -> list[FeedRow]:
        """What has to be computed, in the order of the rows given."""
        return list(self._of)

    def all_of(self, part: Sequence[FeedRow]) -> list[FeedRow]:
        """Rows that some of `firsts` stand for, each followed by its copies."""
        return [row for first in part for row in self._of[first]]

    def spread(self, part: Sequence[FeedRow], found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Tensors [len(part), …] of some of `firsts` → those of `all_of` them."""
        place = torch.tensor([place for place, first in enumerate(part) for _ in self._of[first]], dtype=torch.int64)
        return {key: value[place] for key, value in found.items()}

    def fail(self, failed: dict[FeedRow, str], feed: "Feed") -> None:
        """Give copies of failed rows their reasons: their own where they cannot be encoded, it may name the sample."""
        for first in [row for row in failed if row in self._of]:
            for row in self._of[first][1:]:
                try:
                    feed.encode(row)
                except DataError as error:
                    failed[row] = str(error)
                else:
                    failed[row] = failed[first]
