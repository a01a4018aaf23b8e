"""Capabilities page: the map of target units, its similarity, and how the number of capabilities hangs on the settings.

M target units, K capabilities. A capability's id gives its colour and mark ('' is unassigned), its name is shown.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.frame import framed
from cadc.views.palette import colour, place, plain, symbol

Span = tuple[float, float]
"""From, to on an axis."""


def unit_map(table: pd.DataFrame, spots: np.ndarray) -> go.Figure:
    """Scatter of the units at spots [M, 2], a colour and mark per capability, named in the legend.

    table: as in `cadc.views.capabilities.unit_table`. A point's customdata is its position; its name shows when it is
    pointed at.
    """
    figure = go.Figure()
    for capability, part in table.groupby("capability", sort=True):
        rows = part["position"].to_numpy()
        figure.add_scatter(
            x=spots[rows, 0], y=spots[rows, 1], name=plain(part["name"].iloc[0], 30), customdata=rows.tolist(),
            mode="markers", hoverinfo="text",
            hovertext=[f"{plain(u)}<br>{plain(n)} · answers: {plain(f)} · {s} samples" for u, n, f, s in zip(
                part["unit"], part["name"], part["answer_format"], part["samples"], strict=True)],
            marker={"size": 11, "color": colour(capability), "symbol": symbol(capability), "opacity": 0.9})
    axis = {"showticklabels": False, "showgrid": False, "zeroline": False, "title": ""}
    figure.update_layout(xaxis=axis, yaxis=axis, showlegend=True)
    return framed(figure, 400)


def proportions(shares: pd.DataFrame) -> go.Figure:
    """Bars: how many of the target's units each capability has, and their share (`views.checkpoints.share_table`)."""
    # A place on the axis each: two names that are cut to the same text must not become one bar.
    figure = go.Figure(go.Bar(
        x=shares["units"], y=list(range(len(shares))), orientation="h", customdata=shares["share"],
        marker={"color": [colour(one) for one in shares["capability"]]}, texttemplate="%{x} · %{customdata:.0%}",
        textposition="auto", hovertemplate="%{x} units, %{customdata:.1%}<extra></extra>"))
    figure.update_layout(height=90 + 30 * len(shares), margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         xaxis={"title": "units of the target"},
                         yaxis={"autorange": "reversed", "tickvals": list(range(len(shares))),
                                "ticktext": [plain(name, 30) for name in shares["name"]]})
    return figure


def similarity_map(table: pd.DataFrame, similar: np.ndarray, chosen: Sequence[str] | None = None) -> go.Figure:
    """Heat map of S [M, M], units ordered by capability, a line between capabilities.

    chosen: units that stand out; then its cells can be clicked too (of many units those of the diagonal alone): the
    customdata is place · M + place of the two units of a cell.
    """
    order = table.assign(place=[place(c) if c else len(table) + 1 for c in table["capability"]]).sort_values(
        ["place", "own"], ascending=[True, False])
    rows = order["position"].to_numpy()
    values = similar[np.ix_(rows, rows)]
    # Categories, not a text per cell: 162 units would send 26 000 pairs of names.
    names = [f"{plain(u, 40)} ({plain(n, 24)})" for u, n in zip(order["unit"], order["name"], strict=True)]
    names = [name if names.count(name) == 1 else f"{name} #{row}" for row, name in enumerate(names)]
    off = values[~np.eye(len(values), dtype=bool)]
    low, high = (float(off.min()), float(off.max())) if len(off) else (0.0, 1.0)
    figure = go.Figure(go.Heatmap(
        z=values, x=names, y=names, zmin=min(low, 0.0), zmax=high, colorscale="Viridis", colorbar={"title": "S"},
        hovertemplate="%{y}<br>%{x}<br>S = %{z:.3f}<extra></extra>"))
    groups = order["capability"].to_numpy()
    whole, shapes = (-0.5, len(rows) - 0.5), list[dict[str, Any]]()
    for edge in (np.flatnonzero(groups[1:] != groups[:-1]) + 0.5).tolist():
        shapes += [_shape("line", x, y, "white", 1.5) for x, y in ((whole, (edge, edge)), ((edge, edge), whole))]
    picked = [unit in (chosen or ()) for unit in order["unit"]]
    ticks = {"type": "category", "tickvals": names, "ticktext": [
        f"<b>▸ {plain(u, 22)}</b>" if on else plain(u, 24) for u, on in zip(order["unit"], picked, strict=True)],
             "showticklabels": len(rows) <= CLICKED, "ticks": "", "tickfont": {"size": 10}, "showgrid": False,
             "range": [-0.5, len(rows) - 0.5]}
    if chosen is not None:
        _cells(figure, values, names, rows)
        shapes += _frames(np.flatnonzero(picked), whole)
    # Above it there is room for the buttons that float there on hover: they would cover cells.
    # Shapes all at once: plotly looks through every one again for each that is added.
    figure.update_layout(height=min(900, 280 + 20 * min(len(rows), 40)), shapes=shapes,
                         margin={"l": 10, "r": 10, "t": 30, "b": 10},
                         xaxis=ticks | {"tickangle": 45}, yaxis=ticks | {"range": [len(rows) - 0.5, -0.5]})
    return figure


def _cells(figure: go.Figure, values: np.ndarray, names: Sequence[str], rows: np.ndarray) -> None:
    """A heat map cannot be chosen from in Streamlit, points that nobody sees can; thousands of them are too many."""
    count = len(rows)
    cells = [(a, b) for a in range(count) for b in range(count) if count <= CLICKED or a == b]
    figure.add_scatter(
        x=[names[b] for _, b in cells], y=[names[a] for a, _ in cells], mode="markers", showlegend=False,
        customdata=[int(rows[a]) * count + int(rows[b]) for a, b in cells], text=[f"{values[c]:.3f}" for c in cells],
        hovertemplate="%{y}<br>%{x}<br>S = %{text}<extra></extra>", marker={"size": 16, "opacity": 0},
        selected={"marker": {"opacity": 0}}, unselected={"marker": {"opacity": 0}})


def _frames(places: np.ndarray, whole: Span) -> list[dict[str, Any]]:
    """Around the lines and columns of the units that are picked; of more than two around their own cells."""
    spans = [(float(one) - 0.5, float(one) + 0.5) for one in places]
    boxes = [box for span in spans for box in ([(whole, span), (span, whole)] if len(spans) <= 2 else [(span, span)])]
    return [_shape("rect", x, y, "#D55E00", 2.5) for x, y in boxes]


def _shape(kind: str, x: Span, y: Span, ink: str, width: float) -> dict[str, Any]:
    return {"type": kind, "x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1], "line": {"color": ink, "width": width}}


CLICKED = 40
"""Up to so many units every one has its name on the axes, and every cell of the similarity can be clicked."""


def grid(table: pd.DataFrame, value: str, now: int | None, wide: Sequence[bool] = ()) -> go.Figure:
    """Heat map of a column over τ and γ; a ring on line `now`, what is in force, a frame around the cells `wide`.

    table: columns tau, gamma, k and the value, ordered by tau and gamma. A cell can be clicked: its customdata is its
    line.
    """
    across, up = sorted(table["tau"].unique()), sorted(table["gamma"].unique())
    x, y = [across.index(t) for t in table["tau"]], [up.index(g) for g in table["gamma"]]
    values = table.pivot(index="gamma", columns="tau", values=value).to_numpy()
    said = [[f"{v:.0f}" if value == "k" else f"{v:.2f}".replace("0.", ".") for v in line] for line in values]
    figure = go.Figure(go.Heatmap(
        z=values, x=list(range(len(across))), y=list(range(len(up))), colorscale="Viridis", hoverinfo="skip",
        text=said, texttemplate="%{text}", textfont={"size": 9}, colorbar={"title": ""}))
    inside = {(a, b) for a, b, on in zip(x, y, wide, strict=False) if on}
    edges = [(a + dx, b + dy, a + ex, b + ey) for a, b in inside for (sx, sy), (dx, dy, ex, ey) in _SIDES.items()
             if (a + sx, b + sy) not in inside]
    for x0, y0, x1, y1 in sorted(edges):
        figure.add_shape(type="line", x0=x0, y0=y0, x1=x1, y1=y1, line={"color": "#D55E00", "width": 3})
    # A heat map cannot be chosen from in Streamlit, points that nobody sees can.
    figure.add_scatter(x=x, y=y, mode="markers", showlegend=False, customdata=list(range(len(table))),
                       marker={"size": 22, "symbol": "square", "opacity": 0}, selected={"marker": {"opacity": 0}},
                       unselected={"marker": {"opacity": 0}}, hoverinfo="text",
                       hovertext=[f"τ {t:.3f}, γ {g:g}: {v:.3g}, K {k}" for t, g, v, k in zip(
                           table["tau"], table["gamma"], table[value], table["k"], strict=True)])
    if now is not None:
        figure.add_scatter(x=[x[now]], y=[y[now]], mode="markers", showlegend=False, hoverinfo="skip",
                           marker={"size": 20, "symbol": "circle-open", "color": "#D55E00", "line": {"width": 3}},
                           unselected={"marker": {"opacity": 1}})
    figure.update_layout(height=320, margin={"l": 10, "r": 10, "t": 10, "b": 10}, dragmode="pan",
                         xaxis={"title": "similarity threshold τ", "tickvals": list(range(len(across))),
                                "ticktext": [f"{t:.3f}" for t in across], "fixedrange": True, "zeroline": False},
                         yaxis={"title": "resolution γ", "tickvals": list(range(len(up))), "fixedrange": True,
                                "ticktext": [f"{g:g}" for g in up], "zeroline": False})
    return figure


_SIDES = {(-1, 0): (-.5, -.5, -.5, .5), (1, 0): (.5, -.5, .5, .5), (0, -1): (-.5, -.5, .5, -.5),
          (0, 1): (-.5, .5, .5, .5)}
"""Neighbour of a cell → the edge that lies between them."""
