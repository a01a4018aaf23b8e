"""Trajectories page: the warm-up's loss, and how target gradients change."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cadc.views.palette import POOL, UNASSIGNED, plain


def loss(log: pd.DataFrame, ends: Sequence[int] = ()) -> go.Figure:
    """Loss of each optimiser step, a running mean over it, and a mark at each checkpoint.

    log: columns step, loss; ends: steps after which a checkpoint was taken.
    """
    smooth = log["loss"].rolling(max(1, min(25, len(log) // 8)), min_periods=1).mean()
    figure = go.Figure()
    figure.add_scatter(x=log["step"], y=log["loss"], mode="lines", line={"color": POOL, "width": 1}, opacity=0.35,
                       name="each step", hovertemplate="step %{x}: %{y:.3f}<extra></extra>")
    figure.add_scatter(x=log["step"], y=smooth, mode="lines", line={"color": POOL, "width": 2.5}, name="running mean",
                       hovertemplate="up to step %{x}: %{y:.3f}<extra></extra>")
    for t, end in enumerate(ends, start=1):
        figure.add_vline(x=end, line={"dash": "dot", "color": UNASSIGNED, "width": 1}, annotation_text=f"θ{t}",
                         annotation_position="top left")
    figure.update_layout(height=300, margin={"l": 10, "r": 10, "t": 24, "b": 10}, xaxis={"title": "optimiser step"},
                         yaxis={"title": "loss"}, legend={"orientation": "h", "y": 1.16, "x": 0})
    return figure


def norms(table: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """One line per unit over the checkpoints, coloured by its capability (`views.trajectories.norm_table`)."""
    figure = go.Figure()
    for unit, part in table.groupby("unit", sort=False):
        figure.add_scatter(x=part["checkpoint"], y=part["norm"], mode="lines+markers", name=plain(unit, 40),
                           line={"color": colours.get(unit, POOL), "width": 1.5}, marker={"size": 5}, opacity=0.8,
                           hovertemplate=plain(unit, 60) + "<br>checkpoint %{x}: %{y:.3g}<extra></extra>")
    figure.update_layout(height=340, showlegend=False, margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         xaxis={"title": "checkpoint", "dtick": 1}, yaxis={"title": "gradient norm", "type": "log"})
    return figure
