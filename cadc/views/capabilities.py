"""Capabilities page: the target units, how they are grouped, and how alike they are.

M target units, K capabilities. A capability's id gives its colour and mark ('' is unassigned), its name is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.discovery import Capabilities, DiscoverySettings, Partition, layout, layout_method
from cadc.discovery.capabilities import LONGEST_NAME
from cadc.discovery.naming import propose
from cadc.discovery.similarities import SIMILARITIES, lacking
from cadc.study import JOBS
from cadc.views.decisions import NEW, NOWHERE, moves
from cadc.views.palette import UNASSIGNED_NAME, mark
from cadc.views.prices import price_of

LAYOUTS = {"tsne": "t-SNE: near means similar, distances between far groups mean little",
           "mds": "classical scaling: distances as far as a plane can hold them"}


@dataclass(frozen=True, kw_only=True)
class SignalLine:
    """One similarity of units, as something to draw a map from."""

    name: str
    about: str
    ready: bool
    why: str
    """'' where it is ready, else why not, what computes it and what that costs."""


@dataclass(frozen=True, kw_only=True)
class CapabilitiesView:
    """The map of one study as the decisions in force have it."""

    found: Capabilities
    table: pd.DataFrame
    """One line per unit (`unit_table`)."""
    similarity: np.ndarray
    """S, float64 [M, M]."""
    partition: Partition
    """Communities as found, before anything was named or moved."""
    discovery: DiscoverySettings
    signals: tuple[SignalLine, ...]
    """What the map can be drawn from, and what it could be drawn from."""
    revision: str
    """Changes with every decision: widgets that show what is in force carry it in their keys."""

    @property
    def units(self) -> tuple[str, ...]:
        """M names."""
        return self.found.units

    def called(self, capability: str) -> str:
        """Plain name of a capability in a list of choices."""
        special = {NEW: "a new capability", NOWHERE: f"{mark(None)} {UNASSIGNED_NAME}"}
        return special.get(capability) or f"{mark(capability)} {self.found.name_of(capability)}"

    @property
    def map_name(self) -> str:
        """Under what the places of the map are kept: what it is drawn from, and how."""
        return f"{self.discovery.signal} {layout_method(len(self.units))}"

    def moves(self, chosen: Sequence[str], to: str) -> list[dict[str, str | None]]:
        """Payloads of the `move` decisions that bring these units to a capability, `NEW` or `NOWHERE`."""
        return moves(self.found, chosen, to)

    def selected_note(self, chosen: Sequence[str]) -> str:
        """How many units are chosen, and where they are now."""
        inside = self.table[self.table["unit"].isin(chosen)]["name"].value_counts()
        return f"{len(chosen)} of {len(self.units)} units selected" + "".join(
            f" · {rows} in {name}" for name, rows in inside.items())

    @property
    def in_force(self) -> str:
        """The settings that the map was found with."""
        part = self.partition
        settings = f"τ {part.tau:.3f}, γ {part.gamma:g}" if part.method == "leiden" else (
            f"smallest group {part.min_size}")
        return (f"in force: {part.method}, {settings}, modularity {part.modularity:.2f}, similarity "
                f"{self.discovery.signal} ({self.drawn_from})")

    @property
    def map_note(self) -> str:
        """What the map shows."""
        count = len(self.table)
        return f"drawn {count:,} of {count:,} units by {self.drawn_from} · {LAYOUTS[layout_method(len(self.units))]}"

    @property
    def drawn_from(self) -> str:
        """What the map is drawn from, in words."""
        return SIMILARITIES[self.discovery.signal].about

    @property
    def ready(self) -> tuple[str, ...]:
        """Signals that a map can be drawn from now."""
        return tuple(line.name for line in self.signals if line.ready)


def proposed(bench: Workbench) -> dict[str, str]:
    """{id: name} for capabilities that nobody has named, from the words of their target questions; no two alike, and
    none that another capability has."""
    found, targets = bench.capabilities, bench.targets
    of = dict(zip(found.units, found.of_unit, strict=True))
    place = targets["unit"].map(of).fillna(-1).to_numpy()
    parts = {name: targets[place == k] for k, name in enumerate(found.ids)}
    said = bench.influence_columns.remember(("proposed names", found.of_unit, found.ids), lambda: propose(
        {name: part["question"].tolist() for name, part in parts.items()},
        {name: part["answer_format"].tolist() for name, part in parts.items()}), most=6)
    taken = {name.casefold() for name in (*found.ids, *found.names)}
    free: dict[str, str] = {}
    for capability, name in zip(found.ids, found.names, strict=True):
        new = said[capability][:LONGEST_NAME].strip()
        if name == capability and new and new.casefold() not in taken:
            free[capability] = new
            taken.add(new.casefold())
    return free


def first_questions(bench: Workbench) -> dict[str, str]:
    """{unit: the question of its first sample}."""
    first = bench.targets.drop_duplicates("unit")
    return dict(zip(first["unit"], first["question"], strict=True))


def capabilities_view(bench: Workbench, units: pd.DataFrame, decisions: int) -> CapabilitiesView:
    """units: target units (`Store.units`); decisions: how many the log holds, undone ones included."""
    found, scores = bench.capabilities, bench.scores
    known = units.set_index("unit").reindex(scores.units).reset_index()
    return CapabilitiesView(found=found, similarity=bench.similarity, partition=bench.partition,
                            discovery=bench.discovery, signals=signal_lines(bench),
                            table=unit_table(known, bench.similarity, found.of_unit, found.ids, found.names),
                            revision=f"{decisions}-{len(bench.events)}")


def signal_lines(bench: Workbench) -> tuple[SignalLine, ...]:
    """Every similarity of units, those that are not ready with the reason."""
    lines = []
    for signal in SIMILARITIES.values():
        why = signal.offered(bench.study.config)
        if not why and (missing := lacking(bench.study, signal.name)):
            why = (f"the job {missing[0]!r} {JOBS[missing[0]].about}: {price_of(bench.study, missing[0])}. Run it with "
                   f"python -m cadc run {bench.study.name} --until {missing[0]}")
        lines.append(SignalLine(name=signal.name, about=signal.about, ready=not why, why=why))
    return tuple(lines)


def map_places(similar: np.ndarray) -> np.ndarray:
    """Places of the units on the map, float64 [M, 2]; of a thousand units they take seconds."""
    return layout(similar)


def unit_table(units: pd.DataFrame, similar: np.ndarray, of_unit: Sequence[int], ids: Sequence[str],
               names: Sequence[str]) -> pd.DataFrame:
    """One line per unit: position, unit, capability (id), name, answer_format, samples, own, other, other_name.

    units: columns unit, answer_format, samples, in the order of similar [M, M]; own: mean S with the other units of its
    capability (nan when it has none); other: the largest mean S with another capability, and which.
    """
    labels, count = np.asarray(of_unit), len(ids)
    means = np.full((len(labels), count), np.nan)
    for k in range(count):
        members = labels == k
        total, size = similar[:, members].sum(1), members.sum() - members.astype(int)
        means[:, k] = np.divide(total - np.where(members, np.diag(similar), 0), size,
                                out=np.full(len(labels), np.nan), where=size > 0)
    own = np.array([means[m, k] if k >= 0 else np.nan for m, k in enumerate(labels)])
    apart = means.copy()
    apart[np.arange(len(labels))[labels >= 0], labels[labels >= 0]] = np.nan
    best = np.where(np.isnan(apart), -np.inf, apart).argmax(1) if count else np.zeros(len(labels), int)
    other = apart[np.arange(len(labels)), best] if count else np.full(len(labels), np.nan)
    return pd.DataFrame({
        "position": np.arange(len(labels)), "unit": units["unit"].to_numpy(),
        "capability": [ids[k] if k >= 0 else "" for k in labels],
        "name": [names[k] if k >= 0 else UNASSIGNED_NAME for k in labels],
        "answer_format": units["answer_format"].to_numpy(), "samples": units["samples"].to_numpy(), "own": own,
        "other": other, "other_name": [names[k] if np.isfinite(o) else "" for k, o in zip(best, other, strict=True)]})


def taus(similar: np.ndarray, count: int = 12) -> np.ndarray:
    """Thresholds for the sweep: quantiles of the off-diagonal similarities that are positive, rounded down to 1e-3."""
    values = similar[np.triu_indices(len(similar), 1)]
    values = values[values > 0]
    if not len(values):
        return np.array([0.0])
    return np.unique(np.floor(np.quantile(values, np.linspace(0.02, 0.97, count)) * 1000) / 1000)
