"""Fill every capability's budget from its pool (METHOD §5)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.budgets import allocate
from cadc.curation.inputs import CurationInputs
from cadc.curation.sequence import evenly_merged
from cadc.scores.influence import served
from cadc.selection.ranking import Pick, Ranking, Reader, Taken
from cadc.selection.rounds import at_random


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Rows chosen for K capabilities."""

    rows: pd.DataFrame
    """One row per chosen sample: position, k, target (0…S-1), target_value, reason."""
    asked: np.ndarray
    """int64 [K]: what the shares ask for, before caps."""
    available: np.ndarray
    """int64 [K]: rows of the pool that passed every filter."""
    got: np.ndarray
    """int64 [K]: rows chosen."""
    kept_left: int
    """Rows tagged keep that did not fit into the budget."""


def choose(inputs: CurationInputs, share: np.ndarray, total: int) -> Chosen:
    """Choose `total` rows by the shares w_k (float [K]): of each capability the beginning of its ranking.

    Rows tagged keep count first, then the share drawn at random; the ranking is read past them, and past sources that
    are used up. So a capability that gets more rows keeps those it had, unless a source cap binds: that falls on all
    capabilities alike, for they then draw in turns in proportion to what they want, and turns depend on the budget.
    What a capability cannot fill (pool too small, sources used up) goes to the others by the same shares until nobody
    can take more.
    """
    candidates, settings, k = inputs.candidates, inputs.settings, inputs.capabilities.k
    kept = candidates.kept[:total]
    available = np.bincount(candidates.assignment[candidates.open], minlength=k)[:k]
    asked = allocate(total, share, np.full(k, total))
    taken = Taken(candidates.open, *_caps(inputs))
    for position in kept.tolist():
        taken.take(position)
    got = np.bincount(candidates.assignment[kept], minlength=k)[:k].astype(np.int64)
    capacity = available.copy()
    wanted = allocate(total, share, capacity, got)
    drawn = np.floor(settings.random_share * (wanted - got) + 0.5).astype(int)
    readers = [_Draw(inputs, c, taken, int(drawn[c])) for c in range(k)]
    while (wanted > got).any():
        for c, count in _turns(wanted - got, settings.capped):
            found = readers[c].take(count)
            got[c] += found
            if found < count:
                capacity[c] = got[c]
        wanted = allocate(total, share, capacity, got)
    return Chosen(rows=_named(inputs, kept, readers), asked=asked, available=available, got=got,
                  kept_left=len(candidates.kept) - len(kept))


def _caps(inputs: CurationInputs) -> tuple[np.ndarray, np.ndarray]:
    """Number of each row's source, int64 [N], and the cap of each source, int64 [sources], 0 for none; both empty where
    no source has one."""
    if not inputs.settings.capped:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    source, names = pd.factorize(inputs.table["source"].fillna(""))
    return source, np.array([inputs.settings.cap_of(str(name)) for name in names], np.int64)


def _turns(missing: np.ndarray, one_by_one: bool) -> list[tuple[int, int]]:
    """(capability, rows): all that each wants at once, or turns of one row, each as often as it wants rows, evenly
    spread."""
    missing = np.maximum(missing, 0)
    if not one_by_one:
        return [(c, count) for c, count in enumerate(missing.tolist()) if count]
    return [(c, 1) for c in np.repeat(np.arange(len(missing)), missing)[evenly_merged(missing)].tolist()]


class _Draw:
    """Takes the rows of one capability: `drawn` at random, then along its ranking."""

    def __init__(self, inputs: CurationInputs, c: int, taken: Taken, drawn: int) -> None:
        # Seeded by the id, not the place: the draw of c3 does not change when c2 is merged away.
        seed = [inputs.settings.seed, 1, int(inputs.capabilities.ids[c][1:])]
        candidates = inputs.candidates

        def at_all() -> Iterator[Pick]:
            inside = np.flatnonzero(candidates.open & (candidates.assignment == c))
            return at_random(inside, np.random.default_rng(seed))

        self._drawn = drawn
        self._random = Reader(Ranking(at_all), taken) if drawn else None
        self._ranked = Reader(inputs.ranking(c), taken)

    def take(self, count: int) -> int:
        """Take so many more rows; how many there were."""
        drawn = self._random.take(min(count, self._drawn)) if self._random else 0
        self._drawn -= drawn
        return drawn + (self._ranked.take(count - drawn) if count > drawn else 0)

    def picks(self) -> list[tuple[np.ndarray, ...]]:
        """Columns of the rows taken, drawn ones first."""
        return [reader.picks() for reader in (self._random, self._ranked) if reader]


def _named(inputs: CurationInputs, kept: np.ndarray, readers: list[_Draw]) -> pd.DataFrame:
    """The picks as a table; a row that was not taken by a target sample is named after the one of its capability it
    serves best, with near(z, s) as value."""
    pieces: list[tuple[np.ndarray, ...]] = [(
        inputs.candidates.assignment[kept], kept, np.full(len(kept), -1), np.zeros(len(kept)),
        np.full(len(kept), "keep", object))]
    pieces += [(np.full(len(picks[0]), c), *picks) for c, one in enumerate(readers) for picks in one.picks()]
    k, position, target, value, reason = (np.concatenate(column) for column in zip(*pieces, strict=True))
    rows = pd.DataFrame({
        "position": position.astype(np.int64), "k": k.astype(np.int64), "target": target.astype(np.int64),
        "target_value": value.astype(np.float64), "reason": reason})
    unnamed = np.flatnonzero(rows["target"].to_numpy() < 0)
    if len(unnamed):
        best = served(inputs.columns, rows["position"].to_numpy()[unnamed], inputs.capabilities.of_unit,
                      capability=rows["k"].to_numpy()[unnamed])
        rows.loc[unnamed, "target"] = best["target"].to_numpy()
        rows.loc[unnamed, "target_value"] = best["value"].to_numpy()
    return rows
