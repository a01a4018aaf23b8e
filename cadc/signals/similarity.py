"""Nearness to single target samples by other signals than gradients, in the form of `Scores`: so words, embeddings and
sums of signals choose in the same rounds, behind the same filters, and differ from `studio` in the signal alone.

METHOD §4. N pool rows, S single target samples, M units, F features.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cadc.arrays import highest, top_mean
from cadc.scores.calibration import scale_of
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
    samples: np.ndarray
    """float [S, S]: the same of each target sample (rows) with every other, as if it were a pool row."""

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

    return Similarity(pool.shape[0], lambda start, stop: dense(pool[start:stop] @ target.T), among,
                      dense(target @ target.T))


def whitened(pool: np.ndarray, target: np.ndarray, ridge: float) -> Similarity:
    """Cosines in the metric that the target samples make (METHOD §4), of unit-norm features pool [N, F], target [S, F].

    They are inner products again: a row divided by its length in the metric, with a target sample that the metric has
    turned.
    """
    import torch

    from cadc.gradients.whitening import Whitening

    metric = Whitening(torch.from_numpy(np.asarray(target, np.float64) @ np.asarray(target, np.float64).T), ridge)
    inverse = metric.inverse.numpy()
    turned = ridge * (inverse @ target) / np.sqrt(metric.own.numpy())[:, None]  # [S, F]
    rows = np.empty(pool.shape, np.float32)
    for start in range(0, len(pool), CHUNK):
        part = np.asarray(pool[start:start + CHUNK], np.float64)
        shared = part @ target.T
        square = np.maximum(1 - np.einsum("bs,bs->b", shared @ inverse, shared), 1e-6)
        rows[start:start + CHUNK] = part / np.sqrt(square)[:, None]
    return replace(cosines(rows, turned.astype(np.float32)), samples=metric.left_out().numpy().astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """near(z, s) by one signal or a join, as the columns of `Scores` have it."""

    near: np.ndarray
    """float32 [M, N]: mean of the q largest similarities with samples of s."""
    winner: np.ndarray
    """int32 [M, N]: the sample with the largest."""
    best_index: np.ndarray
    """int32 [S, L]: rows of the largest similarity of each sample, highest first; -1 pads."""
    best_value: np.ndarray
    """float32 [S, L]: their similarities."""


def nearness(similarity: Similarity, sample_unit: np.ndarray, units: int, *, q: int, keep: int) -> Nearness:
    """near(z, s), its winner and each target sample's `keep` best rows, from all similarities (METHOD §4)."""
    of, keep = np.asarray(sample_unit), min(keep, similarity.rows)
    near, winner = np.zeros((units, similarity.rows), np.float32), np.zeros((units, similarity.rows), np.int32)
    best = np.empty((len(of), 0), np.float32)
    place = np.empty((len(of), 0), np.int64)
    for start, found in similarity.blocks():
        stop = start + len(found)
        for unit in range(units):
            own = np.flatnonzero(of == unit)
            if not len(own):
                continue
            part = found[:, own]
            near[unit, start:stop] = top_mean(part, q)
            winner[unit, start:stop] = own[part.argmax(1)]
        best = np.concatenate([best, found.T], 1)  # [S, ≤ keep + CHUNK]
        place = np.concatenate([place, np.broadcast_to(np.arange(start, stop), (len(of), len(found)))], 1)
        order = highest(best, keep)
        best, place = np.take_along_axis(best, order, 1), np.take_along_axis(place, order, 1)
    return Nearness(near=near, winner=winner, best_index=place.astype(np.int32), best_value=best)


def with_similarity(scores: Scores, similarity: Similarity, *, q: int, choice: str = "") -> Scores:
    """The same scores with near(z, s), its scale, winner and best rows by another signal; as many best rows are kept as
    before. choice: what the result calls its near(z, s)."""
    of = np.asarray(scores.sample_unit)
    found = nearness(similarity, of, len(scores.units), q=q, keep=scores.best_index.shape[1])
    scale = scale_of(found.near, similarity.samples, of, q)
    return replace(scores, near=found.near, winner=found.winner, best_index=found.best_index,
                   best_value=found.best_value, middle=scale.middle, own=scale.own, choice=choice or scores.choice)
