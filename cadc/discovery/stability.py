"""How far the capabilities are a matter of which target samples happened to be drawn (METHOD §3)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadc.discovery.partition import Partition, apart
from cadc.discovery.similarity import similarity, unit_gram
from cadc.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Stability:
    """Agreement of reclustered bootstrap samples with the partition of all samples."""

    mean_ari: float
    """Mean adjusted Rand index over the rounds."""
    aris: tuple[float, ...]
    """One per round."""
    ks: tuple[int, ...]
    """K in each round."""


def stability(sample_gram: np.ndarray, sample_unit: np.ndarray, eta: np.ndarray,
              method: Callable[[np.ndarray], Partition], rounds: int = 20, seed: int = 0) -> Stability:
    """Bootstrap the target samples inside each unit, recluster, compare (METHOD §3).

    sample_gram: [T, S, S] cosines of single target gradients; sample_unit: int [S]; method: similarity [M, M] →
    Partition, for example `lambda S: leiden(S, tau, gamma)`. Every sample counts with unit norm, so a unit mean here
    is the mean of directions, and its Gram matrix follows from block sums of the cosines (`unit_gram`): no gradient
    is read again. The reference is the partition of the same means without resampling. An unassigned unit counts as a
    community of its own. Raises DataError when there is no sample or fewer than one round.
    """
    from sklearn.metrics import adjusted_rand_score

    sample_unit = np.asarray(sample_unit)
    if len(sample_unit) == 0 or rounds < 1:
        raise DataError("stability needs target samples and at least one round.")
    units = int(sample_unit.max()) + 1
    size = np.bincount(sample_unit, minlength=units)
    share = 1.0 / size[sample_unit]  # [S]

    def recluster(weight: np.ndarray) -> np.ndarray:
        return apart(method(similarity(unit_gram(sample_gram, sample_unit, weight, units), eta)).labels)

    reference = recluster(share)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(sample_unit == unit) for unit in range(units)]
    aris, ks = [], []
    for _ in range(rounds):
        drawn = np.concatenate([rng.choice(m, len(m)) for m in members if len(m)])
        labels = recluster(np.bincount(drawn, minlength=len(sample_unit)) * share)
        aris.append(float(adjusted_rand_score(reference, labels)))
        ks.append(int((np.bincount(labels) > 1).sum()))
    return Stability(mean_ari=float(np.mean(aris)), aris=tuple(aris), ks=tuple(ks))
