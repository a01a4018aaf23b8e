"""Influence of every pool sample on every capability, from what attribution kept (CADC §4, METHOD §4).

N pool samples, T checkpoints, M target units, K capabilities, S single target samples. Everything here is a pure
function of the scores; nothing is trained and no gradient is read. One capability is one column, and a column depends
on its members alone: so after a move only two columns are computed again, and the result is bit for bit that of a
fresh start, whatever was clicked.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from cadc.errors import DataError
from cadc.scores.scores import Scores

T = TypeVar("T")

CHUNK = 1 << 15
"""Rows worked on at once: 32 768 float64 accumulators stay in the cache of one core."""
UNATTRIBUTED = "unattributed"
"""How `flows` calls rows of no pool."""


class InfluenceColumns:
    """Influence columns, remembered by their content: a capability's members and the way they are measured.

    Keep one per study for as long as its scores are open; threads may share it. A column is 4·N bytes; the `keep`
    most recently used stay.
    """

    def __init__(self, scores: Scores, keep: int = 64) -> None:
        self.scores = scores
        self._keep = keep
        self._columns: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()
        self._nearest: np.ndarray | None = None
        self._loss_rank: np.ndarray | None = None
        self._self: np.ndarray | None = None
        self._remembered: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()

    def by_near(self, of_unit: Sequence[int]) -> np.ndarray:
        """max over s ∈ c_k of the calibrated near(z, s): float32 [N, K] (METHOD §4).

        of_unit: M positions 0…K-1, -1 unassigned. Raises DataError when they are not M.
        """
        return self._by_members(of_unit, ("near",), self._near)

    def by_mean(self, of_unit: Sequence[int], *, signal: str = "plain", scale: str = "unit") -> np.ndarray:
        """Σ_t η_t cos(Γ_t(z), ḡ_t(c_k)) from dots and Gram: float32 [N, K] (CADC §4, METHOD §4).

        of_unit: M positions 0…K-1, -1 unassigned; signal: `plain`, `grounded`; scale: `unit`, `raw`. Raises DataError
        for an unknown choice, gradients that were not computed, or positions that are not M.
        """
        for name, value, allowed in (("signal", signal, ("plain", "grounded")), ("scale", scale, ("unit", "raw"))):
            if value not in allowed:
                raise DataError(f"{name} {value!r}: expected one of {', '.join(allowed)}.")
        if not self.scores.has_gradients:
            raise DataError("influence on the mean gradient of a capability needs gradients, and this study has none. "
                            "Add them on the Trajectories page, or with `python -m cadc run STUDY --until near`.")
        if signal == "grounded" and not self.scores.has_grounded:
            raise DataError(
                "this study has no grounded target gradients. Use the plain signal, or run it with grounded=true."
            )
        return self._by_members(of_unit, ("mean", signal, scale), lambda members: self._mean(members, signal, scale))

    def _by_members(self, of_unit: Sequence[int], way: tuple[str, ...],
                    compute: Callable[[tuple[int, ...]], np.ndarray]) -> np.ndarray:
        units = np.asarray(of_unit, np.int64)
        if units.shape != (len(self.scores.units),):
            raise DataError(f"{units.size} unit assignments for {len(self.scores.units)} target units.")
        k = int(units.max(initial=-1)) + 1
        out = np.empty((k, len(self.scores.index)), np.float32)
        for c in range(k):
            members = tuple(np.flatnonzero(units == c).tolist())
            out[c] = self._column((members, *way), partial(compute, members))
        return out.T  # [N, K]

    def calibrated(self, unit: int, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """near(z, s) between the two points of its unit (METHOD §4): float32, one value per row; 0 is as any row, 1 as
        near as the unit's samples are to each other."""
        low, high = float(self.scores.middle[unit]), float(self.scores.own[unit])
        return (np.asarray(self.scores.near[unit, rows], np.float32) - np.float32(low)) / np.float32(high - low)

    def nearest(self) -> np.ndarray:
        """The unit s with the largest calibrated near(z, s), int32 [N]: the same for any choice of capabilities."""
        with self._lock:
            if self._nearest is None:
                units, rows = self.scores.near.shape
                best = np.empty(rows, np.int32)
                for start in range(0, rows, CHUNK):
                    piece = slice(start, start + CHUNK)
                    best[piece] = np.argmax(np.stack([self.calibrated(m, piece) for m in range(units)]), 0)
                self._nearest = best
            return self._nearest

    def remember(self, key: Hashable, compute: Callable[[], T], *, most: int = 0) -> T:
        """Anything else that follows from these scores and what the key holds (a partition, a ranking): computed at the
        first call for a key. most: of keys that begin alike (`key[0]`) only so many stay, those used last; 0: all."""
        with self._lock:
            if key not in self._remembered:
                self._remembered[key] = compute()
            self._remembered.move_to_end(key)
            found: T = self._remembered[key]
            if most and isinstance(key, tuple):
                alike = [k for k in self._remembered if isinstance(k, tuple) and k[:1] == key[:1]]
                for old in alike[:-most]:
                    del self._remembered[old]
            return found

    def self_influence(self) -> np.ndarray:
        """Inf^Self, float32 [N, T]; see the function of this name."""
        with self._lock:
            if self._self is None:
                self._self = self_influence(self.scores)
            return self._self

    def loss_rank(self) -> np.ndarray:
        """Place of each row in its nearest unit by its loss (`Scores.last_loss`), highest first from 0: int32 [N].

        Of equal losses the later row comes first; rows without one are the last.
        """
        with self._lock:
            if self._loss_rank is None:
                nearest, rows = self.nearest(), len(self.scores.index)
                order = np.lexsort((-np.arange(rows), -np.asarray(self.scores.last_loss), nearest))
                size = np.bincount(nearest, minlength=len(self.scores.units))
                rank = np.empty(rows, np.int32)
                rank[order] = np.arange(rows) - (np.cumsum(size) - size)[nearest[order]]
                self._loss_rank = rank
            return self._loss_rank

    def _column(self, key: tuple[object, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
        with self._lock:
            if key not in self._columns:
                self._columns[key] = compute()
            self._columns.move_to_end(key)
            while len(self._columns) > self._keep:
                self._columns.popitem(last=False)
            return self._columns[key]

    def _near(self, members: tuple[int, ...]) -> np.ndarray:
        """One column of `by_near`: float32 [N]."""
        column = np.full(len(self.scores.index), -np.inf if members else 0.0, np.float32)
        for unit in members:
            np.maximum(column, self.calibrated(unit), out=column)
        return column

    def _mean(self, members: tuple[int, ...], signal: str, scale: str) -> np.ndarray:
        """One column of `by_mean`: float32 [N], summed in float64 in the order of the members."""
        grounded = signal == "grounded"
        dots = self.scores.dots_grounded if grounded else self.scores.dots  # [T, M, N]
        gram = np.asarray(self.scores.gram_grounded if grounded else self.scores.gram, np.float64)
        weight = capability_weights(gram, members, scale) * np.asarray(self.scores.eta, np.float64)[:, None]  # [T, |c|]
        rows = len(self.scores.index)
        column = np.empty(rows, np.float32)
        for start in range(0, rows, CHUNK):
            total = np.zeros(min(CHUNK, rows - start))
            for t in range(len(weight)):
                for unit, w in zip(members, weight[t], strict=True):
                    total += w * dots[t, unit, start:start + CHUNK].astype(np.float64)
            column[start:start + CHUNK] = total
        return column


def capability_weights(gram: np.ndarray, members: Sequence[int], scale: str) -> np.ndarray:
    """Weights a_t(s) with cos(Γ_t(z), ḡ_t(c)) = Σ_{s∈c} a_t(s) · ⟨Γ_t(z), ḡ_t(s)⟩/‖Γ_t(z)‖ (METHOD §4): float64 [T,
    |c|].

    gram: [T, M, M]. scale `unit`: each unit first scaled to unit norm; `raw`: the mean of the raw unit gradients. The
    norm of the capability's mean comes from the Gram matrix; where it vanishes the weights are 0.
    """
    block = np.asarray(gram, np.float64)[:, members][:, :, members]  # [T, |c|, |c|]
    norm = np.sqrt(np.maximum(np.einsum("tss->ts", block), 0))
    weight = np.ones_like(norm)
    if scale == "unit":
        weight = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    square = np.einsum("ta,tab,tb->t", weight, block, weight)  # ‖Σ_s w_s ḡ(s)‖²
    # Members that cancel leave rounding, not zero: below 1e-12 of the sum of squares there is no direction to speak of.
    defined = square > 1e-12 * np.einsum("ta,ta->t", weight**2, norm**2)
    length = np.sqrt(np.where(defined, square, 1.0))
    return np.where(defined[:, None], weight / length[:, None], 0.0)


def self_influence(scores: Scores) -> np.ndarray:
    """Inf^Self(z; t) = η_t · ‖g_t(z)‖² (CADC §4): float32 [N, T]."""
    return (np.asarray(scores.gradient_norm, np.float32) ** 2) * np.asarray(scores.eta, np.float32)


def assign(influence: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """The capability of largest influence where that exceeds `floor`, else -1 (unattributed): int32 [N]; ties: the
    first."""
    rows, k = influence.shape
    if k == 0:
        return np.full(rows, -1, np.int32)
    best, value = np.zeros(rows, np.int32), np.array(influence[:, 0])
    for c in range(1, k):
        better = influence[:, c] > value
        best[better] = c
        np.maximum(value, influence[:, c], out=value)
    best[~(value > floor)] = -1
    return best


def own_influence(influence: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Each row's influence on the capability of its pool, float32 [N]; its largest influence where it has no pool."""
    if influence.shape[1] == 0:
        return np.zeros(len(pool), np.float32)
    out = influence.max(1)
    attributed = np.flatnonzero(pool >= 0)
    out[attributed] = influence[attributed, pool[attributed]]
    return out


def flows(source: Sequence[str], pool: np.ndarray, influence: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """What flows from each source into each capability (CADC Fig. 2): one row per pair that has rows.

    DataFrame(source, capability, k, rows, influence, mean): `influence` is Σ max(Inf^Traj, 0) over the rows of that
    pool, the thickness of a Sankey link; `mean` the plain mean. k = -1 is the unattributed pool, influence of its
    best capability.
    """
    codes, sources = pd.factorize(np.asarray(source, dtype=object), sort=True)
    k, own = len(names), own_influence(influence, pool).astype(np.float64)
    cell = codes * (k + 1) + pool + 1
    size = len(sources) * (k + 1)
    rows = np.bincount(cell, minlength=size)
    thick = np.bincount(cell, np.maximum(own, 0), minlength=size)
    total = np.bincount(cell, own, minlength=size)
    there = np.flatnonzero(rows)
    labels = [UNATTRIBUTED, *names]
    return pd.DataFrame(
        {
            "source": [sources[i // (k + 1)] for i in there],
            "capability": [labels[i % (k + 1)] for i in there],
            "k": there % (k + 1) - 1,
            "rows": rows[there],
            "influence": thick[there],
            "mean": total[there] / rows[there],
        }
    )


def self_by_capability(self_inf: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """Mean self-influence of each pool at each checkpoint: float64 [K, T]; NaN for a pool without rows."""
    if not self_inf.shape[1]:
        return np.empty((k, 0))
    inside = pool >= 0
    size = np.bincount(pool[inside], minlength=k)[:k]
    sums = np.stack(
        [np.bincount(pool[inside], self_inf[inside, t], minlength=k)[:k] for t in range(self_inf.shape[1])], 1
    )
    return np.divide(sums, size[:, None], out=np.full(sums.shape, np.nan), where=size[:, None] > 0)


def served(scores: Scores | InfluenceColumns, rows: np.ndarray, of_unit: Sequence[int], *,
           capability: np.ndarray | None = None, top: int = 1) -> pd.DataFrame:
    """The target samples that pool rows serve best: the reason shown beside each row (METHOD §4).

    rows: int [n] positions 0…N-1. Considered are the assigned units — with `capability` (int [n], -1: any) only the
    units of that capability. They are ranked by calibrated near(z, s); of each the target sample that won is named.
    Returns DataFrame(position, rank, unit, target, target_index, value): unit 0…M-1, target 0…S-1, value near(z, s);
    target and target_index are -1 where it is not known which sample won.
    """
    columns = scores if isinstance(scores, InfluenceColumns) else InfluenceColumns(scores)
    rows, owner, scores = np.asarray(rows, np.int64), np.asarray(of_unit), columns.scores
    wanted = np.full(len(rows), -1) if capability is None else np.asarray(capability)
    best = np.full((len(rows), min(top, len(owner))), -1, np.int64)
    for c in np.unique(wanted):  # rows are held against the units that count for them alone: reading near is what costs
        at, units = np.flatnonzero(wanted == c), np.flatnonzero(owner == c if c >= 0 else owner >= 0)
        if not len(units):
            continue
        z = np.stack([columns.calibrated(m, rows[at]) for m in units.tolist()], 1)  # [n, |c|]
        for place in range(min(best.shape[1], len(units))):
            first = z.argmax(1)
            best[at, place] = units[first]
            z[np.arange(len(at)), first] = -np.inf
    keep = best.ravel() >= 0
    position = np.repeat(rows, best.shape[1])[keep]
    rank = np.tile(np.arange(best.shape[1]), len(rows))[keep]
    unit = best.ravel()[keep]
    target = np.asarray(scores.winner[unit, position], np.int64)
    return pd.DataFrame({"position": position, "rank": rank, "unit": unit, "target": target,
                         "target_index": np.where(target < 0, -1, np.asarray(scores.sample_index)[target]),
                         "value": np.asarray(scores.near[unit, position], np.float64)})
