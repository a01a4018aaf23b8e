"""Figures of the Capabilities page, and the palette that all pages share."""

import numpy as np
import pandas as pd
import pytest

from cadc.views import capabilities as views
from cadc.views.figures import capabilities as figures
from cadc.views.palette import COLOURS, UNASSIGNED, colour, mark, plain, symbol


@pytest.fixture
def made():
    """Five units: c1 has two, c2 two, one is unassigned."""
    rng = np.random.default_rng(0)
    raw = rng.uniform(0, 1, size=(5, 5))
    similar = (raw + raw.T) / 2
    np.fill_diagonal(similar, 1)
    units = pd.DataFrame({"unit": [f"<u{i}>" for i in range(5)], "answer_format": "letter", "samples": 9})
    of_unit = [0, 1, -1, 0, 1]
    return similar, views.unit_table(units, similar, of_unit, ["c1", "c5"], ["read", "c5"]), of_unit


def test_similarity_to_own_capability_leaves_the_unit_itself_out(made):
    similar, table, _ = made
    assert table["own"][0] == pytest.approx(similar[0, 3]) and table["own"][1] == pytest.approx(similar[1, 4])
    assert np.isnan(table["own"][2])


def test_nearest_other_capability_is_never_the_own_one(made):
    similar, table, _ = made
    assert table["other_name"].tolist()[0] == "c5" and table["other_name"].tolist()[1] == "read"
    assert table["other"][0] == pytest.approx(similar[0, [1, 4]].mean())
    best = max(similar[2, [0, 3]].mean(), similar[2, [1, 4]].mean())
    assert table["other"][2] == pytest.approx(best)


def test_capability_of_one_unit_and_no_capability_at_all_are_shown(made):
    similar, _, _ = made
    units = pd.DataFrame({"unit": list("abcde"), "answer_format": "word", "samples": 1})
    alone = views.unit_table(units, similar, [0, -1, -1, -1, -1], ["c1"], ["c1"])
    assert np.isnan(alone["own"][0]) and alone["other_name"][1] == "c1"
    nothing = views.unit_table(units, similar, [-1] * 5, [], [])
    assert set(nothing["name"]) == {"unassigned"} and nothing["other"].isna().all()
    assert len(figures.unit_map(nothing, np.zeros((5, 2))).data) == 1


def test_map_draws_every_unit_once_with_its_position(made):
    _, table, _ = made
    figure = figures.unit_map(table, np.arange(10.0).reshape(5, 2))
    points = {p: (x, y) for trace in figure.data for p, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)}
    assert points == {m: (2.0 * m, 2.0 * m + 1) for m in range(5)}
    assert {t.marker.color for t in figure.data} == {colour("c1"), colour("c5"), UNASSIGNED}
    assert sorted(t.name for t in figure.data) == ["c5", "read", "unassigned"]


def test_every_capability_has_its_share_of_the_units():
    shares = pd.DataFrame({"capability": ["c1", ""], "name": ["read", "unassigned"], "units": [3, 1],
                           "share": [0.75, 0.25]})
    bar = figures.proportions(shares).data[0]
    assert list(bar.x) == [3, 1] and list(bar.customdata) == [0.75, 0.25]
    assert list(bar.marker.color) == [colour("c1"), UNASSIGNED]


def test_unit_names_cannot_bring_markup_into_a_plot(made):
    similar, table, _ = made
    figure = figures.unit_map(table, np.zeros((5, 2)))
    assert all("<u" not in text for trace in figure.data for text in trace.hovertext)
    assert "<u" not in str(figures.similarity_map(table, similar).data[0].x)


def test_similarity_map_shows_the_same_numbers_ordered_by_capability(made):
    similar, table, of_unit = made
    figure = figures.similarity_map(table, similar)
    assert np.sort(np.ravel(figure.data[0].z)) == pytest.approx(np.sort(similar.ravel()))
    rows = [text.split("(")[1] for text in figure.data[0].y]
    assert rows == ["read)", "read)", "c5)", "c5)", "unassigned)"]


def test_every_cell_of_the_similarity_can_be_clicked_and_means_its_two_units(made):
    similar, table, _ = made
    heat, points = figures.similarity_map(table, similar, ["<u3>"]).data
    names = list(heat.y)
    at = [int(name.split("u")[1][0]) for name in names]  # the unit of each line
    assert len(points.customdata) == 25
    for y, x, code, said in zip(points.y, points.x, points.customdata, points.text, strict=True):
        first, second = divmod(code, 5)
        assert (at[names.index(y)], at[names.index(x)]) == (first, second)
        assert said == f"{similar[first, second]:.3f}"


def test_of_many_units_the_diagonal_can_be_clicked():
    count = figures.CLICKED + 1
    units = pd.DataFrame({"unit": [f"u{i}" for i in range(count)], "answer_format": "letter", "samples": 9})
    table = views.unit_table(units, np.eye(count), [0] * count, ["c1"], ["c1"])
    points = figures.similarity_map(table, np.eye(count), []).data[1]
    assert sorted(divmod(code, count) for code in points.customdata) == [(m, m) for m in range(count)]


def test_units_that_are_picked_stand_out_on_the_similarity(made):
    similar, table, _ = made
    figure = figures.similarity_map(table, similar, ["<u3>", "<u1>"])
    bold = [text for text in figure.layout.yaxis.ticktext if text.startswith("<b>")]
    assert sorted(bold) == ["<b>▸ &lt;u1&gt;</b>", "<b>▸ &lt;u3&gt;</b>"]
    frames = [s for s in figure.layout.shapes if s.type == "rect"]
    places = {n for n, text in enumerate(figure.layout.yaxis.ticktext) if text.startswith("<b>")}
    assert {(s.y0 + 0.5) for s in frames if s.x0 == -0.5 and s.x1 == 4.5} == places
    assert len(figures.similarity_map(table, similar).data) == 1, "without a selection it is a picture alone"


def test_thresholds_of_the_sweep_lie_inside_the_similarities(made):
    similar, _, _ = made
    taus = views.taus(similar)
    off = similar[np.triu_indices(5, 1)]
    assert (taus >= 0).all() and (taus <= off.max()).all() and len(taus) > 3
    assert views.taus(-np.ones((4, 4))).tolist() == [0.0]


def test_capability_keeps_its_colour_whatever_happens_to_the_others():
    assert colour("c3") == COLOURS[2] and colour("c13") == COLOURS[2] and symbol("c3") != symbol("c13")
    assert colour(None) == colour("") == UNASSIGNED


def test_first_thirty_capabilities_differ_in_colour_or_mark():
    looks = {(colour(f"c{k}"), mark(f"c{k}")) for k in range(1, 31)}
    assert len(looks) == 30 and len(COLOURS) == len(set(COLOURS))


@pytest.mark.parametrize("background", ["#FFFFFF", "#14181D"])
def test_every_colour_stands_out_from_light_and_dark_ground(background):
    def luminance(text):
        parts = np.array([int(text[i:i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for shade in (*COLOURS, UNASSIGNED):
        a, b = sorted((luminance(shade), luminance(background)), reverse=True)
        assert (a + 0.05) / (b + 0.05) > 2, shade


def test_long_text_is_cut_and_markup_is_shown_as_written():
    assert plain("a" * 100, 10) == "a" * 9 + "…"
    assert plain("<i>x</i>\n $y$ &") == "&lt;i&gt;x&lt;/i&gt; &#36;y&#36; &amp;"
