import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.views import curriculum as views
from cadc.views import shares
from cadc.views.figures import curriculum as figures

NAMES = ["c1", "counting", "c3", "c4"]
PARTS = st.lists(st.integers(0, 400), min_size=2, max_size=8)


@given(PARTS, st.integers(0, 7), st.integers(-50, 1500), st.sets(st.integers(0, 7)))
def test_sliders_sum_to_the_total_whatever_is_moved_and_locked(weights, changed, value, locked):
    start = shares.parts_of({f"c{i}": w for i, w in enumerate(weights)})
    assert sum(start.values()) == shares.PARTS
    name = f"c{changed % len(weights)}"
    after = shares.rebalance(start, name, value, {f"c{i}" for i in locked})
    assert sum(after.values()) == shares.PARTS
    assert min(after.values()) >= 0 and list(after) == list(start)
    assert all(after[f"c{i}"] == start[f"c{i}"] for i in locked if f"c{i}" in start and f"c{i}" != name)


def test_the_others_keep_their_proportions():
    after = shares.rebalance({"a": 500, "b": 400, "c": 100}, "a", 0)
    assert after == {"a": 0, "b": 800, "c": 200}


def test_a_locked_slider_limits_the_one_that_is_moved():
    after = shares.rebalance({"a": 500, "b": 400, "c": 100}, "a", 900, locked={"b"})
    assert after == {"a": 600, "b": 400, "c": 0}


def test_nobody_left_to_give_to_keeps_the_sum():
    after = shares.rebalance({"a": 600, "b": 400}, "a", 100, locked={"b"})
    assert after == {"a": 600, "b": 400}


def test_zero_shares_become_equal_parts():
    assert shares.parts_of({"a": 0.0, "b": 0.0, "c": 0.0}) == {"a": 334, "b": 333, "c": 333}


@pytest.mark.parametrize(("item", "by", "expected"), [
    ("b", -1, ["b", "a", "c"]), ("b", 1, ["a", "c", "b"]), ("a", -1, ["a", "b", "c"]), ("c", 1, ["a", "b", "c"])])
def test_moving_a_stage_keeps_all_stages(item, by, expected):
    assert shares.moved(["a", "b", "c"], item, by) == expected


def test_budget_change_shows_capabilities_that_came_and_went():
    table = views.budget_table({"a": 10, "gone": 5}, {"a": 12, "new": 3})
    rows = table.set_index("capability")
    assert rows.loc["a", "change"] == 2 and rows.loc["gone", "change"] == -5 and rows.loc["new", "change"] == 3


def test_overlap_counts_different_rows_once():
    assert views.overlap([1, 2, 2, 3], [2, 3, 4, 4]) == {"kept": 2, "added": 1, "dropped": 1}


def test_every_row_of_a_curriculum_is_in_the_stage_chart():
    rows = pd.DataFrame({"stage": [1, 1, 1, 2, 2], "name": ["c1", "c1", "counting", "c3", "c1"]})
    table = views.mixture_table(rows)
    figure = figures.stage_mixture(table, {"c1": "#0072B2"}, NAMES)
    assert table["rows"].sum() == 5
    assert sum(sum(bar.y) for bar in figure.data) == 5
    assert figure.data[0].name == "c1" and figure.data[0].marker.color == "#0072B2"
    assert figure.layout.showlegend


def test_composition_lists_the_largest_source_first_and_writes_no_markup():
    table = views.composition_table(["a", "<b>b</b>", "<b>b</b>"], ["c1", "c1", "c3"])
    assert list(table["source"].unique()) == ["<b>b</b>", "a"]
    figure = figures.composition(table, {}, NAMES)
    assert not any("<b>" in label for bar in figure.data for label in bar.y)
    assert sum(sum(bar.x) for bar in figure.data) == 3
