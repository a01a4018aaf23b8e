"""Capabilities as communities of target units: Leiden on the similarity graph, HDBSCAN on the map (METHOD §3)."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cadc.discovery.layout import embedding
from cadc.discovery.similarity import distances
from cadc.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A division of M target units into communities."""

    labels: np.ndarray
    """int64 [M]: 0 is the largest community (ties: the one with the earliest unit); -1 a unit left alone."""
    modularity: float
    """Newman modularity at resolution γ of the graph it was found on (HDBSCAN: of the graph of all S > 0, γ = 1)."""
    method: str
    """`leiden`, `hdbscan`, or what else made it."""
    tau: float | None = None
    """Similarity threshold τ, where there is one."""
    gamma: float | None = None
    """Leiden's resolution γ."""
    min_size: int | None = None
    """HDBSCAN's smallest community."""
    seed: int = 0
    """Seed of the method."""
    note: str = ""
    """How an automatic choice was made, or what was done where the method found nothing."""

    @property
    def k(self) -> int:
        """K, the number of communities."""
        return int(self.labels.max(initial=-1)) + 1


def ordered_labels(raw: np.ndarray) -> np.ndarray:
    """Stable names for communities: by size, largest first, then by first unit; communities of one and -1 become -1."""
    raw = np.asarray(raw)
    labels = np.full(len(raw), -1, np.int64)
    found = [np.flatnonzero(raw == value) for value in np.unique(raw[raw >= 0])]
    found = sorted((f for f in found if len(f) > 1), key=lambda f: (-len(f), f[0]))
    for label, members in enumerate(found):
        labels[members] = label
    return labels


def apart(labels: np.ndarray) -> np.ndarray:
    """Labels in which every unassigned unit (-1) is a community of its own, as agreement and modularity must see it."""
    labels = np.array(labels, np.int64)
    alone = np.flatnonzero(labels < 0)
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(len(alone))
    return labels


def modularity(similar: np.ndarray, labels: np.ndarray, tau: float = 0.0, gamma: float = 1.0) -> float:
    """Newman modularity of `labels` on the graph with edge weights S where S > max(τ, 0); 0 for a graph without
    edges."""
    weight = _edges(similar, tau)
    strength = weight.sum(1)  # [M], 2m = strength.sum()
    if strength.sum() == 0:
        return 0.0
    labels = apart(labels)
    same = labels[:, None] == labels[None, :]
    expected = gamma * np.outer(strength, strength) / strength.sum()
    return float(((weight - expected) * same).sum() / strength.sum())


def _edges(similar: np.ndarray, tau: float) -> np.ndarray:
    """Weighted adjacency [M, M]: S where S > τ, no loops. Modularity needs positive weights, so τ below 0 acts as 0."""
    similar = np.asarray(similar, np.float64)
    weight = np.where(similar > max(tau, 0.0), similar, 0.0)
    np.fill_diagonal(weight, 0.0)
    return weight


def leiden(similar: np.ndarray, tau: float, gamma: float = 1.0, seed: int = 0) -> Partition:
    """Leiden communities (modularity, resolution γ) of the graph with an edge of weight S where S > τ (CADC §3,
    METHOD §3).

    similar: float [M, M]. Deterministic for a seed. A unit without an edge, or alone in its community, is unassigned
    (-1). Raises DataError for τ outside [-1, 1] or γ ≤ 0.
    """
    import igraph
    import leidenalg

    if not -1 <= tau <= 1 or not gamma > 0:
        raise DataError(f"similarity threshold τ={tau} must lie in [-1, 1] and resolution γ={gamma} above 0.")
    weight = _edges(similar, tau)
    rows, columns = np.nonzero(np.triu(weight))
    if len(rows) == 0:
        labels = np.full(len(weight), -1, np.int64)
        return Partition(labels=labels, modularity=0.0, method="leiden", tau=tau, gamma=gamma, seed=seed)
    graph = igraph.Graph(n=len(weight), edges=np.column_stack([rows, columns]))
    found = leidenalg.find_partition(
        graph,
        leidenalg.RBConfigurationVertexPartition,
        weights=weight[rows, columns].tolist(),
        resolution_parameter=gamma,
        n_iterations=-1,
        seed=seed,
    )
    labels = ordered_labels(np.array(found.membership))
    return Partition(labels=labels, modularity=modularity(similar, labels, tau, gamma), method="leiden", tau=tau,
                     gamma=gamma, seed=seed)


def hdbscan_umap(similar: np.ndarray, min_size: int = 2, seed: int = 0) -> Partition:
    """HDBSCAN on a UMAP embedding of the distances that the map shows (1 − S, METHOD §3); noise is unassigned (-1).

    min_size: smallest community. Fewer units than that, or fewer than 3: all unassigned. Raises DataError for
    min_size < 2.
    """
    import hdbscan

    if min_size < 2:
        raise DataError(f"smallest community {min_size}: a community has at least 2 units.")
    units, raw = len(similar), np.full(len(similar), -1)
    if units >= max(min_size, 3):
        spots = embedding(similar, seed)
        raw = hdbscan.HDBSCAN(min_cluster_size=min_size, min_samples=1, algorithm="generic",
                              core_dist_n_jobs=1).fit_predict(spots.astype(np.float64))
    labels = ordered_labels(raw)
    return Partition(
        labels=labels, modularity=modularity(similar, labels), method="hdbscan", min_size=min_size, seed=seed
    )


def automatic(similar: np.ndarray, gamma: float = 1.0, seed: int = 0) -> Partition:
    """Leiden at a threshold chosen from the similarities alone, so that a first look is sensible.

    Rule: τ runs over 0 and 16 quantiles (.20 … .95; 6 above 400 units, where one Leiden takes a second) of the positive
    off-diagonal S; among the partitions that leave the fewest units alone, the one with the best mean silhouette under
    the map's metric 1 − S wins, ties to the lower τ: a unit that no capability holds gets no rows of a curriculum. Only
    partitions into two communities or more take part; where there is none, all units form one. The partition's note
    says what happened. docs/decisions/0003 compares this rule with others.
    """
    from sklearn.metrics import silhouette_score

    units, far = len(similar), distances(similar)
    values = np.asarray(similar)[np.triu_indices(units, 1)]
    values = values[values > 0]
    # Four decimals, so that a person can read a τ off, type it again and get the same map; rounded to below the
    # quantile, since an edge needs S > τ.
    steps = np.quantile(values, np.linspace(0.2, 0.95, 16 if units <= 400 else 6)) if len(values) else np.empty(0)
    taus = np.unique(np.maximum(np.ceil(np.append(steps, 0) * 1e4) / 1e4 - 1e-4, 0).round(4))
    found = [part for part in (leiden(similar, float(tau), gamma, seed) for tau in taus) if part.k >= 2]
    if found:
        alone = [int((part.labels < 0).sum()) for part in found]
        found = [part for part, lone in zip(found, alone, strict=True) if lone == min(alone)]
        merit = [silhouette_score(far, apart(part.labels), metric="precomputed") for part in found]
        best = int(np.argmax(merit))
        return replace(found[best], note=f"τ chosen automatically among {len(taus)}: fewest units left alone "
                                         f"({min(alone)}), then best mean silhouette ({merit[best]:.3f})")
    log.warning("no threshold divides the %d target units: all form one capability", units)
    return Partition(labels=np.zeros(units, np.int64), modularity=0.0, method="leiden", tau=0.0, gamma=gamma, seed=seed,
                     note="no threshold divides the target units into two or more communities: all form one capability")


def sweep(similar: np.ndarray, taus: np.ndarray, gammas: np.ndarray, seed: int = 0
          ) -> tuple[pd.DataFrame, np.ndarray]:
    """K over a grid of C settings, so that it is seen and not assumed: DataFrame(tau, gamma, k, modularity,
    unassigned), and the labels of each line, int64 [C, M]."""
    cells = [(float(tau), float(gamma)) for tau in taus for gamma in gammas]
    found = [leiden(similar, tau, gamma, seed) for tau, gamma in cells]
    rows = [(*cell, part.k, part.modularity, int((part.labels < 0).sum()))
            for cell, part in zip(cells, found, strict=True)]
    table = pd.DataFrame(rows, columns=["tau", "gamma", "k", "modularity", "unassigned"])
    return table, np.array([part.labels for part in found])
