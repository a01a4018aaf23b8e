"""The report that leaves the app: every number in it, figures are pictures, nothing of a dataset is read as markup."""

import io
import itertools
import xml.etree.ElementTree as xml
import zipfile

import pandas as pd
import pytest

from cadc.evaluation.results import COLUMNS, at_budget, summary
from cadc.views import comparison, report, svg
from cadc.views.figures import evaluation as figures

SUMMARY = ["capability", "arm", "accuracy", "reach", "seeds", "relative"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    level = {"base": 0.1, "random": 0.3, "cadc": 0.5, "full": 0.6}
    rows = [(arm, seed, unit, level[arm] + 0.1 * budget + 0.01 * seed, 1.0, 8, 40, 320, 10, 1.0, budget)
            for budget in (0.05, 0.2) for arm in level for seed in ((0,) if arm == "base" else (0, 1))
            for unit in ("count", "<script>alert(1)</script>")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture(scope="module")
def files(table) -> dict[str, str]:
    own = at_budget(table)
    names = {"count": "counting", "<script>alert(1)</script>": "evil | name"}
    found = summary(own, names)
    return report.report(title="Comparison `x`", about={"study": "a|b"}, headline="5 % reaches 90 %",
                         verdict="words", notes=["3 rows left out"], tables={"Seeds": own}, summary=found,
                         arms=list(dict.fromkeys(own["arm"])), groups=["overall", "counting", "evil | name"],
                         table=table)


def marks(files) -> dict[str, float]:
    """What a dot says → where it lies, from left to right."""
    return {dot.find(f"{SVG}title").text: float(dot.get("cx"))
            for dot in xml.fromstring(files["accuracy.svg"]).iter(f"{SVG}circle")}


def test_the_figures_are_wellformed_and_draw_every_arm_and_group(files):
    found = marks(files)
    assert len(list(xml.fromstring(files["accuracy.svg"]).iter(f"{SVG}circle"))) == 4 * 3
    assert {name.split(":")[0] for name in found} == {"base", "random", "cadc", "full"}
    words = [text.text for text in xml.fromstring(files["accuracy.svg"]).iter(f"{SVG}text")]
    assert {"overall", "counting", "evil | name"} <= set(words)
    curve = xml.fromstring(files["budget.svg"])
    assert len(list(curve.iter(f"{SVG}circle"))) == 2 * 2
    assert sum("stroke-dasharray" in line.attrib for line in curve.iter(f"{SVG}polyline")) == 2


def test_dots_of_the_report_are_those_of_the_page_with_their_intervals(table, files):
    found = comparison.with_intervals(summary(at_budget(table)))
    own = found[found["capability"] == "overall"].set_index("arm")
    said = {name.split(":")[0]: name for name in marks(files)}
    for arm, row in own.iterrows():
        reach = "" if arm == "base" else f" ± {100 * row['reach']:.1f}"
        assert said[arm] == f"{arm}: {100 * row['accuracy']:.1f} %{reach}"
    places = [marks(files)[said[arm]] for arm in ("base", "random", "cadc", "full")]
    steps = [b - a for a, b in itertools.pairwise(places)]
    level = own.loc[["base", "random", "cadc", "full"], "accuracy"].tolist()
    assert steps == pytest.approx([(b - a) * steps[0] / (level[1] - level[0]) for a, b in itertools.pairwise(level)],
                                  rel=0.01)


def test_dataset_text_is_never_markup(files):
    assert "a\\|b" in files["report.md"]
    frame = report.markdown_table(pd.DataFrame({"unit": ["<script>alert(1)</script>", "a|b"]}))
    assert "<script>" not in frame and "&lt;script&gt;" in frame and frame.splitlines()[-1] == "| a\\|b |"
    evil = "<script>alert(1)</script>"
    own = pd.DataFrame([(evil, "cadc", 0.5, 0.1, 2, 1.0)], columns=SUMMARY)
    drawn = svg.dots(figures.arm_dots(own, ["cadc"], [evil]))
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn


def test_the_zip_holds_every_file_and_is_the_same_twice(files):
    packed = report.zipped(files)
    assert packed == report.zipped(files)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert set(archive.namelist()) == {"report.md", "accuracy.svg", "budget.svg", "runs.csv"}
        assert pd.read_csv(archive.open("runs.csv")).shape == (28, len(COLUMNS))
        for name in archive.namelist():
            assert name == "report.md" or name == "runs.csv" or f"({name})" in files["report.md"]


def test_curve_points_keep_every_budget_apart(table):
    points = comparison.curve_points(table).set_index(["arm", "budget"])
    assert points.loc[("cadc", 0.2), "accuracy"] == pytest.approx(0.525)
    assert points.loc[("cadc", 0.05), "accuracy"] == pytest.approx(0.51)
    assert "full" not in points.index.get_level_values(0)
    figure = figures.budget_curve(points.reset_index(), comparison.levels(table))
    assert [line.name for line in figure.data] == ["cadc", "random"] and len(figure.layout.shapes) == 2


def test_small_and_large_accuracies_get_an_axis():
    for level in (0.004, 0.3, 1.0):
        frame = pd.DataFrame([("overall", "cadc", level, float("nan"), 1, float("nan"))], columns=SUMMARY)
        drawn = xml.fromstring(svg.dots(figures.arm_dots(frame, ["cadc"], ["overall"])))
        assert any("%" in text.text for text in drawn.iter(f"{SVG}text"))
