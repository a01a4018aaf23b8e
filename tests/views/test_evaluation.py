import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cadc.evaluation import EvaluationSettings, against
from cadc.evaluation.results import summary
from cadc.views import comparison, palette
from cadc.views.figures import evaluation as figures

GROUPS = {"read": "reading", "count": "counting", "sum": "counting"}


@pytest.fixture()
def table():
    rng = np.random.default_rng(0)
    rows = [{"arm": arm, "seed": seed, "unit": unit, "accuracy": round(float(rng.uniform(0.2, 0.9)), 3),
             "loss": 1.0, "n": 20, "rows": 100 if arm != "base" else 0, "samples_seen": 320 if arm != "base" else 0,
             "steps": 10 if arm != "base" else 0, "seconds": 3.0}
            for arm, seeds in (("base", (0,)), ("cadc", (0, 1, 2)), ("full", (0, 1, 2)))
            for seed in seeds for unit in GROUPS]
    return pd.DataFrame(rows)


def test_seed_table_shows_every_seed_and_its_mean(table):
    found = comparison.seed_table(table, summary(table, GROUPS), GROUPS, ["overall", "counting", "reading"])
    assert list(found["capability"].unique()) == ["overall", "counting", "reading"]
    shown = found.set_index(["capability", "arm"])
    cell = table[(table["arm"] == "cadc") & (table["seed"] == 1) & table["unit"].isin(["count", "sum"])]
    assert shown.loc[("counting", "cadc"), "seed 1"] == pytest.approx(100 * cell["accuracy"].mean(), abs=0.051)
    seeds = shown.loc[("overall", "cadc"), ["seed 0", "seed 1", "seed 2"]]
    assert shown.loc[("overall", "cadc"), "mean"] == pytest.approx(seeds.mean(), abs=0.11)
    assert shown.loc[("overall", "full"), "% of full"] == 100
    assert np.isnan(shown.loc[("overall", "base"), "s.d."])


def test_dots_have_one_dot_per_arm_and_capability_each_on_a_line_of_its_own(table):
    found = comparison.with_intervals(summary(table, GROUPS))
    groups = comparison.capability_order(found, ["counting", "reading"])
    assert groups == ["overall", "counting", "reading"]
    figure = figures.arm_dots(found, ["base", "cadc", "full"], groups)
    assert [trace.name for trace in figure.data] == ["base", "cadc", "full"]
    curated = found[(found["arm"] == "cadc")].set_index("capability").loc[groups]
    assert list(figure.data[1].x) == list(curated["accuracy"])
    assert list(figure.data[1].error_x.array) == list(curated["reach"])
    lines = [y for trace in figure.data for y in trace.y]
    assert len(set(lines)) == len(lines) == 9
    assert list(figure.data[0].error_x.array) == [0, 0, 0], "one seed has no interval"


def test_the_interval_of_a_mean_over_seeds_is_students(table):
    found = comparison.with_intervals(summary(table)).set_index("arm")
    means = table[table["arm"] == "cadc"].groupby("seed")["accuracy"].mean()
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert found.loc["cadc", "reach"] == pytest.approx((high - low) / 2)
    assert np.isnan(found.loc["base", "reach"])


def test_differences_are_sorted_by_size_and_hollow_where_chance_may_be_behind_them(table):
    for control in ("full", "cadc"):
        found = comparison.chance_table(against(table, control), control)
        assert set(found["arm"]) == {"base", "cadc", "full"} - {control}
        assert found[f"minus {control}"].is_monotonic_decreasing
        figure = figures.difference_dots(found, control)
        assert list(figure.data[0].x) == list(found[f"minus {control}"])
        hollow = [symbol == "circle-open" for symbol in figure.data[0].marker.symbol]
        assert hollow == [reading == "not distinguishable" for reading in found["reading"]]
    assert comparison.references(["base", "cadc", "random"]) == ["random", "cadc", "base"]


def test_one_seed_is_called_that_and_has_no_p(table):
    one = table[table["seed"] == 0]
    found = comparison.chance_table(against(one, "full"), "full")
    assert set(found["reading"]) == {"one seed"} and found["p (Holm)"].isna().all()
    assert set(figures.difference_dots(found, "full").data[0].marker.symbol) == {"circle-open"}


def test_units_are_all_drawn(table):
    found = summary(table, comparison.by_unit(table))
    figure = figures.unit_dots(found, ["base", "cadc", "full"])
    assert list(figure.layout.yaxis.ticktext) == list(GROUPS) and len(figure.data) == 3
    assert [round(y) for y in figure.data[0].y] == [0, 1, 2]
    drawn = [y for trace in figure.data for y in trace.y]
    assert len(set(drawn)) == len(drawn), "arms of equal accuracy do not hide each other"


def test_equal_effort_is_stated_and_unequal_effort_too(table):
    effort = comparison.effort_table(table)
    assert "same number of samples: 320" in comparison.equal_effort(effort)
    effort.loc[effort["arm"] == "full", "samples seen"] = 640
    assert "did not see the same" in comparison.equal_effort(effort)


def test_every_arm_has_its_own_colour():
    colours = palette.arm_colours(["base", "cadc", "random", "full", "less", "icons"])
    assert len(set(colours.values())) == 6


def test_the_pace_is_measured_where_it_can_be(table):
    assert comparison.pace([], [])[0] is None
    assert comparison.pace([table.head(0)], [100.0, 200.0, 90.0])[0] == 100
    rate, source = comparison.pace([table], [100.0])
    runs = 1 + 3 + 3
    assert rate == pytest.approx((runs * 3 * 20 + 6 * 320) / (runs * 3.0)) and "earlier" in source


def test_the_cost_counts_every_run_and_the_base_once():
    asked = EvaluationSettings(arms=("base", "cadc", "full"), seeds=(0, 1), steps=10, batch=4, samples_per_unit=5)
    work = comparison.work(asked, units=3)
    assert work == {"runs": 5, "trained": 160, "scored": 75}
    assert comparison.cost(work, 10.0) == 23.5 and comparison.cost(work, None) is None
