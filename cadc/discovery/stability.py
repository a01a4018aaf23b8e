"""How far the capabilities are a matter of which target samples happened to be drawn (METHOD §3)."""

from collections.abc import Callable, Iterator, Sequence
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
    """Bootstrap the target samples inside each unit by their gradients, recluster, compare (METHOD §3).

    sample_gram: [T, S, S] cosines of single target gradients; sample_unit: int [S]; method: similarity [M, M] →
    Partition, for example `lambda S: leiden(S, tau, gamma)`. Every sample counts with unit norm, so a unit mean here
    is the mean of directions, and its Gram matrix follows from block sums of the cosines (`unit_gram`): no gradient
    is read again. Raises DataError when there is no sample or fewer than one round.
    """
    sample_unit = np.asarray(sample_unit)
    size = np.bincount(sample_unit)

    def again(drawn: np.ndarray) -> np.ndarray:
        share = np.bincount(drawn, minlength=len(sample_unit)) / size[sample_unit]
        return similarity(unit_gram(sample_gram, sample_unit, share, len(size)), eta)

    return drawn_again(sample_unit, again, method, rounds=rounds, seed=seed)


def drawn_again(unit: np.ndarray, again: Callable[[np.ndarray], np.ndarray], method: Callable[[np.ndarray], Partition],
                *, rounds: int = 20, seed: int = 0) -> Stability:
    """The same for any similarity that follows from samples. unit: int [n], of each sample; again: from drawn
    positions (0…n-1, with repeats) to the similarity [M, M].

    The reference is the partition of all samples without resampling. An unassigned unit counts as a community of its
    own. Raises DataError when there is no sample or fewer than one round.
    """
    unit = np.asarray(unit)
    found = [_labels(method, again, drawn) for drawn in _draws(unit, rounds, seed)]
    aris = _aris(_labels(method, again, np.arange(len(unit))), found)
    return Stability(mean_ari=float(np.mean(aris)), aris=tuple(aris),
                     ks=tuple(int((np.bincount(labels) > 1).sum()) for labels in found))


def over_methods(unit: np.ndarray, again: Callable[[np.ndarray], np.ndarray],
                 methods: Sequence[Callable[[np.ndarray], Partition]], *, rounds: int, seed: int = 0) -> np.ndarray:
    """Mean adjusted Rand index of `drawn_again` for several methods, float [len(methods)]; each draw is made once."""
    unit = np.asarray(unit)
    similar = [again(np.arange(len(unit))), *(again(drawn) for drawn in _draws(unit, rounds, seed))]
    found = []
    for method in methods:
        reference, *others = [apart(method(one).labels) for one in similar]
        found.append(float(np.mean(_aris(reference, others))))
    return np.array(found)


def _draws(unit: np.ndarray, rounds: int, seed: int) -> Iterator[np.ndarray]:
    """Positions of samples drawn again inside each unit, `rounds` times. Raises DataError."""
    if len(unit) == 0 or rounds < 1:
        raise DataError("stability needs target samples and at least one round.")
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(unit == one) for one in range(int(unit.max()) + 1)]
    for _ in range(rounds):
        yield np.concatenate([rng.choice(m, len(m)) for m in members if len(m)])


def _labels(method: Callable[[np.ndarray], Partition], again: Callable[[np.ndarray], np.ndarray], drawn: np.ndarray
            ) -> np.ndarray:
    return apart(method(again(drawn)).labels)


def _aris(reference: np.ndarray, others: Sequence[np.ndarray]) -> list[float]:
    from sklearn.metrics import adjusted_rand_score

    return [float(adjusted_rand_score(reference, labels)) for labels in others]
