"""Cheap rivals of gradient influence, scored by the same rule: words (TF-IDF) and embeddings of the untrained base.

N pool rows, S single target samples, M units. near(z, s) is the mean of the q largest cosines with samples of s, as for
gradients.
"""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cadc import arrays
from cadc.arrays import top_mean

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Features: TypeAlias = "np.ndarray | csr_array"
CHUNK = 1024


def near_columns(pool: Features, target: Features, target_unit: np.ndarray, units: int, q: int) -> np.ndarray:
    """float32 [M, N]: near(z, s) from row-normalised features, pool [N, F] and target [S, F] (dense or sparse)."""
    out = np.zeros((units, pool.shape[0]), np.float32)
    for start in range(0, pool.shape[0], CHUNK):
        block = pool[start:start + CHUNK] @ target.T
        block = np.asarray(block.todense()) if hasattr(block, "todense") else np.asarray(block)  # [n, S]
        for unit in range(units):
            out[unit, start:start + CHUNK] = top_mean(block[:, target_unit == unit], q)
    return out


def best_unit(near: np.ndarray, *, standardise: bool = True) -> np.ndarray:
    """float [N]: the largest near(z, s) over units; each unit's column z-scored over the pool first (METHOD §4)."""
    return (arrays.standardise(near, 1) if standardise else np.asarray(near, np.float64)).max(axis=0)
