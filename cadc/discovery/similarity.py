"""Similarity of target units' learning trajectories, from Gram matrices alone (METHOD §3).

T checkpoints, M target units, S single target samples.
"""

import numpy as np

from cadc.errors import DataError


def similarity(gram: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """S(s, s') = Σ_t η_t cos(ḡ_t(s), ḡ_t(s')) / Σ_t η_t (METHOD §3).

    gram: [T, M, M], ⟨ḡ_t(s), ḡ_t(s')⟩; eta: [T], mean learning rate of each interval. Returns float64 [M, M],
    symmetric, in [-1, 1], diagonal 1. A unit whose gradient vanishes at t is similar to nothing there (cosine 0).
    Raises DataError when the shapes do not fit or η is not positive.
    """
    gram, eta = np.asarray(gram, np.float64), np.asarray(eta, np.float64)
    if gram.ndim != 3 or gram.shape[1] != gram.shape[2] or eta.shape != gram.shape[:1]:
        raise DataError(
            f"Gram matrices {gram.shape} and learning rates {eta.shape} do not fit: expected [T, M, M] and [T]."
        )
    if not (eta >= 0).all() or eta.sum() <= 0:
        raise DataError(f"learning rates {eta.tolist()} must not be negative and not all zero.")
    norm = np.sqrt(np.maximum(np.einsum("tmm->tm", gram), 0))  # [T, M]
    scale = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    cosine = gram * scale[:, :, None] * scale[:, None, :]
    mean = np.einsum("t,tab->ab", eta / eta.sum(), cosine)
    mean = np.clip((mean + mean.T) / 2, -1, 1)
    np.fill_diagonal(mean, 1.0)
    return mean


def distances(similar: np.ndarray) -> np.ndarray:
    """The metric of the map, 1 − S (METHOD §3): float64 [M, M], symmetric, ≥ 0, zero diagonal."""
    far = np.clip(1.0 - np.asarray(similar, np.float64), 0, 2)
    far = (far + far.T) / 2
    np.fill_diagonal(far, 0.0)
    return far


def unit_gram(sample_gram: np.ndarray, sample_unit: np.ndarray, weight: np.ndarray, units: int) -> np.ndarray:
    """Gram matrices of weighted unit means of unit-norm sample gradients, from block sums.

    With ĝ_t(z) the normalised gradient of a single sample and ḡ_t(s) = Σ_{z∈s} w_z ĝ_t(z), ⟨ḡ_t(s), ḡ_t(s')⟩ is the
    weighted sum of the block (s, s') of the cosines. So resampling the samples of a unit needs no gradient, only new
    weights. sample_gram: [T, S, S]; sample_unit: int [S]; weight: [S]. Returns float64 [T, M, M].
    """
    from scipy.sparse import csr_array

    samples = len(sample_unit)
    spread = csr_array(
        (np.asarray(weight, np.float64), (np.asarray(sample_unit), np.arange(samples))), (units, samples)
    )
    return np.stack([spread @ (spread @ block).T for block in sample_gram])
