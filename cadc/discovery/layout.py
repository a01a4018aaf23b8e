"""Where the target units lie on the map: UMAP with metric 1 − S (METHOD §3), classical scaling for a handful of
units."""

import logging
import warnings

import numpy as np

from cadc.discovery.similarity import distances

log = logging.getLogger(__name__)

UMAP_UNITS = 8
"""With fewer units than this UMAP's neighbour graph means nothing (and its start fails): classical MDS instead."""


def layout_method(units: int) -> str:
    """What draws the map of this many units: `umap`, or `mds` (exact distances as far as a plane can hold them)."""
    return "umap" if units >= UMAP_UNITS else "mds"


def layout(similar: np.ndarray, seed: int = 0, method: str = "") -> np.ndarray:
    """Map positions float64 [M, 2], centred. `method`: `umap`, `mds`, or '' for `layout_method(M)`. Same seed, same
    map."""
    chosen = method or layout_method(len(similar))
    if chosen == "umap" and len(similar) < UMAP_UNITS:
        log.warning("map of %d units: classical MDS instead of UMAP", len(similar))
        chosen = "mds"
    spots = embedding(similar, seed) if chosen == "umap" else classical_mds(distances(similar))
    return spots - spots.mean(0)


def embedding(similar: np.ndarray, seed: int = 0) -> np.ndarray:
    """The UMAP embedding float64 [M, 2] that both the map and HDBSCAN use (classical MDS below 8 units)."""
    if len(similar) < UMAP_UNITS:
        return classical_mds(distances(similar))
    import umap

    with warnings.catch_warnings():
        # umap warns that a seed costs parallelism and that a precomputed metric cannot be inverted: both are intended.
        warnings.simplefilter("ignore")
        # A random start: the spectral one breaks on disconnected neighbour graphs, which distinct capabilities give.
        reducer = umap.UMAP(n_components=2, n_neighbors=min(15, len(similar) - 1), min_dist=0.1, metric="precomputed",
                            init="random", random_state=seed, n_jobs=1)
        return reducer.fit_transform(distances(similar)).astype(np.float64)


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
