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
        figure.add_bar(x=part["stage"].astype(str), y=part["rows"], name=plain(name, 28),
                       marker_color=colours.get(name, UNASSIGNED),
                       hovertemplate="stage %{x}: %{y:,} rows for %{fullData.name}<extra></extra>")
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_xaxes(title="stage, in training order", type="category", categoryorder="array",
                        categoryarray=[str(s) for s in dict.fromkeys(table["stage"])])
    figure.update_yaxes(title="rows")
    # Names below the axis, one or two on a line: above it, in a narrow column, they would push the bars out of sight.
    beside = 2 if max((len(trace.name) for trace in figure.data), default=0) <= 12 else 1
    lines = -(-len(figure.data) // beside)
    framed(figure, 240 + 20 * lines, traceorder="normal", yanchor="top", y=-0.3, entrywidthmode="fraction",
           entrywidth=0.98 / beside)
    return figure.update_layout(showlegend=True, margin={"b": 44 + 20 * lines})


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


def beside_pool(table: pd.DataFrame) -> go.Figure:
    """Share of each value in the pool and in the curriculum, a line each (`cadc.views.makeup.beside`)."""
    figure, places = go.Figure(), list(range(len(table)))
    for column, colour in (("pool", POOL_GREY), ("curriculum", CHOSEN)):
        figure.add_bar(y=places, x=table[column], name=column, marker_color=colour, orientation="h",
                       customdata=[plain(value, 40) for value in table["value"]],
                       hovertemplate="%{customdata}: %{x:.1%} of the " + column + "<extra></extra>")
    figure.update_layout(barmode="group", bargap=0.3)
    # A place on the axis each: two names that are cut to the same text must not become one line.
    figure.update_yaxes(autorange="reversed", tickvals=places, ticktext=[plain(v, 24) for v in table["value"]],
                        automargin=True)
    figure.update_xaxes(title="share of rows", tickformat=".0%", rangemode="tozero")
    return framed(figure, 110 + 30 * max(len(table), 1), traceorder="normal")


def _present(table: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Capabilities of a table, those in `order` first and in it."""
    found = list(dict.fromkeys(table["capability"]))
    return [name for name in order if name in found] + [name for name in found if name not in order]
