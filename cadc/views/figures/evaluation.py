"""Evaluation page: retrained models side by side on the target.

Inputs are the tables of `cadc.evaluation`: the tidy one (arm, seed, unit, accuracy 0…1, loss, n, rows, samples_seen,
steps, seconds) and its `summary` (arm, capability, accuracy, accuracy_sd, seeds, relative …). Pure: DataFrames in,
DataFrames and plotly figures out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.palette import plain

ARM_COLOURS = {"base": "#c3c7cc", "random": "#8a9099", "random-no-duplicates": "#a7adb5",
               "random-filtered": "#74808c", "full": "#5f6b7a",
               "cadc": "#0b7a75", "cadc-mixed": "#6cc5bf", "cadc-staged": "#2f9f99", "oracle": "#8fa8c4"}
"""Greys and teals, never taken for a capability's colour; each is seen on light and on dark inputs."""
_OTHERS = ("#b08968", "#7f5539", "#d4a373", "#a98467", "#9c6644", "#6f5e53", "#c9ada7", "#8d7b68", "#b5838d", "#6d6875",
           "#a5a58d", "#84a98c", "#52796f", "#997b66")


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """A colour for each arm; arms without a fixed one get browns, in order."""
    free = iter(_OTHERS * (1 + len(arms)))
    return {arm: ARM_COLOURS.get(arm) or next(free) for arm in arms}


def work(settings: Mapping[str, object], units: int, pool: int = 0, budget: float = 0.05) -> dict[str, int]:
    """runs, trained, scored (samples) of a comparison, before it starts.

    settings: `EvaluationSettings.to_json`; pool: scored rows, budget: of the curriculum, where steps follow from rows.
    The base arm is scored once and never trained; the full pool is trained once where steps are the same at every
    budget. Upper bounds: a unit may have fewer samples than it may be scored on, a rule may find fewer rows.
    """
    seeds, batch, points = len(settings["seeds"]), settings["batch"], settings.get("budgets") or [budget]
    epochs, equal = settings.get("epochs", 0), settings.get("equal", "steps")
    runs, trained = int("base" in settings["arms"]), 0
    for number, point in enumerate(points):
        own = point * pool if point <= 1 else point
        for arm in settings["arms"]:
            if arm == "base" or (arm == "full" and number and (equal == "epochs" or not epochs)):
                continue
            rows = pool if arm == "full" and equal == "epochs" else own
            steps = max(1, round(epochs * rows / batch)) if epochs else settings["steps"]
            runs, trained = runs + seeds, trained + seeds * steps * batch
    return {"runs": runs, "trained": trained, "scored": runs * units * settings["samples_per_unit"]}


def pace(results: Sequence[pd.DataFrame], warmup: Sequence[float]) -> tuple[float | None, str]:
    """Samples per second here, and where the number comes from: earlier comparisons, else the warm-up, else None.

    results: tidy tables; warmup: samples per second of the warm-up's steps (the median counts).
    """
    runs = [t.groupby(["arm", "seed"]).agg(n=("n", "sum"), seen=("samples_seen", "first"), s=("seconds", "first"))
            for t in results if len(t)]
    if runs:
        done = pd.concat(runs)
        return float((done["n"] + done["seen"]).sum() / max(done["s"].sum(), 1e-9)), "measured on earlier runs here"
    if len(warmup):
        return float(np.median(warmup)), "measured in this study's warm-up"
    return None, "nothing was measured yet"


def cost(work: Mapping[str, int], rate: float | None) -> float | None:
    """Seconds that `work` takes at `rate` samples per second; None when the rate is unknown."""
    return (work["trained"] + work["scored"]) / rate if rate else None


def by_unit(table: pd.DataFrame) -> dict[str, str]:
    """unit → itself: with it `summary` gives one group per unit."""
    return {unit: unit for unit in table["unit"].unique()}


def capability_order(summary: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Groups of a summary in the order of a page: overall, the capabilities, then what belongs to none."""
    present = list(dict.fromkeys(summary["capability"]))
    known = [name for name in ["overall", *names] if name in present]
    return known + [name for name in present if name not in known]


def seed_table(table: pd.DataFrame, summary: pd.DataFrame, group_of: Mapping[str, str],
               groups: Sequence[str]) -> pd.DataFrame:
    """One line per group of `groups` and arm: accuracy in % of every seed, mean, s.d., % of full, loss, units.

    Without s.d. for one seed, without % of full where the full pool was not trained on.
    table: the tidy result; summary and group_of: as in `cadc.evaluation.summary` (mean over units inside a group).
    """
    named = table.assign(capability=[group_of.get(unit, "unassigned") for unit in table["unit"]])
    both = pd.concat([table.assign(capability="overall"), named], ignore_index=True)
    wide = both.pivot_table(index=["capability", "arm"], columns="seed", values="accuracy", sort=False) * 100
    wide.columns = [f"seed {seed}" for seed in wide.columns]
    keyed = summary.set_index(["capability", "arm"])
    found = wide.join(pd.DataFrame({"mean": 100 * keyed["accuracy"], "s.d.": 100 * keyed["accuracy_sd"],
                                    "% of full": 100 * keyed["relative"], "loss": keyed["loss"],
                                    "units": keyed["units"]}))
    order = [(group, arm) for group in groups for arm in dict.fromkeys(table["arm"]) if (group, arm) in keyed.index]
    digits = {name: 1 for name in found.columns if name != "units"} | {"loss": 3}
    shown = found.reindex(pd.MultiIndex.from_tuples(order, names=keyed.index.names)).round(digits).reset_index()
    return shown.drop(columns=[name for name in ("s.d.", "% of full") if shown[name].isna().all()])


def chance_table(against: pd.DataFrame) -> pd.DataFrame:
    """arm, difference to random and its 95 % interval in points, p after Holm, in words: most ahead first.

    against: `cadc.evaluation.against`.
    """
    found = pd.DataFrame({"arm": against["arm"], "minus random": (100 * against["mean"].astype(float)).round(1),
                          "from": (100 * against["low"].astype(float)).round(1),
                          "to": (100 * against["high"].astype(float)).round(1),
                          "p (Holm)": against["holm"].astype(float).round(3)})
    found.insert(2, "reading", ["not distinguishable" if not sure else "better" if mean > 0 else "worse"
                                for sure, mean in zip(against["sure"], against["mean"], strict=True)])
    return found.sort_values("minus random", ascending=False)


def effort_table(table: pd.DataFrame) -> pd.DataFrame:
    """arm, rows, samples seen, steps, seconds of a run: what each arm was trained on.

    Numbers are means over the seeds.
    """
    runs = table.groupby(["arm", "seed"], sort=False)[["rows", "samples_seen", "steps", "seconds"]].first()
    found = runs.groupby("arm", sort=False).mean().round(1).reset_index()
    return found.rename(columns={"samples_seen": "samples seen"})


def equal_effort(effort: pd.DataFrame) -> str:
    """One sentence: whether every trained arm saw the same number of samples."""
    seen = effort.loc[effort["samples seen"] > 0, "samples seen"]
    if seen.empty:
        return "No arm was trained."
    if seen.nunique() == 1:
        return f"Every trained arm saw the same number of samples: {seen.iloc[0]:,.0f}."
    return f"The arms did not see the same number of samples: {seen.min():,.0f} to {seen.max():,.0f}."


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
    return _finish(figure, 380)


def unit_dots(summary: pd.DataFrame, arms: Sequence[str]) -> go.Figure:
    """One line per target unit, one dot per arm with its s.d.: where an arm wins and where it loses.

    summary: made with `by_unit`.
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
    return _finish(figure, 120 + 24 * len(units))


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
    return _finish(figure, 420).update_layout(margin={"l": 36, "r": 36}, legend={"y": 1.08})


def curve_points(table: pd.DataFrame) -> pd.DataFrame:
    """arm, budget, accuracy, sd, rows, seeds of every arm that has a budget: the points of a budget curve.

    table: the tidy result with all its budgets. `base` and `full` do not follow the budget and are left out.
    """
    own = table[~table["arm"].isin(["base", "full"])]
    runs = own.groupby(["arm", "budget", "seed"], sort=False).agg(accuracy=("accuracy", "mean"), rows=("rows", "first"))
    found = runs.reset_index().groupby(["arm", "budget"], sort=False).agg(
        accuracy=("accuracy", "mean"), sd=("accuracy", "std"), rows=("rows", "mean"), seeds=("seed", "nunique"))
    return found.reset_index().sort_values(["arm", "budget"], kind="stable")


def levels(table: pd.DataFrame) -> dict[str, float]:
    """Accuracy of `base` and `full`, the two lines that a budget curve runs between."""
    return {arm: float(own.groupby("seed")["accuracy"].mean().mean())
            for arm, own in table[table["arm"].isin(["base", "full"])].groupby("arm", sort=False)}


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
    return _finish(figure, 380)


def _finish(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 28, "b": 8},
                         legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0})
    return figure
