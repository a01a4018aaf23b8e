"""Nearness to single target samples by other signals than gradients, in the form of `Scores`: so words, embeddings and
sums of signals choose in the same rounds, behind the same filters, and differ from `studio` in the signal alone.

METHOD §4. N pool rows, S single target samples, M units, F features.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cadc.arrays import top_mean
from cadc.scores.scores import Scores

CHUNK = 2048
"""Pool rows looked at together: a block of similarities is CHUNK × S float32."""


@dataclass(frozen=True)
class Signal:
    """How near pool rows are to single target samples."""

    rows: int
    block: Callable[[int, int], np.ndarray]
    """block(start, stop) → float32 [stop − start, S]: similarities of these pool rows with every target sample."""

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, block) over the pool."""
        for start in range(0, self.rows, CHUNK):
            yield start, self.block(start, min(start + CHUNK, self.rows))


def cosine_signal(pool: Any, target: Any) -> Signal:
    """Inner products of unit-norm features, pool [N, F] and target [S, F], dense or sparse."""
    def block(start: int, stop: int) -> np.ndarray:
        found = pool[start:stop] @ target.T
        return np.asarray(found.todense() if hasattr(found, "todense") else found, np.float32)

    return Signal(pool.shape[0], block)


def gradient_signal(scores: Scores) -> Signal:
    """near(z, s) of gradients for every target sample of s: what is kept of gradients for *every* pool row. A target
    sample's own Inf(z, z') is kept for its best rows only, so here all samples of a unit share its column."""
    of = np.asarray(scores.sample_unit)

    def block(start: int, stop: int) -> np.ndarray:
        return np.asarray(scores.near[:, start:stop]).T[:, of]

    return Signal(scores.near.shape[1], block)


def standardised(signal: Signal, weight: float = 1.0) -> Signal:
    """Each target sample's column with mean 0 and standard deviation `weight` over the pool (0 where constant)."""
    total = square = 0.0
    for _, found in signal.blocks():
        wide = found.astype(np.float64)
        total, square = total + wide.sum(0), square + (wide**2).sum(0)
    mean = total / signal.rows
    spread = np.sqrt(np.maximum(square / signal.rows - mean**2, 0.0))
    scale = np.divide(weight, spread, out=np.zeros_like(spread), where=spread > 1e-9 * (np.abs(mean) + 1e-9))

    def block(start: int, stop: int) -> np.ndarray:
        return ((signal.block(start, stop) - mean) * scale).astype(np.float32)

    return Signal(signal.rows, block)


def summed(*signals: Signal) -> Signal:
    """The sum of signals; standardise them first, for their scales differ."""
    return Signal(signals[0].rows, lambda start, stop: sum(one.block(start, stop) for one in signals))


def with_signal(scores: Scores, signal: Signal, *, q: int) -> Scores:
    """The same scores with near(z, s), its winner and each target sample's best rows by another signal (METHOD §4).

    near(z, s) is the mean of the q largest similarities with samples of s; as many best rows are kept as before.
    """
    of, units = np.asarray(scores.sample_unit), len(scores.units)
    keep = min(scores.best_index.shape[1], signal.rows)
    near, winner = np.zeros((units, signal.rows), np.float32), np.zeros((units, signal.rows), np.int32)
    best = np.empty((len(of), 0), np.float32)
    place = np.empty((len(of), 0), np.int64)
    for start, found in signal.blocks():
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
    return replace(scores, near=near, winner=winner, best_index=place.astype(np.int32), best_value=best)


def word_features(pool: list[str], target: list[str]) -> tuple[Any, Any]:
    """TF-IDF rows (unit norm) of pool and target texts, fitted on both: sparse [N, F], [S, F]."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True, dtype=np.float32)
    try:
        rows = vectors.fit_transform([*pool, *target])
    except ValueError:  # no word anywhere: every row is as near as any other
        rows = csr_matrix((len(pool) + len(target), 1), dtype=np.float32)
    return rows[:len(pool)].tocsr(), rows[len(pool):].tocsr()


def centred(pool: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings minus the pool's mean, unit norm: raw ones all point the same way and their cosines say little."""
    mean = pool.mean(axis=0)
    return tuple((rows - mean) / np.maximum(np.linalg.norm(rows - mean, axis=1, keepdims=True), 1e-12)
                 for rows in (pool, target))
