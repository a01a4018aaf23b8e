"""Evaluation page: retrained models side by side on the target.

Inputs are the tables of `cadc.evaluation`: the tidy one (arm, seed, unit, accuracy 0…1, loss, n, rows, samples_seen,
steps, seconds) and its `summary` (arm, capability, accuracy, accuracy_sd, seeds, relative …).
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.frame import framed
from cadc.views.palette import arm_colours, plain


def arm_dots(summary: pd.DataFrame, arms: Sequence[str], groups: Sequence[str]) -> go.Figure:
    """One band per capability (and overall), in it one dot per arm with its interval, each on a line of its own.

    summary: with `reach`, half of the interval (`cadc.views.comparison.with_intervals`).
    """
    figure, colours = go.Figure(), arm_colours(arms)
    band = len(arms) + 1  # a line for each arm and one between two bands
    for number, arm in enumerate(arms):
        part = summary[summary["arm"] == arm].set_index("capability").reindex(list(groups))
        figure.add_scatter(
            x=part["accuracy"], y=[place * band + number for place in range(len(groups))], name=plain(arm),
            mode="markers", marker={"color": colours[arm], "size": 10},
            error_x={"type": "data", "array": part["reach"].fillna(0), "thickness": 1.5, "width": 4},
            customdata=[(plain(group), "" if row.reach != row.reach else f" ± {row.reach:.1%}", row.seeds, row.relative)
                        for group, row in zip(groups, part.itertuples(), strict=True)],
            hovertemplate="%{customdata[0]}: %{x:.1%}%{customdata[1]}, seeds: %{customdata[2]:.0f}<br>"
                          "%{customdata[3]:.0%} of full")
    for place in range(1, len(groups)):
        figure.add_hline(y=place * band - 1, line={"color": "#8a9099", "width": 0.5})
    middle = [place * band + (len(arms) - 1) / 2 for place in range(len(groups))]
    figure.update_yaxes(tickvals=middle, ticktext=[plain(g, 28) for g in groups], showgrid=False, zeroline=False,
                        range=[len(groups) * band - 1, -1], automargin=True)
    figure.update_xaxes(title="accuracy", tickformat=".0%")
    return framed(figure, 110 + 15 * band * len(groups))


def difference_dots(table: pd.DataFrame, reference: str) -> go.Figure:
    """Paired differences to one arm with their intervals, most ahead on top; hollow where chance alone may be behind it
    (`cadc.views.comparison.chance_table`)."""
    figure, colours = go.Figure(), arm_colours([*table["arm"]])
    places = list(range(len(table)))
    sure = [reading in ("better", "worse") for reading in table["reading"]]
    own = [colours[arm] for arm in table["arm"]]
    middle = table[f"minus {reference}"]
    figure.add_scatter(
        x=middle, y=places, mode="markers", customdata=[plain(arm) for arm in table["arm"]], showlegend=False,
        marker={"size": 11, "color": own, "symbol": ["circle" if one else "circle-open" for one in sure],
                "line": {"width": 2}},
        error_x={"type": "data", "symmetric": False, "array": (table["to"] - middle).fillna(0),
                 "arrayminus": (middle - table["from"]).fillna(0), "thickness": 1.5, "width": 5, "color": "#8a9099"},
        hovertemplate="%{customdata}: %{x:+.1f} points<extra></extra>")
    figure.add_vline(x=0, line={"color": "#8a9099", "width": 1.5, "dash": "dash"})
    figure.update_yaxes(tickvals=places, ticktext=[plain(arm, 28) for arm in table["arm"]], showgrid=False,
                        zeroline=False, range=[len(table) - 0.5, -0.5], automargin=True)
    figure.update_xaxes(title=f"points of accuracy more than {plain(reference)}", zeroline=False)
    return framed(figure, 90 + 34 * max(len(table), 1))


def unit_dots(summary: pd.DataFrame, arms: Sequence[str]) -> go.Figure:
    """One line per target unit, one dot per arm with its s.d., a little apart: where an arm wins and where it loses.

    summary: made with `cadc.views.evaluation.by_unit`.
    """
    units = [u for u in dict.fromkeys(summary["capability"]) if u != "overall"]
    figure, colours = go.Figure(), arm_colours(arms)
    apart = 0.7 / max(len(arms), 1)  # arms of equal accuracy would hide each other
    for number, arm in enumerate(arms):
        part = summary[summary["arm"] == arm].set_index("capability").reindex(units)
        own = (number - (len(arms) - 1) / 2) * apart
        figure.add_scatter(x=part["accuracy"], y=[place + own for place in range(len(units))], name=plain(arm),
                           mode="markers", marker={"color": colours[arm], "size": 8},
                           customdata=[plain(u, 40) for u in units],
                           error_x={"type": "data", "array": part["accuracy_sd"].fillna(0), "thickness": 1},
                           hovertemplate="%{customdata}: %{x:.1%}")
    figure.update_yaxes(tickvals=list(range(len(units))), ticktext=[plain(u, 40) for u in units], automargin=True,
                        zeroline=False, range=[len(units) - 0.5, -0.5])
    figure.update_xaxes(title="accuracy", tickformat=".0%", rangemode="tozero")
    return framed(figure, 120 + (12 + 6 * max(len(arms), 2)) * len(units))


def budget_curve(points: pd.DataFrame, lines: Mapping[str, float]) -> go.Figure:
    """Accuracy over the budget, one line per arm with its s.d.; `base` and `full` dashed."""
    arms = list(dict.fromkeys(points["arm"]))
    figure, colours = go.Figure(), arm_colours([*arms, *lines])
    for arm in arms:
        part = points[points["arm"] == arm]
        figure.add_scatter(x=part["budget"], y=part["accuracy"], name=plain(arm), mode="lines+markers",
                           line={"color": colours[arm], "width": 2}, marker={"size": 8}, customdata=part[["rows"]],
                           error_y={"type": "data", "array": part["sd"].fillna(0), "thickness": 1.2},
                           hovertemplate="%{x:.1%} (%{customdata[0]:,.0f} rows): %{y:.1%}")
    for arm, level in lines.items():
        figure.add_hline(y=level, line={"color": colours[arm], "dash": "dash", "width": 1.5},
                         annotation={"text": plain(arm), "font": {"size": 12}})
    ticks = sorted(set(points["budget"]))
    figure.update_xaxes(title="budget, share of the pool", type="log", tickvals=ticks,
                        ticktext=[f"{100 * tick:g} %" for tick in ticks])
    figure.update_yaxes(title="accuracy", tickformat=".0%", rangemode="tozero")
    return framed(figure, 380)
