"""In which order the chosen rows are trained on (CADC §5, METHOD §5). Every chosen row appears exactly once."""

from collections.abc import Sequence

import numpy as np

from cadc.curation.settings import CurationSettings


def earliness(self_mean: np.ndarray) -> np.ndarray:
    """Weighted mean time of the decrease of mean self-influence: float64 [K]; small means early (METHOD §5).

    self_mean: [K, T]. With the decrease δ_t = max(m_{t-1} − m_t, 0) at checkpoint t = 2 … T, it is Σ t δ_t / Σ δ_t;
    infinite where nothing decreases (or the pool is empty), so such a capability comes last.
    """
    self_mean = np.asarray(self_mean, np.float64)
    drop = np.maximum(self_mean[:, :-1] - self_mean[:, 1:], 0)
    time = np.arange(2, self_mean.shape[1] + 1)
    total = drop.sum(1)
    return np.divide((drop * time).sum(1), total, out=np.full(len(self_mean), np.inf), where=total > 0)


def stage_order(self_mean: np.ndarray, ids: tuple[str, ...], typed: tuple[str, ...]) -> list[int]:
    """Positions of the capabilities in stage order. Typed ids come first, as typed (gone ones are ignored); the
    others follow by `earliness`, ties by lower final self-influence, then by position (METHOD §5)."""
    known = np.asarray(self_mean).shape[1] > 0  # without checkpoints no capability is earlier than another
    final = np.nan_to_num(np.asarray(self_mean, np.float64)[:, -1], nan=np.inf) if known else np.zeros(len(ids))
    early = earliness(self_mean)
    by_hand = list(dict.fromkeys(ids.index(c) for c in typed if c in ids))
    rest = sorted(set(range(len(ids))) - set(by_hand), key=lambda k: (early[k], final[k], k))
    return by_hand + rest


def inside_order(positions: np.ndarray, difficulty: np.ndarray, influence: np.ndarray, inside: str,
                 rng: np.random.Generator) -> np.ndarray:
    """Rows of one capability in the order of a stage: `easy-first` (ascending difficulty = Σ_t Inf^Self),
    `influence-first` or `random`; ties to the earlier row. difficulty, influence: one value per position. Returns
    indices into `positions`."""
    if inside == "random":
        return rng.permutation(len(positions))
    key = difficulty if inside == "easy-first" else -influence
    return np.lexsort((positions, key))


def sequence(chosen: list[np.ndarray], order: list[int], settings: CurationSettings) -> tuple[np.ndarray, np.ndarray]:
    """Put the rows of each capability (already in inside order) into stages: (rows, stages), both int64 [n], stages
    from 1.

    `hard`: stage i holds the rows of the i-th capability. `soft`: of the i-th capability a share r is kept back,
    evenly picked over its order, and dealt in equal parts to the later stages: the mixture shifts and earlier
    capabilities are replayed, but by rows not seen before, so the budget stays the budget and no row is used twice.
    The last capability keeps nothing back. Within a stage the capabilities are interleaved by relative place, since
    their scales of difficulty differ. `mix`: all rows in one random order, one stage.
    """
    count = len(order)
    if settings.staging == "mix":
        rows = np.concatenate([*(chosen[k] for k in order), np.empty(0, np.int64)]).astype(np.int64)
        return mixed_order(rows, settings.seed), np.ones(len(rows), np.int64)
    parts: list[list[np.ndarray]] = [[] for _ in order]
    for i, k in enumerate(order):
        rows, later = chosen[k], count - 1 - i
        share = 0.0 if settings.staging == "hard" or later == 0 else settings.replay
        back = _evenly(len(rows), int(share * len(rows) + 0.5))
        parts[i].append(rows[~back])
        kept_back = rows[back]
        for step in range(later):
            parts[i + 1 + step].append(kept_back[step::later])
    stages = [np.concatenate(pieces)[evenly_merged([len(piece) for piece in pieces])] for pieces in parts]
    rows = np.concatenate([*stages, np.empty(0, np.int64)]).astype(np.int64)
    return rows, np.repeat(np.arange(1, count + 1), [len(s) for s in stages])


def mixed_order(rows: np.ndarray, seed: int) -> np.ndarray:
    """The order in which `mix` puts rows int64 [n], whatever order they come in: one draw for each seed."""
    return np.random.default_rng([seed, 5]).permutation(np.sort(rows))


def _evenly(total: int, marked: int) -> np.ndarray:
    """A mask with `marked` of `total` places set, spread evenly."""
    places = np.arange(total + 1) * marked // max(total, 1)
    return np.diff(places) > 0


def evenly_merged(sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    """The order that merges pieces of these sizes, laid end to end, so that each keeps its own order and is spread
    evenly over the whole: int64 [Σ sizes]. Of equal places the earlier piece comes first."""
    return np.argsort(np.concatenate([np.empty(0), *((np.arange(n) + 0.5) / n for n in sizes if n)]), kind="stable")
