"""Influence page: who feeds which capability, how strongly, and how hard the model still finds it.

N pool rows, T checkpoints, K capabilities. A capability is named by its label.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation import PRESETS
from cadc.curation.workbench import Workbench
from cadc.scores.influence import UNATTRIBUTED, assign, flows, own_influence, self_by_capability, served
from cadc.views import rows
from cadc.views.adding import adding
from cadc.views.palette import colours
from cadc.views.row_filter import NO_CAPABILITY, OPEN, Range, RowFilter, within
from cadc.views.words import drawn

MEASURES = {"rows": "rows", "influence": "summed influence"}
"""What the thickness of a flow can be, in words."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a person looks at the influence; nothing of it is decided here."""

    preset: str
    signal: str
    """`plain` or `grounded` target gradients."""
    measure: str
    """A key of `MEASURES`."""


@dataclass(frozen=True, kw_only=True)
class Pick:
    """What was clicked or chosen: a source, a capability, or both (a link). None: all of them."""

    source: str | None = None
    capability: str | None = None
    influence: Range = OPEN
    """On the own capability."""

    @property
    def text(self) -> str:
        """Plain words for it (the source is dataset text: show it with `st.text` only)."""
        low, high = ("" if end is None else f"{end:.4g}" for end in self.influence)
        bounds = {(True, True): f", influence {low} to {high}", (True, False): f", influence from {low}",
                  (False, True): f", influence up to {high}", (False, False): ""}[bool(low), bool(high)]
        return f"{self.source or 'all sources'} → {self.capability or 'all capabilities'}{bounds}"


@dataclass(frozen=True, eq=False, kw_only=True)
class InfluenceView:
    """One look at the influence of a finished study."""

    bench: Workbench
    look: Look
    names: list[str]
    colours: dict[str, str]
    """Of each capability, by name."""
    influence: np.ndarray
    """Inf^Traj, float32 [N, K]."""
    assignment: np.ndarray
    """Capability of each row, int32 [N], -1 unattributed."""
    sources: np.ndarray
    """Source of each row as it is shown, object [N]."""
    flows: pd.DataFrame
    """source, capability, rows, influence."""
    drawn: pd.DataFrame
    """The flows that have a thickness (`links`)."""
    note: str
    """How many rows were measured; '' where all were."""

    @property
    def chart_key(self) -> str:
        """Changes when the drawn flows do: a click on a chart that is gone means nothing."""
        what = repr((self.look.preset, self.look.signal, self.look.measure, self.drawn.values.tolist()))
        return "flow-" + hashlib.sha1(what.encode()).hexdigest()[:12]

    @property
    def ends(self) -> tuple[list[str], list[str]]:
        """Names on the left and on the right of the Sankey."""
        return ends(self.drawn, self.names)

    @property
    def choices(self) -> tuple[list[str], list[str]]:
        """Sources and capabilities that a person can choose."""
        return list(dict.fromkeys(self.flows["source"])), [*self.names, UNATTRIBUTED]

    @property
    def spread(self) -> pd.DataFrame:
        """`histogram_table` of this look; computed once, since it reads every row for every capability."""
        found, settings = self.bench.capabilities, self.bench.settings
        key = ("spread", self.look.preset, self.look.signal, settings.scale, settings.floor, found.of_unit, found.ids,
               tuple(self.names))
        return self.bench.influence_columns.remember(
            key, lambda: histogram_table(self.influence, self.assignment, self.names), most=4)

    @property
    def has_gradients(self) -> bool:
        """Whether anything over checkpoints can be shown."""
        return self.bench.scores.has_gradients

    @property
    def without(self) -> str:
        """Why losses and self-influence over checkpoints are not there; '' where they are."""
        offer = None if self.has_gradients else adding(self.bench.study)
        return offer.why_not("What happens over the checkpoints (losses, self-influence)") if offer else ""

    @property
    def flow_note(self) -> str:
        """How much of the pool the Sankey draws."""
        return flow_note(self.flows, self.drawn, len(self.assignment))

    def picked(self, event: Mapping[str, Any] | None) -> Pick:
        """What a click on the Sankey meant; everything, where it meant nothing."""
        return picked(event, self.drawn, self.names) or Pick()

    def behind(self, pick: Pick) -> np.ndarray:
        """int64: positions of the rows behind a pick, strongest influence first."""
        own = own_influence(self.influence, self.assignment)
        found = behind(pick, self.sources, self.assignment, self.names, own)
        return found[within(own[found], pick.influence)]

    def filter_of(self, pick: Pick) -> RowFilter:
        """A pick as the Rows page has it."""
        return RowFilter(source=pick.source, capability=self._ids.get(pick.capability or ""), influence=pick.influence)

    def pick_of(self, wanted: RowFilter) -> tuple[Pick, tuple[str, ...]]:
        """A filter's source, capability and bounds as a pick, and what of them is not here (sentences)."""
        named = {capability: name for name, capability in self._ids.items()}
        odd = [f"No {field} is called {value[:60]!r} here." for field, value, known in (
            ("source", wanted.source, self.choices[0]), ("capability", wanted.capability, named))
            if value is not None and value not in known]
        return Pick(source=wanted.source if wanted.source in self.choices[0] else None, influence=wanted.influence,
                    capability=named.get(wanted.capability or "")), tuple(odd)

    @property
    def _ids(self) -> dict[str, str]:
        """Name → what a filter calls it."""
        return dict(zip(self.names, self.bench.capabilities.ids, strict=True)) | {UNATTRIBUTED: NO_CAPABILITY}

    @property
    def in_force(self) -> bool:
        """Whether the curriculum measures influence as this look does."""
        settings = self.bench.settings
        one = len(PRESETS[settings.preset].signals) == 1 or not self.bench.scores.has_grounded
        return self.look.preset == settings.preset and (one or self.look.signal == settings.signal)

    def row_page(self, positions: np.ndarray) -> pd.DataFrame:
        """These rows as `rows.row_table` has them, with their position."""
        bench, own = self.bench, self.assignment[positions]
        reasons = served(bench.influence_columns, positions, bench.capabilities.of_unit, capability=own)
        known = bench.table.iloc[positions].assign(loss=np.asarray(bench.scores.last_loss)[positions])
        if self.has_gradients:
            known = known.assign(measured=bench.scores.measured[positions])
        labels = [self.names[k] if k >= 0 else UNATTRIBUTED for k in own]
        shown = rows.row_table(known, labels, self.influence[positions], self.names,
                               rows.serves_table(reasons, bench.targets, positions))
        return shown.assign(position=positions, strength=own_influence(self.influence[positions], own))

    def served(self, position: int) -> pd.DataFrame:
        """Target questions that a row serves best: question, answer, unit, value."""
        best = served(self.bench.influence_columns, np.array([position]), self.bench.capabilities.of_unit, top=5)
        return rows.served_words(best, self.bench.targets)

    def over_time(self, position: int) -> pd.DataFrame:
        """checkpoint, loss, self_influence of one row."""
        return sample_table(self.bench.scores.loss[position], self.bench.self_influence[position])

    def influences(self, position: int) -> pd.DataFrame:
        """capability, influence, percentile of one row."""
        return sample_influences(self.influence, self.names, position)

    def self_influence(self) -> pd.DataFrame:
        """capability, checkpoint, mean, rows."""
        means = self_by_capability(self.bench.self_influence, self.assignment, len(self.names))
        return self_influence_table(means, self.assignment, self.names)

    @property
    def floor_note(self) -> str:
        """How many rows the floor keeps out of every pool."""
        return rows.floor_note(int((self.assignment < 0).sum()), len(self.assignment), self.bench.settings.floor)

    @property
    def drawn_note(self) -> str:
        """How many of the pool's rows the lines and bars are about."""
        return drawn(int((self.assignment >= 0).sum()), len(self.assignment), "rows: those that a capability claims")


def influence_view(bench: Workbench, sources: np.ndarray, look: Look) -> InfluenceView:
    """sources: `rows.source_labels` of the pool's sources."""
    found = bench.capabilities
    names = list(found.names)
    influence = bench.influence_by(look.preset, signal=look.signal)
    assignment = assign(influence, bench.settings.floor)
    table = flows(sources.tolist(), assignment, influence, names)
    return InfluenceView(
        bench=bench, look=look, names=names, colours=colours(found.ids, found.names), influence=influence,
        assignment=assignment, sources=sources, flows=table, drawn=links(table, look.measure),
        note=rows.measured_note(bench.scores.measured, bench.held_out(look.preset, look.signal), names))


def stands_in(bench: Workbench, preset: str) -> str:
    """A sentence where a preset would read gradients too and the study has none; else ''."""
    short = not bench.scores.has_gradients and PRESETS[preset].near == "joined"
    return f"Without gradients {preset} reads the same signals as quick." if short else ""


def links(flows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Flows (source, capability, rows, influence) that a Sankey can draw, with their `value` > 0, largest source first.

    `measure`: `rows` or `influence`; a flow of no positive influence has no thickness and is left to the table.
    """
    drawn = flows.assign(value=flows[measure].astype(float))
    drawn = drawn[np.isfinite(drawn["value"]) & (drawn["value"] > 0)]
    size = drawn.groupby("source", observed=True)["value"].transform("sum")
    order = drawn.assign(size=size).sort_values(["size", "source", "value"], ascending=[False, True, False])
    return order.drop(columns="size").reset_index(drop=True)


def ends(drawn: pd.DataFrame, capabilities: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the drawn sources in order of appearance, and of the drawn capabilities in their own order."""
    present = set(drawn["capability"])
    return list(dict.fromkeys(drawn["source"])), [c for c in [*capabilities, UNATTRIBUTED] if c in present]


def picked(event: Mapping[str, Any] | None, drawn: pd.DataFrame, capabilities: Sequence[str]) -> Pick | None:
    """The node or link a click on the Sankey meant; None for no click, or one that does not fit the chart any more."""
    groups = ((event or {}).get("selection") or {}).get("selected") or []
    sources, targets = ends(drawn, capabilities)
    for group in groups:
        for index in group.get("data_indices", []):
            if group.get("data_type") == "edge" and index < len(drawn):
                return Pick(source=drawn["source"].iloc[index], capability=drawn["capability"].iloc[index])
            if group.get("data_type") == "node" and index < len(sources):
                return Pick(source=sources[index])
            if group.get("data_type") == "node" and index < len(sources) + len(targets):
                return Pick(capability=targets[index - len(sources)])
    return None


def behind(pick: Pick, sources: np.ndarray, pools: np.ndarray, names: Sequence[str], own: np.ndarray) -> np.ndarray:
    """int64: positions of the rows behind a pick, strongest influence first.

    `sources` object [N] of `source_labels`; `pools` int [N], -1 unattributed; `own` float [N]: each row's influence on
    the capability of its pool, on its best one where it has none (`cadc.scores.influence.own_influence`).
    """
    keep = np.ones(len(pools), bool)
    if pick.source is not None:
        keep &= sources == pick.source
    if pick.capability is not None:
        keep &= pools == (list(names).index(pick.capability) if pick.capability in names else -1)
    found = np.flatnonzero(keep)
    return found[np.argsort(-own[found], kind="stable")]


def flow_note(flows: pd.DataFrame, drawn: pd.DataFrame, total: int) -> str:
    """How many of the pool's `total` rows a Sankey draws; `drawn` are the `links` of `flows`."""
    missing = len(flows) - len(drawn)
    hidden = f"; {missing:,} flows have no positive influence and are not drawn" if missing else ""
    return f"drawn {int(drawn['rows'].sum()):,} of {total:,} rows in {len(drawn):,} flows{hidden}"


def sankey_height(drawn: pd.DataFrame) -> int:
    """Pixels a Sankey needs so that its source names do not overlap."""
    return max(320, 28 * drawn["source"].nunique())


def pool_table(pools: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """capability, rows, share in %: how many rows each capability claims; the unattributed rows last."""
    counts = np.bincount(np.asarray(pools, np.int64) + 1, minlength=len(names) + 1)
    rows = [*counts[1:len(names) + 1], counts[0]]
    return pd.DataFrame({"capability": [*names, UNATTRIBUTED], "rows": rows,
                         "share": np.round(100 * np.asarray(rows) / max(len(pools), 1))})


def self_influence_table(means: np.ndarray, pools: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """capability, checkpoint 1…T, mean, rows: `means` float [K, T] of `self_by_capability` in long form.

    Capabilities without a row are left out.
    """
    counts = np.bincount(np.asarray(pools, np.int64) + 1, minlength=len(names) + 1)[1:]
    filled = [(k, name) for k, name in enumerate(names) if counts[k]]
    parts = [pd.DataFrame({"capability": name, "checkpoint": np.arange(1, means.shape[1] + 1), "mean": means[k],
                           "rows": int(counts[k])}) for k, name in filled]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(
        columns=["capability", "checkpoint", "mean", "rows"])


def change_table(table: pd.DataFrame) -> pd.DataFrame:
    """capability, interval ('1 → 2'), change: difference of mean self-influence between neighbouring checkpoints."""
    ordered = table.sort_values("checkpoint", kind="stable")
    change = ordered.groupby("capability", sort=False)["mean"].diff()
    interval = (ordered["checkpoint"] - 1).astype(str) + " → " + ordered["checkpoint"].astype(str)
    found = pd.DataFrame({"capability": ordered["capability"], "interval": interval, "change": change})
    return found.dropna(subset=["change"]).sort_index().reset_index(drop=True)


def histogram_table(influence: np.ndarray, pools: np.ndarray, names: Sequence[str], bins: int = 40) -> pd.DataFrame:
    """capability, left, right, rows, own: how the influence of all N rows on each capability is distributed.

    `own` of a bin's rows belong to that capability's pool. `influence` float [N, K]; the outermost bins also hold what
    lies beyond them (0.1 % on each side).
    """
    parts = []
    if influence.size:
        low, high = (float(v) for v in np.quantile(influence, [0.001, 0.999]))
        edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
        for k, name in enumerate(names):
            where = np.clip(np.searchsorted(edges, influence[:, k], side="right") - 1, 0, bins - 1)
            parts.append(pd.DataFrame({"capability": name, "left": edges[:-1], "right": edges[1:],
                                       "rows": np.bincount(where, minlength=bins),
                                       "own": np.bincount(where[pools == k], minlength=bins)}))
    columns = ["capability", "left", "right", "rows", "own"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def bin_width(table: pd.DataFrame) -> float:
    """Width of a bin of `histogram_table`, one digit of it: by so much a bound goes up and down."""
    return float(f"{table['right'].iloc[0] - table['left'].iloc[0]:.1g}") if len(table) else 0.01


def range_of(event: Mapping[str, Any] | None, table: pd.DataFrame) -> Range | None:
    """The range that was drawn across the histogram of `table`, four digits of it; None for none. An end beyond the
    outermost bin is no bound, as that bin also holds what lies beyond it."""
    boxes = ((event or {}).get("selection") or {}).get("box") or []
    if not boxes or table.empty:
        return None
    low, high = (float(f"{end:.4g}") for end in sorted(float(x) for x in boxes[-1]["x"]))
    first, last = float(table["left"].min()), float(table["right"].max())
    return (low if low > first else None, high if high < last else None) if high > first and low < last else None


def sample_table(loss: np.ndarray, self_influence: np.ndarray) -> pd.DataFrame:
    """checkpoint, loss, self_influence of one row; both float [T]."""
    return pd.DataFrame({"checkpoint": np.arange(1, len(loss) + 1), "loss": np.asarray(loss, np.float64),
                         "self_influence": np.asarray(self_influence, np.float64)})


def sample_influences(influence: np.ndarray, names: Sequence[str], position: int) -> pd.DataFrame:
    """capability, influence, percentile: one row's influence on each capability and the % of the pool below it."""
    own = influence[position]
    below = (influence < own).mean(axis=0) * 100 if len(influence) else own
    return pd.DataFrame({"capability": list(names), "influence": own.astype(np.float64), "percentile": below})
