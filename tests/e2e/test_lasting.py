"""A line drawn round something, an act, its undo: all of it is still there after a reload and after the server was
killed and started again."""

import re

import pytest
from acts import choose, fill, press, put_tag, settle
from playwright.sync_api import Locator, Page, expect

from benchmarks.synthesise import synthesise
from cadc.curation.marks import marks_of
from cadc.curation.workbench import open_workbench
from cadc.discovery.pool_layout import run_layout
from cadc.study import Study
from cadc.study.decisions import read_decisions
from cadc.study.progress import Silent

pytestmark = pytest.mark.e2e


@pytest.fixture
def study(app) -> Study:
    """A finished study with a map of its pool, and no decisions made."""
    made = synthesise(app.cache, rows=300, units=12, checkpoints=2, samples_per_unit=4, seed=3, name="trial")
    run_layout(made, Silent())
    return made


def lasso(tab: Page, board: Locator, right: float) -> None:
    """Draw round the part of a map that lies left of this share of its width."""
    board.scroll_into_view_if_needed()
    settle(tab)
    box = board.bounding_box()
    ends = (box["x"] + 2, box["x"] + box["width"] * right), (box["y"] + 2, box["y"] + box["height"] - 2)
    corners = [(ends[0][a], ends[1][b]) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
    tab.mouse.move(*corners[0])
    tab.mouse.down()
    for corner in corners[1:]:
        tab.mouse.move(*corner, steps=8)
    tab.mouse.up()
    settle(tab)


def names(tab: Page) -> dict[str, str]:
    """Label → value of the fields that name capabilities."""
    fields = tab.get_by_label(re.compile(r"^Name of c\d+"))
    return {str(field.get_attribute("aria-label")): field.input_value() for field in fields.all()}


def again(app, tab: Page, ready: Locator) -> None:
    """The server dies and is started anew; then the same address."""
    app.kill()
    app.start()
    tab.goto(tab.url)
    expect(ready).to_be_visible()
    settle(tab)


def test_units_that_were_drawn_round_moved_and_named(app, tab, study):
    tab.goto(f"{app.url}/capabilities?study=trial")
    expect(tab.locator(".unit-map .point")).to_have_count(12)
    settle(tab)
    lasso(tab, tab.locator(".unit-map svg"), 0.45)
    line = tab.get_by_text(re.compile(r"^\d+ of 12 units selected"))
    chosen = int(line.inner_text().split(" of ")[0])
    assert 0 < chosen < 12
    choose(tab, "Move them to", "a new capability")
    press(tab, "Move")
    found = open_workbench(study).capabilities
    new = found.ids[-1]
    assert len(found.members(new)) == chosen
    for name in ("seen from afar", "a second thought"):
        fill(tab, re.compile(rf"^Name of {new}\b"), name)
    press(tab, "Undo")
    expect(tab.get_by_label(re.compile(rf"^Name of {new}\b"))).to_have_value("seen from afar")
    settle(tab)
    said, shown, link = line.inner_text(), names(tab), tab.url
    assert said.startswith(f"{chosen} of 12 units selected · {chosen} in seen from afar")

    tab.reload()
    field = tab.get_by_label(re.compile(rf"^Name of {new}\b"))  # comes after the line
    expect(field).to_have_value("seen from afar")
    settle(tab)
    assert line.inner_text() == said and names(tab) == shown
    again(app, tab, field)
    assert line.inner_text() == said and names(tab) == shown and tab.url == link
    expect(tab.locator(".unit-map [aria-pressed=true]")).to_have_count(chosen)
    press(tab, "Redo")
    expect(tab.get_by_label(re.compile(rf"^Name of {new}\b"))).to_have_value("a second thought")
    assert open_workbench(study).capabilities.members(new) == found.members(new)


def test_rows_that_were_drawn_round_tagged_and_left_out(app, tab, study):
    tab.goto(f"{app.url}/rows?study=trial&map=1")
    line = tab.get_by_text(re.compile(r"^[\d,]+ of 300 rows, [\d,]+ of them chosen$"))
    expect(line).to_be_visible()
    board = tab.get_by_role("application", name=re.compile("^Map of the pool"))
    expect(board).to_be_visible()
    lasso(tab, board, 0.5)
    expect(line).not_to_have_text(re.compile("^300 of"))
    inside = int(line.inner_text().split(" of ")[0])
    assert 0 < inside < 300 and "area=" in tab.url
    tab.get_by_text(f"all {inside}", exact=True).click()
    settle(tab)
    put_tag(tab, "left side")
    press(tab, "Never take")
    expect(line).to_have_text(re.compile(" 0 of them chosen$"))
    tab.locator("[class*=st-key-undo-rows-curation] button").first.click()
    settle(tab)
    expect(line).not_to_have_text(re.compile(" 0 of them chosen$"))
    said = line.inner_text()
    tagged = marks_of(read_decisions(study)).tags["left side"]
    assert len(tagged) == inside and not open_workbench(study).settings.drop

    tab.reload()
    expect(line).to_have_text(said)
    again(app, tab, line)
    assert line.inner_text() == said
    choose(tab, "Marks", re.compile("^tag left side"))
    expect(line).to_have_text(said)
    tab.locator("[class*=st-key-redo-rows-curation] button").first.click()
    expect(line).to_have_text(re.compile(f"^{inside} of 300 rows, 0 of them chosen$"))
    settle(tab)
    assert set(open_workbench(study).settings.drop) == set(tagged.tolist())
