"""Where the target units lie on the map, by distances 1 − S (METHOD §3): t-SNE, for a handful classical scaling."""

import warnings
from typing import Any

import numpy as np

from cadc.discovery.similarity import distances

FEW = 8
"""With fewer units than this neighbours mean nothing (and UMAP's start fails): classical scaling instead."""

MANY, STEPS = 100, 500
"""From so many units on t-SNE goes by Barnes and Hut, in so many steps: a thousand units take 1.5 s, not 12, and lie as
well (docs/decisions/0041)."""

PERPLEXITY = 15
"""Neighbours that t-SNE looks at, at most; a third of the units where there are fewer."""


def layout_method(units: int) -> str:
    """What draws the map of this many units: `tsne`, or `mds` (distances as far as a plane holds them)."""
    return "tsne" if units >= FEW else "mds"


def layout(similar: np.ndarray, seed: int = 0) -> np.ndarray:
    """Map positions float64 [M, 2], centred, by `layout_method(M)`. Same seed, same map."""
    far = distances(similar)
    spots = neighbours(far, seed) if layout_method(len(far)) == "tsne" else classical_mds(far)
    return spots - spots.mean(0)


def embedding(similar: np.ndarray, seed: int = 0) -> np.ndarray:
    """The UMAP embedding float64 [M, 2] that HDBSCAN groups (classical MDS below 8 units). No map waits for it: the
    first one compiles itself for half a minute."""
    if len(similar) < FEW:
        return classical_mds(distances(similar))
    import umap

    with warnings.catch_warnings():
        # umap warns that a seed costs parallelism and that a precomputed metric cannot be inverted: both are intended.
        warnings.simplefilter("ignore")
        # A random start: the spectral one breaks on disconnected neighbour graphs, which distinct capabilities give.
        reducer = umap.UMAP(n_components=2, n_neighbors=min(15, len(similar) - 1), min_dist=0.1, metric="precomputed",
                            init="random", random_state=seed, n_jobs=1)
        return reducer.fit_transform(distances(similar)).astype(np.float64)


def neighbours(far: np.ndarray, seed: int = 0) -> np.ndarray:
    """The t-SNE embedding float64 [M, 2] of distances [M, M], begun from classical scaling: the same map for the same
    distances."""
    from sklearn.manifold import TSNE

    start = classical_mds(far)
    start *= 1e-4 / (start[:, 0].std() or 1.0)
    way: dict[str, Any] = {"method": "barnes_hut", "max_iter": STEPS} if len(far) >= MANY else {"method": "exact"}
    found = TSNE(perplexity=min(PERPLEXITY, (len(far) - 1) / 3), metric="precomputed", init=start,
                 learning_rate="auto", random_state=seed, **way).fit_transform(far)
    return found.astype(np.float64)


def classical_mds(far: np.ndarray) -> np.ndarray:
    """Torgerson scaling of distances [M, M] to float64 [M, 2]; M = 1 and 2 have exact answers."""
    units = len(far)
    centre = np.eye(units) - 1.0 / units
    values, vectors = np.linalg.eigh(-0.5 * centre @ far**2 @ centre)
    top = np.argsort(-values, kind="stable")[:2]
    spots = vectors[:, top] * np.sqrt(np.maximum(values[top], 0))
    # eigh leaves signs open: let the largest entry of each axis be positive, so that the map does not flip.
    signs = np.sign(spots[np.abs(spots).argmax(0), np.arange(spots.shape[1])])
    spots = spots * np.where(signs == 0, 1, signs)
    return np.pad(spots, ((0, 0), (0, 2 - spots.shape[1])))
