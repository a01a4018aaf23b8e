"""Cluster-proportional selection on embeddings, as COINCIDE states it (Lee, Li and Hwang, 2024).

N rows, W width, C clusters. The paper clusters hidden states of several layers of a small model into 10 000 groups for
665 k rows; here: the last hidden states, about one cluster per `PER_CLUSTER` rows.
"""

import numpy as np

from cadc.curation.budgets import allocate

PER_CLUSTER = 50
TEMPERATURE = 0.1
"""τ of COINCIDE: shares ∝ exp(S / (τ · D))."""
PAIRS = 512
"""Density and coverage of a larger cluster are measured on so many of its rows."""


def coincide(rows: np.ndarray, allowed: np.ndarray, budget: int, seed: int) -> np.ndarray:
    """Positions of `budget` allowed rows: int64.

    rows: float [N, W], unit norm. Shares of the clusters ∝ exp(S_i / (τ · D_i)), S_i (transferability) the mean cosine
    of a centroid with the others, D_i (density) the mean Gaussian kernel between rows of the cluster; inside a cluster
    rows are taken greedily so that their kernel mean stays nearest to the cluster's (maximum mean discrepancy).
    """
    from sklearn.cluster import MiniBatchKMeans

    candidates = np.flatnonzero(allowed)
    count = max(2, min(len(candidates) // PER_CLUSTER, len(candidates)))
    if len(candidates) <= max(budget, 2):
        return candidates[:budget]
    found = MiniBatchKMeans(count, random_state=seed, n_init=1, batch_size=4096).fit(rows[candidates])
    members = [candidates[found.labels_ == c] for c in range(count)]
    members = [own for own in members if len(own)]
    centres = np.stack([rows[own].mean(0) for own in members])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    similar = centres @ centres.T
    transfer = (similar.sum(1) - np.diag(similar)) / max(len(members) - 1, 1)
    rng = np.random.default_rng([seed, 74])
    density = np.array([_density(rows[_some(own, rng)]) for own in members])
    exponent = transfer / (TEMPERATURE * np.maximum(density, 1e-6))
    share = np.exp(exponent - exponent.max())
    # A share that underflows would never get a row, not even where all others are used up.
    share = np.maximum(share / share.sum(), 1e-9)
    wanted = allocate(budget, share, np.array([len(own) for own in members]))
    return np.concatenate([own[_herd(rows[own], int(n))] for own, n in zip(members, wanted, strict=True)])


def _some(own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return own if len(own) <= PAIRS else rng.choice(own, PAIRS, replace=False)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """exp(−‖a − b‖²) of unit-norm rows: float [n, m]."""
    return np.exp(2 * np.minimum(a @ b.T, 1.0) - 2)


def _density(own: np.ndarray) -> float:
    """Mean kernel over pairs of different rows; 1 for a single row."""
    n = len(own)
    return float((_kernel(own, own).sum() - n) / (n * (n - 1))) if n > 1 else 1.0


def _herd(own: np.ndarray, wanted: int) -> np.ndarray:
    """Places of `wanted` rows whose kernel mean follows the cluster's, greedily: int64 [wanted]."""
    if wanted >= len(own):
        return np.arange(len(own))
    mean = np.zeros(len(own))
    for start in range(0, len(own), 1024):
        mean[start:start + 1024] = _kernel(own[start:start + 1024], own).mean(1)
    taken, near = np.zeros(wanted, np.int64), np.zeros(len(own))
    free = np.ones(len(own), bool)
    for step in range(wanted):
        gain = np.where(free, mean - near / (step + 1), -np.inf)
        taken[step] = int(gain.argmax())
        free[taken[step]] = False
        near += _kernel(own, own[taken[step]:taken[step] + 1])[:, 0]
    return taken
