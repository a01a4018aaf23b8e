"""Whether a similarity or a labelling agrees with measured transfer between units, and the similarity that measured
transfer is (METHOD §3, intervention test).

M units; Tr [M, M]: entry (s, s') is the loss drop on s' after training on s, relative to the drop after training on s'
itself (`cadc.discovery.intervention` measures it). Pure.
"""

import numpy as np

FLOOR = 0.02
"""A unit whose own training lowers its held-out loss by less (nats per token) gives no scale: its column is nan."""
SPREAD = 3.0
"""Standard deviations that count as similarity 1."""
TURNS = 20
"""How often rows and columns are standardised in turns; few do not, more change nothing."""


def relative(drop: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    """Tr [M, M] from drops [M, M]: each column divided by its diagonal; nan where the diagonal is below `floor`."""
    own = np.diag(drop)
    usable = own >= floor
    return np.where(usable, drop / np.where(usable, own, 1.0), np.nan)


def silent(transfer: np.ndarray) -> np.ndarray:
    """bool [M]: units whose column says nothing, since their own training did not lower their own loss."""
    return np.isnan(np.diag(transfer))


def similarity_of(drop: np.ndarray) -> np.ndarray:
    """S float64 [M, M] that a map is drawn from, of drops [M, M] (rows: trained on): symmetric, in [−1, 1], diagonal 1.

    `SPREAD` standard deviations of `standardised` drops are 1, both directions are averaged. A unit's own drop does not
    enter: where it is small or negative, relative transfer has wild outliers, while the order of those who help the
    unit still means something (decision 0030). nan (a unit without samples) counts as 0.
    """
    both = symmetric(np.clip(standardised(drop) / SPREAD, -1, 1))
    found = np.where(np.isnan(both), 0.0, both)
    np.fill_diagonal(found, 1.0)
    return found


def standardised(drop: np.ndarray) -> np.ndarray:
    """float64 [M, M]: who helps whom more than the rest do; nan on the diagonal.

    Some units learn from anything and some from nothing (columns), some teach everybody a little, answer formats for
    instance, and some harm everybody (rows): neither says who belongs together. So columns and rows are standardised
    over the other units, in turns; columns first, or a unit that learns much would decide what is much in a row.
    """
    found = np.where(np.eye(len(drop), dtype=bool), np.nan, np.asarray(drop, np.float64))
    found = _standardised(found, 0)
    for _ in range(TURNS):
        for axis in (1, 0):
            found = _standardised(found, axis)
    return found


def _standardised(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean 0 and standard deviation 1 along an axis, nan left out; 0 where all are the same."""
    counts = np.maximum((~np.isnan(values)).sum(axis, keepdims=True), 1)
    centred = values - np.nansum(values, axis, keepdims=True) / counts
    spread = np.sqrt(np.nansum(centred ** 2, axis, keepdims=True) / counts)
    return np.where(np.isnan(centred), np.nan, centred / np.where(spread > 1e-12, spread, np.inf))


def symmetric(transfer: np.ndarray) -> np.ndarray:
    """float [M, M]: mean of both directions; where one is nan, the other."""
    both = np.stack([transfer, transfer.T])
    counts = (~np.isnan(both)).sum(axis=0)
    return np.where(counts > 0, np.nansum(both, axis=0) / np.maximum(counts, 1), np.nan)


def spearman_with(similarity: np.ndarray, transfer: np.ndarray, *, rounds: int = 2000,
                  seed: int = 0) -> tuple[float, float, int]:
    """(ρ, one-sided Mantel p, pairs) of a similarity [M, M] with measured transfer [M, M] over unordered pairs."""
    from scipy.stats import rankdata

    pair, similarity = symmetric(transfer), symmetric(similarity)
    first, second = np.triu_indices(len(pair), 1)
    known = ~np.isnan(pair[first, second]) & ~np.isnan(similarity[first, second])
    if known.sum() < 3:
        return float("nan"), float("nan"), int(known.sum())
    first, second = first[known], second[known]
    wanted = _standard(rankdata(pair[first, second]))
    found = float(_standard(rankdata(similarity[first, second])) @ wanted)
    ranks = np.full(similarity.shape, np.nan)
    ranks[first, second] = ranks[second, first] = rankdata(similarity[first, second])
    rng = np.random.default_rng(seed)
    reached = 0
    for _ in range(rounds):
        order = rng.permutation(len(pair))
        shuffled = ranks[order[first], order[second]]
        shuffled = np.where(np.isnan(shuffled), np.nanmean(ranks), shuffled)
        reached += float(_standard(shuffled) @ wanted) >= found - 1e-12
    return found, (reached + 1) / (rounds + 1), int(known.sum())


def _standard(values: np.ndarray) -> np.ndarray:
    """Centred, unit norm; zeros for constant values."""
    centred = values - values.mean()
    norm = np.linalg.norm(centred)
    return centred / norm if norm > 0 else centred


def within_between(values: np.ndarray, labels: np.ndarray, *, rounds: int = 2000,
                   seed: int = 0) -> tuple[float, float, float, float]:
    """(within, between, one-sided permutation p, AUC) of pair values [M, M] for labels [M] (-1: unassigned)."""
    pair = symmetric(values)
    labels = np.asarray(labels)
    first, second = np.triu_indices(len(labels), 1)
    assigned = (labels[first] >= 0) & (labels[second] >= 0) & ~np.isnan(pair[first, second])
    first, second = first[assigned], second[assigned]
    found, own = pair[first, second], labels[first] == labels[second]
    if own.all() or not own.any():
        return (float(found[own].mean()) if own.any() else float("nan"),
                float(found[~own].mean()) if (~own).any() else float("nan"), float("nan"), float("nan"))
    gap = found[own].mean() - found[~own].mean()
    rng = np.random.default_rng(seed)
    places = np.flatnonzero(labels >= 0)
    reached = 0
    for _ in range(rounds):
        shuffled = labels.copy()
        shuffled[places] = labels[rng.permutation(places)]
        same = shuffled[first] == shuffled[second]
        reached += bool(same.any() and not same.all() and found[same].mean() - found[~same].mean() >= gap - 1e-12)
    return float(found[own].mean()), float(found[~own].mean()), (reached + 1) / (rounds + 1), auc(found, own)


def auc(values: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive's value is above a negative's, ties counted half; nan when one class is empty.

    values: float [n] without nan; positive: bool [n].
    """
    from scipy.stats import rankdata

    positive = np.asarray(positive, bool)
    hits, misses = int(positive.sum()), int((~positive).sum())
    if hits == 0 or misses == 0:
        return float("nan")
    return float((rankdata(values)[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def aligned(transfer: np.ndarray, measured: tuple[str, ...], units: tuple[str, ...]) -> np.ndarray:
    """Tr [M, M] in the order of other unit names; nan for a unit that was not measured."""
    place = {name: number for number, name in enumerate(measured)}
    found = np.full((len(units), len(units)), np.nan)
    known = [number for number, name in enumerate(units) if name in place]
    own = [place[units[number]] for number in known]
    found[np.ix_(known, known)] = transfer[np.ix_(own, own)]
    return found
