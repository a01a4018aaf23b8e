"""The map of units under a real pointer and real keys: what no other test sees."""

import re

import pytest
from acts import choose, press, settle
from playwright.sync_api import Page, expect

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench

pytestmark = pytest.mark.e2e


@pytest.fixture
def units(request, app, tab) -> tuple[str, ...]:
    """The units of a finished study whose map is open; 20, or as many as the test asks for."""
    count = getattr(request, "param", 20)
    synthesise(app.cache, rows=300, units=count, checkpoints=2, samples_per_unit=4, seed=3, name="trial")
    tab.goto(f"{app.url}/capabilities?study=trial")
    expect(tab.locator(".unit-map .point")).to_have_count(count)
    settle(tab)
    return open_workbench(app.study("trial")).scores.units


def unit(tab: Page, place: int):
    return tab.locator(f".unit-map [data-unit='{place}']")


def selected(tab: Page, count: int) -> None:
    expect(tab.get_by_text(re.compile(rf"^{count} of \d+ units selected"))).to_be_visible()
    expect(tab.locator(".unit-map [aria-pressed=true]")).to_have_count(count)
    settle(tab)


def middle(tab: Page, place: int) -> tuple[float, float]:
    box = unit(tab, place).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def lasso(tab: Page, around: tuple[float, float], reach: float = 12) -> None:
    """A closed line around a place."""
    x, y = around
    tab.mouse.move(x - reach, y - reach)
    tab.mouse.down()
    for dx, dy in ((1, -1), (1, 1), (-1, 1), (-1, -0.9)):
        tab.mouse.move(x + dx * reach, y + dy * reach, steps=4)
    tab.mouse.up()


@pytest.mark.parametrize("units", [20, 60], indirect=True)
def test_names_on_the_map_cover_neither_each_other_nor_a_unit(tab, units):
    boxes = tab.evaluate("""() => ['text', '.point'].map(what => [...document.querySelectorAll('*')]
        .flatMap(host => host.shadowRoot ? [...host.shadowRoot.querySelectorAll('.unit-map ' + what)] : [])
        .map(node => { const b = node.getBoundingClientRect(); return [b.x, b.y, b.right, b.bottom]; }))""")
    names, points = boxes
    assert len(points) == len(units) and len(names) > 10
    inset = 2.5  # a line of text is a little higher than its letters
    for i, (x0, y0, x1, y1) in enumerate(names):
        for a0, b0, a1, b1 in (*names[:i], *points):
            apart = x1 - inset <= a0 or a1 <= x0 + inset or y1 - inset <= b0 or b1 <= y0 + inset
            assert apart, (i, (x0, y0, x1, y1), (a0, b0, a1, b1))


def test_a_click_chooses_a_unit_whatever_was_done_before(app, tab, units):
    unit(tab, 3).click()
    selected(tab, 1)
    expect(tab.get_by_role("combobox", name="Unit shown")).to_be_visible()
    lasso(tab, middle(tab, 7))
    expect(unit(tab, 7)).to_have_attribute("aria-pressed", "true")
    settle(tab)
    unit(tab, 3).click()
    selected(tab, 1)
    unit(tab, 3).click()
    selected(tab, 0)
    unit(tab, 3).click()  # the same unit again, after the list was emptied
    selected(tab, 1)
    unit(tab, 3).focus()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Shift+Enter")
    selected(tab, 2)
    tab.keyboard.press("Escape")
    selected(tab, 0)
    unit(tab, 3).click()
    selected(tab, 1)
    choose(tab, "Move them to", "a new capability")
    press(tab, "Move")
    found = open_workbench(app.study("trial")).capabilities
    assert found.members(found.ids[-1]) == (units[3],)


def test_the_map_is_saved_as_a_picture(tab, units, tmp_path):
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="SVG", exact=True).click()
    text = saved.value.path().read_text(encoding="utf-8")
    assert text.startswith("<svg") and text.count('class="point"') == len(units)
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="PNG", exact=True).click()
    assert saved.value.path().read_bytes()[:4] == b"\x89PNG"
