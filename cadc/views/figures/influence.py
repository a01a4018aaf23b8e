"""Influence page: who feeds which capability, how strongly, and how hard the model still finds it.

N pool rows, T checkpoints, K capabilities. Pure: arrays and DataFrames in; DataFrames, plotly figures or an ECharts
spec out. A capability is named by its label; `colours` maps each label to its hex colour (the same on every page).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.palette import UNASSIGNED, plain

UNATTRIBUTED = "unattributed"
"""Label of the rows that no capability claims (pool -1): shown and counted, never dropped (METHOD §4)."""
GREY = UNASSIGNED
_MARK = "\u200b"
NO_SOURCE = "(no source)"
INK = {"light": "#1B1F24", "dark": "#F3F5F7"}
MEASURES = {"rows": "rows", "influence": "summed influence"}


@dataclass(frozen=True, kw_only=True)
class Pick:
    """What was clicked or chosen: a source, a capability, or both (a link). None: all of them."""

    source: str | None = None
    capability: str | None = None

    @property
    def text(self) -> str:
        """Plain words for it (the source is dataset text: show it with `st.text` only)."""
        return f"{self.source or 'all sources'} → {self.capability or 'all capabilities'}"


def source_labels(source: pd.Series, limit: int = 24) -> np.ndarray:
    """object [N]: the source of each row; beyond the `limit` largest, the rest becomes one counted group."""
    named = source.fillna("").astype(str).str.strip().replace("", NO_SOURCE)
    counts = named.value_counts()
    if len(counts) <= limit:
        return named.to_numpy(object)
    kept = set(counts.index[:limit - 1])
    return np.where(named.isin(kept), named, f"{len(counts) - limit + 1} other sources").astype(object)


def links(flows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Flows (source, capability, rows, influence) that a Sankey can draw, with their `value` > 0, largest source first.

    `measure`: `rows` or `influence`; a flow of no positive influence has no thickness and is left to the table.
    """
    drawn = flows.assign(value=flows[measure].astype(float))
    drawn = drawn[np.isfinite(drawn["value"]) & (drawn["value"] > 0)]
    size = drawn.groupby("source", observed=True)["value"].transform("sum")
    order = drawn.assign(size=size).sort_values(["size", "source", "value"], ascending=[False, True, False])
    return order.drop(columns="size").reset_index(drop=True)


def sankey(drawn: pd.DataFrame, capabilities: Sequence[str], colours: Mapping[str, str], *,
           theme: str | None = None) -> dict[str, Any]:
    """ECharts spec: sources on the left, capabilities on the right, thickness = `value` (of `links`).

    Edge i is row i of `drawn`; nodes are the sources in order of appearance, then the capabilities (see `picked`).
    `theme` (`light` or `dark`) decides the ink of the names: the chart's own grey is too faint on a coloured flow.
    ECharts knows a node by its name: an invisible mark after each source keeps one called like a capability apart.
    """
    sources, targets = _ends(drawn, capabilities)
    clip = {"width": 190, "overflow": "truncate", "color": INK.get(theme or "light", INK["light"])}
    nodes = [{"name": name + _MARK, "itemStyle": {"color": GREY}, "label": {"position": "right", **clip}}
             for name in sources]
    nodes += [{"name": name, "itemStyle": {"color": colours.get(name, GREY)},
               "label": {"position": "left", "fontWeight": "bold", **clip}} for name in targets]
    edges = [{"source": row.source + _MARK, "target": row.capability, "value": round(float(row.value), 4),
              "lineStyle": {"color": colours.get(row.capability, GREY)}} for row in drawn.itertuples()]
    series = {"type": "sankey", "selectedMode": "single", "emphasis": {"focus": "adjacency"}, "nodeAlign": "justify",
              "draggable": False, "left": 8, "right": 8, "top": 8, "bottom": 8, "nodeGap": 6, "layoutIterations": 0,
              "lineStyle": {"opacity": 0.45}, "select": {"itemStyle": {"borderWidth": 2},
                                                        "lineStyle": {"opacity": 0.9}},
              "data": nodes, "links": edges}
    return {"aria": {"enabled": True}, "animation": False, "tooltip": {"trigger": "item"}, "series": [series]}


def _ends(drawn: pd.DataFrame, capabilities: Sequence[str]) -> tuple[list[str], list[str]]:
    present = set(drawn["capability"])
    return list(dict.fromkeys(drawn["source"])), [c for c in [*capabilities, UNATTRIBUTED] if c in present]


def picked(event: Mapping[str, Any] | None, drawn: pd.DataFrame, capabilities: Sequence[str]) -> Pick | None:
    """The node or link a click on `sankey` meant; None for no click, or one that does not fit the chart any more."""
    groups = ((event or {}).get("selection") or {}).get("selected") or []
    sources, targets = _ends(drawn, capabilities)
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


def drawn_note(pools: np.ndarray) -> str:
    """How many of the pool's rows the lines and bars are about."""
    return f"drawn {int((pools >= 0).sum()):,} of {len(pools):,} rows: those that a capability claims"


def flow_note(flows: pd.DataFrame, drawn: pd.DataFrame, total: int) -> str:
    """How many of the pool's `total` rows a Sankey draws; `drawn` are the `links` of `flows`."""
    missing = len(flows) - len(drawn)
    hidden = f"; {missing:,} flows have no positive influence and are not drawn" if missing else ""
    return f"drawn {int(drawn['rows'].sum()):,} of {total:,} rows in {len(drawn):,} flows{hidden}"


def height(drawn: pd.DataFrame) -> int:
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


def self_influence_lines(table: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """One line per capability over the checkpoints (`self_influence_table`)."""
    figure = go.Figure()
    for name, part in table.groupby("capability", sort=False):
        figure.add_scatter(x=part["checkpoint"], y=part["mean"], name=plain(name), mode="lines+markers",
                           line={"color": colours.get(name, GREY)}, customdata=part["rows"],
                           hovertemplate="checkpoint %{x}<br>%{y:.4g}<br>mean of %{customdata:,} rows")
    figure.update_xaxes(title="checkpoint", dtick=1)
    figure.update_yaxes(title="mean self-influence η·‖g‖²", rangemode="tozero")
    return _finish(figure)


def self_influence_bars(change: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """Bars of `change_table`: below zero the model has learnt the pool's rows, above zero they became harder."""
    figure = go.Figure()
    for name, part in change.groupby("capability", sort=False):
        figure.add_bar(x=part["interval"], y=part["change"], name=plain(name), marker_color=colours.get(name, GREY),
                       hovertemplate="checkpoints %{x}<br>%{y:+.4g}")
    figure.update_layout(barmode="group")
    figure.update_xaxes(title="between checkpoints", type="category")
    figure.update_yaxes(title="change of mean self-influence", zeroline=True)
    return _finish(figure)


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


def influence_histogram(table: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """Outlines of `histogram_table`: thin for all rows, filled for those that the capability claims."""
    figure = go.Figure()
    for name, part in table.groupby("capability", sort=False):
        middle, colour, shown = (part["left"] + part["right"]) / 2, colours.get(name, GREY), plain(name)
        figure.add_scatter(x=middle, y=part["rows"], name=shown, mode="lines", legendgroup=shown, showlegend=False,
                           line={"color": colour, "shape": "hvh", "width": 1},
                           hovertemplate="%{x:.3g}: %{y:,} rows of the whole pool")
        figure.add_scatter(x=middle, y=part["own"], name=shown, mode="lines", legendgroup=shown,
                           line={"color": colour, "shape": "hvh", "width": 2}, fill="tozeroy",
                           hovertemplate="%{x:.3g}: %{y:,} rows that it claims")
    figure.update_xaxes(title="influence on the capability")
    figure.update_yaxes(title="rows (logarithmic)", type="log", rangemode="nonnegative", dtick=1)
    return _finish(figure)


def serves_table(served: pd.DataFrame, targets: pd.DataFrame, positions: np.ndarray) -> pd.DataFrame:
    """unit, question, value of the target sample that each position serves best, in the order of `positions`.

    served: `scores.influence.served` (position, target_index, value); targets: target table (index, unit, question). A
    row that serves no assigned unit gets empty texts and a value of nan.
    """
    best = served.drop_duplicates("position").set_index("position").reindex(positions)
    words = targets.drop_duplicates("index").set_index("index")[["unit", "question"]]
    found = words.reindex(best["target_index"]).fillna("").reset_index(drop=True)
    return found.assign(value=best["value"].to_numpy())


def served_words(served: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """question, answer, unit, value: the target samples of `cadc.scores.influence.served`, in its order."""
    words = targets.drop_duplicates("index").set_index("index")[["question", "answer", "unit"]]
    found = words.reindex(served["target_index"]).reset_index(drop=True)
    return found.assign(value=served["value"].to_numpy())


def row_table(table: pd.DataFrame, capability: Sequence[str], influence: np.ndarray, names: Sequence[str],
              serves: pd.DataFrame) -> pd.DataFrame:
    """What a page of pool rows shows: one line per row of `table` (index, images, question, answer …), in order.

    capability: label per row; influence: float [n, K]; serves: columns unit, target question of each row's reason
    ('' where it has none), in the same order. One column `→ name` per capability.
    """
    shown = table.reset_index(drop=True).assign(capability=list(capability))
    columns = {f"→ {name}": influence[:, k].astype(float) for k, name in enumerate(names)}
    return shown.assign(serves=serves["question"].to_numpy(), of_unit=serves["unit"].to_numpy(), **columns)


def measured_note(measured: np.ndarray, correlation: np.ndarray | None, names: Sequence[str]) -> str:
    """One line on predicted rows; '' where there are none.

    measured: bool [N]; correlation: held-out rank correlation on each capability, [K], or None.
    """
    if measured.all():
        return ""
    share = f"{measured.mean():.0%} of rows measured, the others predicted from one forward"
    if correlation is None or not len(correlation):
        return share + "."
    low = int(np.argmin(correlation))
    return (f"{share}; held-out rank correlation {np.median(correlation):.2f} "
            f"(lowest capability: {names[low]}, {correlation[low]:.2f}).")


def sample_table(loss: np.ndarray, self_influence: np.ndarray) -> pd.DataFrame:
    """checkpoint, loss, self_influence of one row; both float [T]."""
    return pd.DataFrame({"checkpoint": np.arange(1, len(loss) + 1), "loss": np.asarray(loss, np.float64),
                         "self_influence": np.asarray(self_influence, np.float64)})


def sample_influences(influence: np.ndarray, names: Sequence[str], position: int) -> pd.DataFrame:
    """capability, influence, percentile: one row's influence on each capability and the % of the pool below it."""
    own = influence[position]
    below = (influence < own).mean(axis=0) * 100 if len(influence) else own
    return pd.DataFrame({"capability": list(names), "influence": own.astype(np.float64), "percentile": below})


def sample_losses(table: pd.DataFrame) -> go.Figure:
    """Loss of one row over the checkpoints, its self-influence on hover (`sample_table`)."""
    figure = go.Figure()
    figure.add_scatter(x=table["checkpoint"], y=table["loss"], mode="lines+markers", name="loss", line={"color": GREY},
                       customdata=table["self_influence"],
                       hovertemplate="checkpoint %{x}<br>loss %{y:.3f}<br>self-influence %{customdata:.3g}")
    figure.update_xaxes(title="checkpoint", dtick=1)
    figure.update_yaxes(title="loss of the answer", rangemode="tozero")
    return _finish(figure, height=200)


def _finish(figure: go.Figure, height: int = 340) -> go.Figure:
    """Room for the axes, the legend above the plot."""
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 28, "b": 8}, hovermode="closest",
                         legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0})
    return figure
