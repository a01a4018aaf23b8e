"""Influence page: who feeds which capability, how strongly, and how hard the model still finds it.

T checkpoints, K capabilities. Tables of `cadc.views.influence` in; plotly figures or an ECharts spec out. A capability
is named by its label; `colours` maps each label to its hex colour (the same on every page).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.frame import framed
from cadc.views.palette import UNASSIGNED, plain

_MARK = "\u200b"
INK = {"light": "#1B1F24", "dark": "#F3F5F7"}
HEIGHT = 340


def sankey(drawn: pd.DataFrame, sources: Sequence[str], targets: Sequence[str], colours: Mapping[str, str], *,
           theme: str | None = None) -> dict[str, Any]:
    """ECharts spec: sources on the left, capabilities on the right, thickness = `value` (of `views.influence.links`).

    Edge i is row i of `drawn`; nodes are `sources`, then `targets` (`views.influence.ends`, read back by `picked`).
    `theme` (`light` or `dark`) decides the ink of the names: the chart's own grey is too faint on a coloured flow.
    ECharts knows a node by its name: an invisible mark after each source keeps one called like a capability apart.
    """
    clip = {"width": 190, "overflow": "truncate", "color": INK.get(theme or "light", INK["light"])}
    nodes = [{"name": name + _MARK, "itemStyle": {"color": UNASSIGNED}, "label": {"position": "right", **clip}}
             for name in sources]
    nodes += [{"name": name, "itemStyle": {"color": colours.get(name, UNASSIGNED)},
               "label": {"position": "left", "fontWeight": "bold", **clip}} for name in targets]
    edges = [{"source": row.source + _MARK, "target": row.capability, "value": round(float(row.value), 4),
              "lineStyle": {"color": colours.get(row.capability, UNASSIGNED)}} for row in drawn.itertuples()]
    series = {"type": "sankey", "selectedMode": "single", "emphasis": {"focus": "adjacency"}, "nodeAlign": "justify",
              "draggable": False, "left": 8, "right": 8, "top": 8, "bottom": 8, "nodeGap": 6, "layoutIterations": 0,
              "lineStyle": {"opacity": 0.45}, "select": {"itemStyle": {"borderWidth": 2},
                                                        "lineStyle": {"opacity": 0.9}},
              "data": nodes, "links": edges}
    return {"aria": {"enabled": True}, "animation": False, "tooltip": {"trigger": "item"}, "series": [series]}


def self_influence_lines(table: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """One line per capability over the checkpoints (`views.influence.self_influence_table`)."""
    figure = go.Figure()
    for name, part in table.groupby("capability", sort=False):
        figure.add_scatter(x=part["checkpoint"], y=part["mean"], name=plain(name), mode="lines+markers",
                           line={"color": colours.get(name, UNASSIGNED)}, customdata=part["rows"],
                           hovertemplate="checkpoint %{x}<br>%{y:.4g}<br>mean of %{customdata:,} rows")
    figure.update_xaxes(title="checkpoint", dtick=1)
    figure.update_yaxes(title="mean self-influence η·‖g‖²", rangemode="tozero")
    return framed(figure, HEIGHT)


def self_influence_bars(change: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """Bars of `views.influence.change_table`: below zero the model has learnt the pool's rows, above zero they became
    harder."""
    figure = go.Figure()
    for name, part in change.groupby("capability", sort=False):
        figure.add_bar(x=part["interval"], y=part["change"], name=plain(name),
                       marker_color=colours.get(name, UNASSIGNED), hovertemplate="checkpoints %{x}<br>%{y:+.4g}")
    figure.update_layout(barmode="group")
    figure.update_xaxes(title="between checkpoints", type="category")
    figure.update_yaxes(title="change of mean self-influence", zeroline=True)
    return framed(figure, HEIGHT)


def influence_histogram(table: pd.DataFrame, colours: Mapping[str, str],
                        picked: tuple[float | None, float | None] = (None, None)) -> go.Figure:
    """Outlines of `views.influence.histogram_table`: thin for all rows, filled for those that the capability claims.
    A range can be drawn across them; what lies outside the one that is picked (None: no bound) is under a veil."""
    figure = go.Figure()
    for name, part in table.groupby("capability", sort=False):
        middle, colour, shown = (part["left"] + part["right"]) / 2, colours.get(name, UNASSIGNED), plain(name)
        figure.add_scatter(x=middle, y=part["rows"], name=shown, mode="lines", legendgroup=shown, showlegend=False,
                           line={"color": colour, "shape": "hvh", "width": 1},
                           hovertemplate="%{x:.3g}: %{y:,} rows of the whole pool")
        figure.add_scatter(x=middle, y=part["own"], name=shown, mode="lines", legendgroup=shown,
                           line={"color": colour, "shape": "hvh", "width": 2}, fill="tozeroy",
                           hovertemplate="%{x:.3g}: %{y:,} rows that it claims")
    figure.update_xaxes(title="influence on the capability")
    figure.update_yaxes(title="rows (logarithmic)", type="log", rangemode="nonnegative", dtick=1)
    if not table.empty:
        ends = float(table["left"].min()), float(table["right"].max())
        figure.update_xaxes(range=ends)  # the veil would widen it
        for start, end in ((ends[0], picked[0]), (picked[1], ends[1])):
            if start is not None and end is not None:
                figure.add_vrect(x0=start, x1=end, fillcolor="#808080", opacity=0.35, line_width=0)
        for edge in (edge for edge in picked if edge is not None):
            figure.add_vline(x=edge, line={"color": "#D55E00", "width": 2})
    figure.update_layout(dragmode="select", selectdirection="h")
    return framed(figure, HEIGHT)


def sample_losses(table: pd.DataFrame) -> go.Figure:
    """Loss of one row over the checkpoints, its self-influence on hover (`views.influence.sample_table`)."""
    figure = go.Figure()
    figure.add_scatter(x=table["checkpoint"], y=table["loss"], mode="lines+markers", name="loss",
                       line={"color": UNASSIGNED}, customdata=table["self_influence"],
                       hovertemplate="checkpoint %{x}<br>loss %{y:.3f}<br>self-influence %{customdata:.3g}")
    figure.update_xaxes(title="checkpoint", dtick=1)
    figure.update_yaxes(title="loss of the answer", rangemode="tozero")
    return framed(figure, 200)
