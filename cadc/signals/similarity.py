"""Nearness to single target samples by other signals than gradients, in the form of `Scores`: so words, embeddings and
sums of signals choose in the same rounds, behind the same filters, and differ from `studio` in the signal alone.

METHOD §4. N pool rows, S single target samples, M units, F features.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cadc.arrays import top_mean
from cadc.scores.scores import Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CHUNK = 2048
"""Pool rows looked at together: a block of similarities is CHUNK × S float32."""


@dataclass(frozen=True)
class Similarity:
    """How near pool rows are to single target samples, as a signal sees it."""

    rows: int
    block: Callable[[int, int], np.ndarray]
    """block(start, stop) → float32 [stop − start, S]: similarities of these pool rows with every target sample."""
    among: Callable[[np.ndarray, int], np.ndarray]
    """among(rows, sample) → [len(rows)]: similarities of some pool rows with one target sample (0…S-1)."""

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, block) over the pool."""
        for start in range(0, self.rows, CHUNK):
            yield start, self.block(start, min(start + CHUNK, self.rows))


def cosines(pool: "np.ndarray | csr_matrix", target: "np.ndarray | csr_matrix") -> Similarity:
    """Inner products of unit-norm features, pool [N, F] and target [S, F], dense or sparse."""
    def dense(found: "np.ndarray | csr_matrix") -> np.ndarray:
        return np.asarray(found.todense() if hasattr(found, "todense") else found, np.float32)

    def among(rows: np.ndarray, sample: int) -> np.ndarray:
        if isinstance(pool, np.ndarray):
            return pool[rows] @ target[sample]
        return dense(pool[rows] @ target[[sample]].T)[:, 0]

    return Similarity(pool.shape[0], lambda start, stop: dense(pool[start:stop] @ target.T), among)


def with_similarity(scores: Scores, similarity: Similarity, *, q: int, choice: str = "") -> Scores:
    """The same scores with near(z, s), its winner and each target sample's best rows by another signal (METHOD §4).

    near(z, s) is the mean of the q largest similarities with samples of s; as many best rows are kept as before.
    choice: what the result calls its near(z, s).
    """
    of, units = np.asarray(scores.sample_unit), len(scores.units)
    keep = min(scores.best_index.shape[1], similarity.rows)
    near, winner = np.zeros((units, similarity.rows), np.float32), np.zeros((units, similarity.rows), np.int32)
    best = np.empty((len(of), 0), np.float32)
    place = np.empty((len(of), 0), np.int64)
    for start, found in similarity.blocks():
        stop = start + len(found)
        for unit in range(units):
            own = np.flatnonzero(of == unit)
            part = found[:, own]
            near[unit, start:stop] = top_mean(part, q)
            winner[unit, start:stop] = own[part.argmax(1)]
        best = np.concatenate([best, found.T], 1)  # [S, ≤ keep + CHUNK]
        place = np.concatenate([place, np.broadcast_to(np.arange(start, stop), (len(of), len(found)))], 1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :keep]  # ties: the earlier row
        best, place = np.take_along_axis(best, order, 1), np.take_along_axis(place, order, 1)
    return replace(scores, near=near, winner=winner, best_index=place.astype(np.int32), best_value=best,
                   choice=choice or scores.choice)
