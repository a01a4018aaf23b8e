"""Rows are chosen on the map of the pool: by the mouse, by numbers, with WebGL and without."""

import re

import pytest
from acts import choose, settle
from playwright.sync_api import Page, expect

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.discovery.pool_layout import SIDE, run_layout
from cadc.study import Study
from cadc.study.progress import Silent
from cadc.views.pool_map import chosen_rows, pool_map

pytestmark = pytest.mark.e2e
ROWS = 300
NO_WEBGL = """const asked = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl2" ? null : asked.call(this, kind, ...rest);
};"""


def note(study: Study, polygon: list[list[float]]) -> str:
    """What the page must say of an area, by the library."""
    bench = open_workbench(study)
    inside = pool_map(study, bench.scores.index).inside(polygon)
    assert 0 < len(inside) <= ROWS
    return f"{len(inside):,} selected, of these {int(chosen_rows(bench)[inside].sum()):,} chosen."


def lasso_all(tab: Page) -> None:
    """Draw round everything with the mouse."""
    board = tab.get_by_role("application", name=re.compile("^Map of the pool"))
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    left, top, right, bottom = 1, 1, box["width"] - 1, box["height"] - 1
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    tab.mouse.move(box["x"] + left, box["y"] + top)
    tab.mouse.down()
    for x, y in [*corners[1:], corners[0]]:
        tab.mouse.move(box["x"] + x, box["y"] + y, steps=8)
    tab.mouse.up()


@pytest.mark.parametrize("webgl", [True, False])
def test_an_area_drawn_on_the_map_shows_its_rows(app, tab, webgl):
    study = synthesise(app.cache, rows=ROWS, units=8, checkpoints=2, samples_per_unit=6, name="trial")
    run_layout(study, Silent())
    if not webgl:
        tab.add_init_script(NO_WEBGL)
    tab.goto(f"{app.url}/influence?study=trial")
    expect(tab.get_by_text(re.compile(rf"^drawn {ROWS} of {ROWS} rows · " + ("WebGL2$" if webgl else "painted")))
           ).to_be_visible()
    expect(tab.get_by_text("Nothing is selected")).to_be_visible()

    lasso_all(tab)
    everything = [[-1, -1], [SIDE + 1, -1], [SIDE + 1, SIDE + 1], [-1, SIDE + 1]]
    expect(tab.get_by_text(note(study, everything))).to_be_visible()
    expect(tab.get_by_text(f"1–20 of {ROWS}", exact=True).last).to_be_visible()
    choose(tab, "Colour by", "chosen or left out")  # what is selected stays
    expect(tab.get_by_role("button", name=re.compile("^free, not chosen"))).to_be_visible()
    expect(tab.get_by_text(note(study, everything))).to_be_visible()

    for label, value in {"left": 0, "right": 100, "bottom": 0, "top": 50}.items():  # by keyboard alone
        tab.get_by_label(label, exact=True).fill(str(value))
    tab.get_by_label("top", exact=True).press("Enter")
    half = (SIDE + 1) / 2
    expect(tab.get_by_text(note(study, [[0, 0], [SIDE + 1, 0], [SIDE + 1, half], [0, half]]))).to_be_visible()
    tab.get_by_role("button", name="Clear the selection").press("Enter")
    expect(tab.get_by_text("Nothing is selected")).to_be_visible()
    settle(tab)
    expect(tab.get_by_test_id("stException")).to_have_count(0)
