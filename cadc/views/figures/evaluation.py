"""Evaluation page: retrained models side by side on the target.

Inputs are the tables of `cadc.evaluation`: the tidy one (arm, seed, unit, accuracy 0…1, loss, n, rows, samples_seen,
steps, seconds) and its `summary` (arm, capability, accuracy, accuracy_sd, seeds, relative …).
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.frame import framed
from cadc.views.palette import arm_colours, plain


def arm_bars(summary: pd.DataFrame, arms: Sequence[str], groups: Sequence[str]) -> go.Figure:
    """One group of bars per capability (and overall), one bar per arm, whiskers = s.d. over seeds."""
    figure, colours = go.Figure(), arm_colours(arms)
    for arm in arms:
        part = summary[summary["arm"] == arm].set_index("capability").reindex(list(groups))
        figure.add_bar(x=[plain(g) for g in groups], y=part["accuracy"], name=plain(arm), marker_color=colours[arm],
                       error_y={"type": "data", "array": part["accuracy_sd"].fillna(0), "thickness": 1.2,
                                "color": "#8a9099"},
                       customdata=part[["accuracy_sd", "seeds", "relative"]].to_numpy(float),
                       hovertemplate="%{x}<br>accuracy %{y:.1%}, s.d. %{customdata[0]:.1%} over %{customdata[1]:.0f} "
                                     "seeds<br>%{customdata[2]:.0%} of full")
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="accuracy", tickformat=".0%", rangemode="tozero")
    return framed(figure, 380)


def unit_dots(summary: pd.DataFrame, arms: Sequence[str]) -> go.Figure:
    """One line per target unit, one dot per arm with its s.d.: where an arm wins and where it loses.

    summary: made with `cadc.views.evaluation.by_unit`.
    """
    units = [u for u in dict.fromkeys(summary["capability"]) if u != "overall"]
    figure, colours = go.Figure(), arm_colours(arms)
    for arm in arms:
        part = summary[summary["arm"] == arm].set_index("capability").reindex(units)
        figure.add_scatter(x=part["accuracy"], y=[plain(u, 40) for u in units], name=plain(arm), mode="markers",
                           marker={"color": colours[arm], "size": 9},
                           error_x={"type": "data", "array": part["accuracy_sd"].fillna(0), "thickness": 1},
                           hovertemplate="%{y}: %{x:.1%}")
    figure.update_yaxes(type="category", autorange="reversed", automargin=True)
    figure.update_xaxes(title="accuracy", tickformat=".0%", rangemode="tozero")
    return framed(figure, 120 + 24 * len(units))


def radar(summary: pd.DataFrame, arms: Sequence[str], groups: Sequence[str]) -> go.Figure:
    """One outline per arm over the capabilities: accuracy, 0 in the middle. Fewer than three: use the bars."""
    figure, colours = go.Figure(), arm_colours(arms)
    around = [*groups, groups[0]] if len(groups) else []
    for arm in arms:
        part = summary[summary["arm"] == arm].set_index("capability").reindex(around)
        figure.add_scatterpolar(r=part["accuracy"], theta=[plain(g, 28) for g in around], name=plain(arm),
                                line={"color": colours[arm], "width": 2}, hovertemplate="%{theta}: %{r:.1%}")
    figure.update_polars(radialaxis={"tickformat": ".0%", "rangemode": "tozero", "angle": 90, "tickangle": 90},
                         bgcolor="rgba(0,0,0,0)", angularaxis={"direction": "clockwise"})
    # names stand around the circle, and the legend above them
    return framed(figure, 420).update_layout(margin={"l": 36, "r": 36}, legend={"y": 1.08})


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
