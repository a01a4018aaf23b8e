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


def word_features(pool: list[str], target: list[str]):  # noqa: ANN201 - two sparse matrices
    """TF-IDF rows (unit norm) of pool and target texts (question and answer), fitted on both: sparse [N, F], [S, F]."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True)
    rows = vectors.fit_transform([*pool, *target])
    return rows[:len(pool)].tocsr(), rows[len(pool):].tocsr()


def centred(pool: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings minus the pool's mean, unit norm: raw ones all point the same way and their cosines say little."""
    mean = pool.mean(axis=0)
    return tuple((rows - mean) / np.maximum(np.linalg.norm(rows - mean, axis=1, keepdims=True), 1e-12)
                 for rows in (pool, target))


def unit_similarity(rows: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """float [M, M]: cosine of unit means of centred rows [S, F]."""
    means = np.stack([rows[unit == m].mean(axis=0) for m in range(units)])
    means = means - means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return means @ means.T
