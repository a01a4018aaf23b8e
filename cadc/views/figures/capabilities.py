"""Capabilities page: the map of target units, its similarity, and how the number of capabilities hangs on the settings.

M target units, K capabilities. A capability's id gives its colour and mark ('' is unassigned), its name is shown.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cadc.views.palette import UNASSIGNED, colour, place, plain, symbol

LABELLED = 26
"""Up to this many units carry their name on the map; more would overlap."""


def unit_map(table: pd.DataFrame, spots: np.ndarray, selected: Sequence[str] = ()) -> go.Figure:
    """Scatter of the units at spots [M, 2], a colour and mark per capability, its name at its centroid.

    table: as in `cadc.views.capabilities.unit_table`; selected: units drawn at full strength, the others faint. A
    point's customdata is its position.
    """
    figure = go.Figure()
    chosen = set(selected)
    for capability, part in table.groupby("capability", sort=True):
        rows = part["position"].to_numpy()
        figure.add_scatter(
            x=spots[rows, 0], y=spots[rows, 1], name=plain(part["name"].iloc[0], 30), customdata=rows.tolist(),
            mode="markers+text" if len(table) <= LABELLED else "markers",
            text=[plain(u, 22) for u in part["unit"]], textposition="bottom center",
            textfont={"size": 9.5, "color": UNASSIGNED},
            hovertext=[f"{plain(u)}<br>{plain(n)} · answers: {plain(f)} · {s} samples" for u, n, f, s in zip(
                part["unit"], part["name"], part["answer_format"], part["samples"], strict=True)],
            hoverinfo="text",
            marker={"size": 13, "color": colour(capability), "symbol": symbol(capability),
                    "opacity": [0.95 if not chosen or u in chosen else 0.25 for u in part["unit"]]})
        if capability:
            # Above the topmost unit: at the very centre it would cover units and their names.
            figure.add_annotation(x=float(spots[rows, 0].mean()), y=float(spots[rows, 1].max()), showarrow=False,
                                  text=f"<b>{plain(part['name'].iloc[0], 30)}</b>", yshift=20,
                                  font={"color": colour(capability), "size": 14})
    axis = {"showticklabels": False, "showgrid": False, "zeroline": False, "title": ""}
    figure.update_layout(height=520, dragmode="lasso", margin={"l": 10, "r": 10, "t": 10, "b": 10}, xaxis=axis,
                         yaxis=axis, showlegend=False, uirevision="map")
    if len(spots):
        low, high = spots.min(0), spots.max(0)
        room = np.maximum(high - low, 1e-3) * (0.16, 0.1)  # names of units at the rim stay inside
        figure.update_xaxes(range=[low[0] - room[0], high[0] + room[0]])
        figure.update_yaxes(range=[low[1] - room[1], high[1] + room[1]])
    return figure


def similarity_map(table: pd.DataFrame, similar: np.ndarray) -> go.Figure:
    """Heat map of S [M, M], units ordered by capability, a line between capabilities."""
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
    for edge in np.flatnonzero(groups[1:] != groups[:-1]) + 0.5:
        figure.add_hline(y=edge, line={"color": "white", "width": 1.5})
        figure.add_vline(x=edge, line={"color": "white", "width": 1.5})
    ticks = {"type": "category", "tickvals": names, "ticktext": [plain(u, 24) for u in order["unit"]],
             "showticklabels": len(rows) <= 40, "ticks": "", "tickfont": {"size": 10}}
    figure.update_layout(height=min(900, 260 + 20 * min(len(rows), 40)), margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         xaxis=ticks | {"tickangle": 45}, yaxis=ticks | {"autorange": "reversed"})
    return figure


def grid(sweep: pd.DataFrame, value: str, tau: float | None, gamma: float | None) -> go.Figure:
    """Heat map of `k` or `modularity` over τ and γ, a ring nearest to what is in force.

    sweep: columns tau, gamma, k, modularity.
    """
    wide = sweep.pivot(index="gamma", columns="tau", values=value)
    figure = go.Figure(go.Heatmap(
        z=wide.to_numpy(), x=[f"{t:.3f}" for t in wide.columns], y=[f"{g:g}" for g in wide.index], colorscale="Viridis",
        texttemplate="%{z:d}" if value == "k" else "%{z:.2f}", textfont={"size": 10}, colorbar={"title": ""},
        hovertemplate="τ %{x}, γ %{y}: %{z:.3f}<extra></extra>"))
    if tau is not None and gamma is not None and len(wide):
        row = min(wide.index, key=lambda g: abs(g - gamma))
        column = min(wide.columns, key=lambda t: abs(t - tau))
        figure.add_scatter(x=[f"{column:.3f}"], y=[f"{row:g}"], mode="markers", showlegend=False, hoverinfo="skip",
                           marker={"size": 18, "symbol": "circle-open", "color": "#D55E00", "line": {"width": 3}})
    figure.update_layout(height=320, margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         xaxis={"title": "similarity threshold τ", "type": "category"},
                         yaxis={"title": "resolution γ", "type": "category"})
    return figure
