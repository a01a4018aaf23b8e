"""Selection as experimental design: rows that leave the least uncertainty at the target samples (METHOD §5).

k is read as the covariance of a Gaussian process. A row z tells its answer up to noise σ², and of all open rows the one
is taken that lowers the weighted posterior variance at the target samples most,
Δ(z) = Σ_j w_j k_S(z, z'_j)² / (k_S(z, z) + σ²), S the rows taken so far. So a row's copy is worth little once it is
taken, and a target sample that is served stops pulling: no rounds and no filter of duplicates.

N rows, S target samples, R directions (at most S).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SMALL = 1e-6
"""Directions of K_TT with less than this share of its largest eigenvalue are noise."""
BLOCK = 2048
"""Rows whose gains are worked out in one product, [BLOCK, R] × [R, R]."""
LEADING = 32
"""Rows of the largest gains so far that are looked at anew together."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Rows in the span of the target samples; what k(z, z) has beyond it is the row's own, shared with no other row."""

    features: np.ndarray
    """φ(z) = K_TT^(−½) k_T(z), float [N, R]."""
    own: np.ndarray
    """k(z, z) − ‖φ(z)‖², not below 0: float [N]."""
    root: np.ndarray
    """K_TT^(½) float64 [S, R]: the target samples in the same span."""


def span(with_target: np.ndarray, target: np.ndarray, own: np.ndarray | float = 1.0) -> Span:
    """with_target: k(z, z'_j) [N, S]; target: K_TT [S, S]; own: k(z, z), [N] or one for all (cosines: 1). The result
    has the type of with_target.

    What makes K_TT no covariance (similarities left out of their metric, rounding) is left aside: its symmetric part
    counts, without directions of no or negative variance.
    """
    among = np.asarray(target, np.float64)
    values, vectors = np.linalg.eigh((among + among.T) / 2)
    there = values > SMALL * max(values.max(initial=0.0), SMALL)
    values, vectors = values[there], vectors[:, there]
    features = with_target @ (vectors / np.sqrt(values)).astype(with_target.dtype)
    rest = np.maximum(own - np.einsum("nr,nr->n", features, features), 0)
    return Span(features=features, own=rest.astype(features.dtype), root=vectors * np.sqrt(values))


def by_design(rows: Span, weight: np.ndarray, inside: np.ndarray, *, noise: float = 0.3,
              again: int = 128) -> Iterator[tuple[int, float]]:
    """(row, Δ) greedily, for every row inside (bool [N]); ties to the earlier row.

    weight: w [S]; noise: σ². Gains are lazy: a row's gain is looked at anew (O(R²)) only while it leads with what it
    was when last looked at. Gains fall as rows are taken, but for rare ones that rise (posterior variance is not
    submodular), so all are looked at anew after every `again` rows; 1 is the greedy choice to the letter.
    """
    # Turned so that W½ K½ is diagonal, with squares `pull`: Δ = Σ_r pull_r (Σφ)_r² / (φᵀ Σ φ + own + σ²), Σ the
    # posterior covariance of the R directions.
    weighted = np.sqrt(np.asarray(weight, np.float64))[:, None] * rows.root  # [S, R]
    pull, turn = np.linalg.eigh(weighted.T @ weighted)
    features, hidden = rows.features @ turn.astype(rows.features.dtype), rows.own + noise
    pull, covariance = np.maximum(pull, 0), np.eye(len(pull))
    gain, seen = np.where(inside, np.inf, -np.inf), np.full(len(features), -1)  # inf: not looked at yet

    def look(some: np.ndarray, step: int) -> None:
        now = covariance.astype(features.dtype)
        for start in range(0, len(some), BLOCK):
            block = some[start:start + BLOCK]
            left = features[block] @ now  # Σφ, [b, R]
            gain[block] = (left**2 @ pull) / (np.einsum("br,br->b", left, features[block]) + hidden[block])
        seen[some] = step

    for step in range(int(np.count_nonzero(inside))):
        if step % again == 0:
            look(np.flatnonzero(gain > -np.inf), step)
        while seen[best := int(gain.argmax())] < step:
            leading = np.argpartition(-gain, min(LEADING, len(gain)) - 1)[:LEADING]
            look(np.union1d(leading[(seen[leading] < step) & (gain[leading] > -np.inf)], best), step)
        yield best, float(gain[best])
        gain[best] = -np.inf
        left = covariance @ features[best].astype(np.float64)
        covariance -= np.outer(left, left / (float(left @ features[best]) + float(hidden[best])))
