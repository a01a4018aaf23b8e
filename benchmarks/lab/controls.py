"""Cheap rivals of gradient influence, scored by the same rule: words (TF-IDF) and embeddings of the untrained base.

N pool rows, S single target samples, M units. near(z, s) is the mean of the q largest cosines with samples of s, as for
gradients.
"""

import numpy as np

CHUNK = 1024


def near_columns(pool, target, target_unit: np.ndarray, units: int, q: int) -> np.ndarray:  # noqa: ANN001
    """float32 [M, N]: near(z, s) from row-normalised features, pool [N, F] and target [S, F] (dense or sparse)."""
    out = np.zeros((units, pool.shape[0]), np.float32)
    for start in range(0, pool.shape[0], CHUNK):
        block = pool[start:start + CHUNK] @ target.T
        block = np.asarray(block.todense()) if hasattr(block, "todense") else np.asarray(block)  # [n, S]
        for unit in range(units):
            own = block[:, target_unit == unit]
            best = min(q, own.shape[1])
            out[unit, start:start + CHUNK] = np.partition(own, own.shape[1] - best, axis=1)[:, -best:].mean(axis=1)
    return out


def best_unit(near: np.ndarray, *, standardise: bool = True) -> np.ndarray:
    """float [N]: the largest near(z, s) over units; each unit's column z-scored over the pool first (METHOD §4)."""
    near = np.asarray(near, np.float64)
    if standardise:
        spread = near.std(axis=1, keepdims=True)
        near = np.divide(near - near.mean(axis=1, keepdims=True), spread, out=np.zeros_like(near), where=spread > 0)
    return near.max(axis=0)


def unit_similarity(rows: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """float [M, M]: cosine of unit means of centred rows [S, F]."""
    means = np.stack([rows[unit == m].mean(axis=0) for m in range(units)])
    means = means - means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return means @ means.T
