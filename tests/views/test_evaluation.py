import numpy as np
import pandas as pd
import pytest

from cadc.evaluation import EvaluationSettings
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


def test_bars_have_one_bar_per_arm_and_capability_with_its_spread(table):
    found = summary(table, GROUPS)
    groups = comparison.capability_order(found, ["counting", "reading"])
    assert groups == ["overall", "counting", "reading"]
    figure = figures.arm_bars(found, ["base", "cadc", "full"], groups)
    assert [bar.name for bar in figure.data] == ["base", "cadc", "full"]
    curated = found[(found["arm"] == "cadc")].set_index("capability").loc[groups]
    assert list(figure.data[1].y) == list(curated["accuracy"])
    assert list(figure.data[1].error_y.array) == list(curated["accuracy_sd"])


def test_units_are_all_drawn(table):
    found = summary(table, comparison.by_unit(table))
    figure = figures.unit_dots(found, ["base", "cadc", "full"])
    assert list(figure.data[0].y) == list(GROUPS)


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
