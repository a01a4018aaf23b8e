import json

import numpy as np
import pandas as pd
import pytest

from cadc.scores.influence import UNATTRIBUTED, own_influence, self_by_capability
from cadc.views import influence as views
from cadc.views import palette
from cadc.views import rows as rows_
from cadc.views.figures import influence as figures

NAMES = ["c1", "counting"]
COLOURS = {"c1": "#0072B2", "counting": "#E69F00"}


@pytest.fixture()
def flows():
    return pd.DataFrame({"source": ["coco", "coco", "gqa", "gqa", "c1"],
                         "capability": ["c1", "counting", "counting", UNATTRIBUTED, "c1"],
                         "rows": [8, 4, 5, 2, 1], "influence": [3.0, -1.0, 2.0, 0.5, 0.25]})


@pytest.fixture()
def rows():
    rng = np.random.default_rng(3)
    influence = rng.normal(size=(60, 2))
    pools = np.where(influence.max(axis=1) > 0, influence.argmax(axis=1), -1)
    return influence, pools, np.array(["coco", "gqa", "c1"], object)[rng.integers(0, 3, 60)]


def click(kind, index):
    return {"selection": {"selected": [{"series_index": 0, "data_type": kind, "data_indices": [index]}], "areas": []}}


def test_every_click_means_what_is_drawn_there(flows):
    drawn = views.links(flows, "rows")
    series = figures.sankey(drawn, *views.ends(drawn, NAMES), COLOURS)["series"][0]
    clean = {node["name"]: node["name"].rstrip("\u200b") for node in series["data"]}
    assert len(clean) == 6, "a source called like a capability is its own node"
    for i, edge in enumerate(series["links"]):
        pick = views.picked(click("edge", i), drawn, NAMES)
        assert (pick.source, pick.capability) == (clean[edge["source"]], clean[edge["target"]])
    for i, node in enumerate(series["data"]):
        pick = views.picked(click("node", i), drawn, NAMES)
        assert (pick.source if i < 3 else pick.capability) == clean[node["name"]]


def test_sankey_is_json_and_has_one_colour_per_capability(flows):
    drawn = views.links(flows, "rows")
    series = json.loads(json.dumps(figures.sankey(drawn, *views.ends(drawn, NAMES), COLOURS)))["series"][0]
    assert {n["name"]: n["itemStyle"]["color"] for n in series["data"][3:]} == {
        **COLOURS, UNATTRIBUTED: palette.UNASSIGNED}
    assert sum(edge["value"] for edge in series["links"]) == 20


def test_a_flow_without_positive_influence_is_not_drawn_as_one(flows):
    drawn = views.links(flows, "influence")
    assert (drawn["value"] > 0).all() and len(drawn) == 4


def test_the_note_counts_what_is_not_drawn(flows):
    assert views.flow_note(flows, views.links(flows, "rows"), 20) == "drawn 20 of 20 rows in 5 flows"
    note = views.flow_note(flows, views.links(flows, "influence"), 20)
    assert note.startswith("drawn 16 of 20 rows in 4 flows; 1 flows have no")


def test_clicks_on_a_chart_that_has_changed_are_forgotten(flows):
    drawn = views.links(flows, "rows")
    assert views.picked(click("edge", 99), drawn, NAMES) is None
    assert views.picked(click("node", 99), drawn, NAMES) is None
    assert views.picked(None, drawn, NAMES) is None
    assert views.picked({"selection": {"selected": []}}, drawn, NAMES) is None


def test_rows_behind_the_links_are_the_whole_pool_once(rows):
    influence, pools, sources = rows
    own = own_influence(influence, pools)
    found = [views.behind(views.Pick(source=s, capability=c), sources, pools, NAMES, own)
             for s in ("coco", "gqa", "c1") for c in [*NAMES, UNATTRIBUTED]]
    assert sorted(np.concatenate(found)) == list(range(60))


def test_rows_behind_a_node_come_strongest_first(rows):
    influence, pools, sources = rows
    found = views.behind(views.Pick(capability="counting"), sources, pools, NAMES, own_influence(influence, pools))
    assert len(found) and (pools[found] == 1).all()
    assert (np.diff(influence[found, 1]) <= 0).all()


def test_small_sources_are_gathered_and_counted_not_lost():
    source = pd.Series(["big"] * 5 + [f"s{i}" for i in range(30)] + ["", None])
    labels = rows_.source_labels(source, limit=4)
    assert len(labels) == 37 and len(set(labels)) == 4
    assert any(label.endswith("other sources") for label in labels)
    assert list(rows_.source_labels(pd.Series(["", "a"]))) == [rows_.NO_SOURCE, "a"]


def test_pool_table_counts_the_unattributed(rows):
    _, pools, _ = rows
    table = views.pool_table(pools, NAMES)
    assert table["rows"].sum() == 60 and table["capability"].iloc[-1] == UNATTRIBUTED
    assert table["rows"].iloc[-1] == (pools == -1).sum() > 0


def test_self_influence_change_adds_up_along_the_line(rows):
    _, pools, _ = rows
    self_influence = np.random.default_rng(1).uniform(size=(60, 4))
    table = views.self_influence_table(self_by_capability(self_influence, pools, 2), pools, NAMES)
    change = views.change_table(table)
    line = table[table["capability"] == "c1"]["mean"].to_numpy()
    assert line == pytest.approx(self_influence[pools == 0].mean(axis=0))
    assert change[change["capability"] == "c1"]["change"].sum() == pytest.approx(line[-1] - line[0])
    assert list(change["interval"].unique()) == ["1 → 2", "2 → 3", "3 → 4"]
    assert len(figures.self_influence_lines(table, COLOURS).data) == 2
    assert figures.self_influence_bars(change, COLOURS).data[0].marker.color == COLOURS["c1"]


def test_histogram_counts_every_row_of_every_capability(rows):
    influence, pools, _ = rows
    table = views.histogram_table(influence, pools, NAMES, bins=7)
    assert list(table.groupby("capability", sort=False)["rows"].sum()) == [60, 60]
    assert table["own"].sum() == (pools >= 0).sum()
    assert len(figures.influence_histogram(table, COLOURS).data) == 4


def test_one_row_is_ranked_against_the_whole_pool(rows):
    influence, _, _ = rows
    best = int(influence[:, 0].argmax())
    table = views.sample_influences(influence, NAMES, best)
    assert table["percentile"].iloc[0] == pytest.approx(100 * 59 / 60)
    assert table["influence"].iloc[1] == pytest.approx(influence[best, 1])


def test_an_empty_study_draws_empty_figures():
    empty = np.zeros((0, 2))
    pools = np.zeros(0, int)
    table = views.self_influence_table(np.full((2, 4), np.nan), pools, NAMES)
    assert len(figures.self_influence_lines(table, COLOURS).data) == 0
    assert len(figures.influence_histogram(views.histogram_table(empty, pools, NAMES), COLOURS).data) == 0
    assert views.behind(views.Pick(), np.zeros(0, object), pools, NAMES, np.zeros(0)).size == 0


def drawn_over(low, high):
    return {"selection": {"points": [], "box": [{"xref": "x", "yref": "y", "x": [high, low], "y": [0, 1]}]}}


def test_a_range_that_is_drawn_is_one_of_the_chart_and_open_beyond_its_ends(rows):
    table = views.histogram_table(rows[0], rows[1], NAMES)
    first, last = table["left"].min(), table["right"].max()
    assert views.bin_width(table) == pytest.approx((last - first) / 40, rel=0.5)
    assert views.range_of(drawn_over(0.123456, 0.98765), table) == (0.1235, 0.9877)
    assert views.range_of(drawn_over(first - 1, 0.5), table) == (None, 0.5)
    assert views.range_of(drawn_over(0.5, last + 1), table) == (0.5, None)
    for nothing in (drawn_over(last + 1, last + 2), None, {"selection": {"box": []}}):
        assert views.range_of(nothing, table) is None


def test_the_histogram_veils_what_is_not_picked_and_keeps_its_axis(rows):
    table = views.histogram_table(rows[0], rows[1], NAMES)
    ends = (table["left"].min(), table["right"].max())
    figure = figures.influence_histogram(table, COLOURS, (0.25, None))
    assert tuple(figure.layout.xaxis.range) == ends
    assert [(s.x0, s.x1) for s in figure.layout.shapes if s.type == "rect"] == [(ends[0], 0.25)]
    assert not figures.influence_histogram(table, COLOURS).layout.shapes


def test_a_pick_says_its_bounds():
    assert views.Pick(capability="c1").text == "all sources → c1"
    assert views.Pick(influence=(0.1, None)).text == "all sources → all capabilities, influence from 0.1"
    assert views.Pick(influence=(None, 2.0)).text.endswith("influence up to 2")
    assert views.Pick(source="coco", influence=(-1, 2.5)).text == "coco → all capabilities, influence -1 to 2.5"
