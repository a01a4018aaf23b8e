"""Fill every capability's budget from its pool (METHOD §5)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.budgets import allocate
from cadc.curation.inputs import CurationInputs
from cadc.curation.preset import CapabilityRows
from cadc.curation.presets import PRESETS
from cadc.curation.sequence import evenly_merged
from cadc.scores.influence import served
from cadc.selection.rounds import Pick, Taken, at_random


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
    """Choose `total` rows by the shares w_k (float [K]); capabilities draw in turns in proportion to what they want.

    Pools are disjoint, so turns only matter for a source cap, which then falls on all capabilities alike. What a
    capability cannot fill (pool too small, sources used up) goes to the others by the same shares until nobody can
    take more.
    """
    candidates, settings, k = inputs.candidates, inputs.settings, inputs.capabilities.k
    kept = candidates.kept[:total]
    available = np.bincount(candidates.assignment[candidates.open], minlength=k)[:k]
    asked = allocate(total, share, np.full(k, total))
    source = pd.factorize(inputs.table["source"])[0] if settings.source_cap else np.zeros(0, np.int64)
    taken = Taken(candidates.open, source, settings.source_cap)
    picks: list[Pick] = []
    who: list[int] = []
    for position in kept.tolist():
        taken.take(position)
        picks.append((position, -1, 0.0, "keep"))
        who.append(int(candidates.assignment[position]))
    got = np.bincount(candidates.assignment[kept], minlength=k)[:k].astype(np.int64)
    capacity = available.copy()
    wanted = allocate(total, share, capacity, got)
    drawn = np.floor(settings.random_share * (wanted - got) + 0.5).astype(int)
    streams = [_stream(inputs, c, taken, int(drawn[c])) for c in range(k)]
    while (wanted > got).any():
        for c in _turns(wanted - got):
            pick = next(streams[c], None)
            if pick is None:
                capacity[c] = got[c]
                continue
            taken.take(pick[0])
            picks.append(pick)
            who.append(c)
            got[c] += 1
        wanted = allocate(total, share, capacity, got)
    return Chosen(rows=_named(inputs, picks, who), asked=asked, available=available, got=got,
                  kept_left=len(candidates.kept) - len(kept))


def _turns(missing: np.ndarray) -> list[int]:
    """Capabilities in turns, each as often as it wants rows, evenly spread."""
    missing = np.maximum(missing, 0)
    return np.repeat(np.arange(len(missing)), missing)[evenly_merged(missing)].tolist()


def _stream(inputs: CurationInputs, c: int, taken: Taken, drawn: int) -> Iterator[Pick]:
    """Free rows of one capability in the order it takes them: `drawn` at random, then by the preset's rule."""
    inside = inputs.candidates.open & (inputs.candidates.assignment == c)
    positions = np.flatnonzero(inside)
    # Seeded by the id, not the place: the draw of c3 does not change when c2 is merged away.
    rng = np.random.default_rng([inputs.settings.seed, 1, int(inputs.capabilities.ids[c][1:])])
    for pick in at_random(positions, rng) if drawn else ():
        if drawn and taken.free(pick[0]):
            drawn -= 1
            yield pick
        if not drawn:
            break
    rows = CapabilityRows(scores=inputs.scores, influence=inputs.influence[:, c], inside=inside, taken=taken,
                          units=np.flatnonzero(np.asarray(inputs.capabilities.of_unit) == c))
    for pick in PRESETS[inputs.settings.preset].pick(rows):
        if taken.free(pick[0]):
            yield pick


def _named(inputs: CurationInputs, picks: list[Pick], who: list[int]) -> pd.DataFrame:
    """The picks as a table; a row that was not taken by a target sample is named after the one of its capability it
    serves best, with near(z, s) as value."""
    position, target, value, reason = zip(*picks, strict=True) if picks else ((), (), (), ())
    rows = pd.DataFrame({
        "position": np.array(position, np.int64), "k": np.array(who, np.int64), "target": np.array(target, np.int64),
        "target_value": np.array(value, np.float64), "reason": np.array(reason, object)})
    unnamed = np.flatnonzero(rows["target"].to_numpy() < 0)
    if len(unnamed):
        best = served(inputs.columns, rows["position"].to_numpy()[unnamed], inputs.capabilities.of_unit,
                      capability=rows["k"].to_numpy()[unnamed])
        rows.loc[unnamed, "target"] = best["target"].to_numpy()
        rows.loc[unnamed, "target_value"] = best["value"].to_numpy()
    return rows
