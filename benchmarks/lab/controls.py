"""Similarity of target units by features of their samples. S single target samples, M units."""

import numpy as np


def unit_similarity(rows: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """float [M, M]: cosine of unit means of centred rows [S, F]."""
    means = np.stack([rows[unit == m].mean(axis=0) for m in range(units)])
    means = means - means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return means @ means.T
