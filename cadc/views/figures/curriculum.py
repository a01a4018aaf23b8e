"""Curriculum page: what the stages and the chosen rows are made of. Tables of `cadc.views.curriculum` in, figures out.

A capability is named by its label; `colours` maps each label to its hex colour (the same on every page).
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.frame import framed
from cadc.views.palette import CHOSEN, POOL_GREY, UNASSIGNED, plain


def stage_mixture(table: pd.DataFrame, colours: Mapping[str, str], order: Sequence[str]) -> go.Figure:
    """Stacked bars: one per stage, in training order from left to right (`mixture_table`)."""
    figure = go.Figure()
    for name in _present(table, order):
        part = table[table["capability"] == name]
        figure.add_bar(x=part["stage"].astype(str), y=part["rows"], name=plain(name),
                       marker_color=colours.get(name, UNASSIGNED),
                       hovertemplate="stage %{x}: %{y:,} rows for %{fullData.name}<extra></extra>")
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_xaxes(title="stage, in training order", type="category", categoryorder="array",
                        categoryarray=[str(s) for s in dict.fromkeys(table["stage"])])
    figure.update_yaxes(title="rows")
    figure.update_layout(showlegend=False)  # the sliders beside it carry names and colours; hovering names a part too
    return framed(figure, 240, traceorder="normal")


def composition(table: pd.DataFrame, colours: Mapping[str, str], order: Sequence[str]) -> go.Figure:
    """Horizontal stacked bars: one per source, coloured by the capability that its rows were chosen for."""
    figure, sources = go.Figure(), list(dict.fromkeys(table["source"]))
    for name in _present(table, order):
        part = table[table["capability"] == name]
        figure.add_bar(y=[plain(s, 32) for s in part["source"]], x=part["rows"], name=plain(name), orientation="h",
                       marker_color=colours.get(name, UNASSIGNED), hovertemplate="%{y}: %{x:,} rows")
    figure.update_layout(barmode="stack")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=[plain(s, 32) for s in reversed(sources)],
                        automargin=True)
    figure.update_xaxes(title="rows in the curriculum")
    return framed(figure, 130 + 24 * len(sources), traceorder="normal")


def formats(table: pd.DataFrame) -> go.Figure:
    """Share of each answer format in the pool and in the curriculum (`format_table`)."""
    figure = go.Figure()
    for column, colour in (("pool", POOL_GREY), ("curriculum", CHOSEN)):
        figure.add_bar(x=table["answer_format"], y=table[column], name=column, marker_color=colour,
                       hovertemplate="%{x}: %{y:.1%} of the " + column)
    figure.update_layout(barmode="group")
    figure.update_xaxes(title="answer format", type="category")
    figure.update_yaxes(title="share of rows", tickformat=".0%")
    return framed(figure, 300, traceorder="normal")


def _present(table: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Capabilities of a table, those in `order` first and in it."""
    found = list(dict.fromkeys(table["capability"]))
    return [name for name in order if name in found] + [name for name in found if name not in order]
