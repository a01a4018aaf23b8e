"""What is picked in one place is picked in all, and a link takes it along: what only a real pointer can pick."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from acts import go, press, settle
from playwright.sync_api import Browser, Page, expect

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import Workbench, open_workbench

pytestmark = pytest.mark.e2e
UNITS = 12
BEHIND = re.compile(r" of [\d,]+ rows, strongest influence first$")


@pytest.fixture
def bench(app) -> Workbench:
    """What the decisions of a finished study make of it: none yet."""
    return open_workbench(synthesise(app.cache, rows=300, units=UNITS, checkpoints=2, samples_per_unit=4, seed=3,
                                     name="trial"))


def asked(tab: Page) -> dict[str, list[str]]:
    """What is in the address."""
    return parse_qs(urlsplit(tab.url).query)


def paper(tab: Page, chart: str) -> dict[str, float]:
    """Where the chart with this key has its data, in the window."""
    found = tab.locator(f"[class*=st-key-{chart}] .nsewdrag").first
    found.scroll_into_view_if_needed()
    settle(tab)
    box = found.bounding_box()
    assert box and 0 <= box["y"] and box["y"] + box["height"] <= 900, "all of it is on screen"
    return box


def selected(tab: Page, units: set[str], names: tuple[str, ...]) -> None:
    """These and no others: in the line, on the map, in the address."""
    expect(tab.get_by_text(re.compile(rf"^{len(units)} of {UNITS} units selected"))).to_be_visible()
    expect(tab.locator(".unit-map [aria-pressed=true]")).to_have_count(len(units))
    for unit in units:
        expect(tab.locator(f".unit-map [data-unit='{names.index(unit)}']")).to_have_attribute("aria-pressed", "true")
    assert set(asked(tab).get("units", [])) == units


def click_cell(tab: Page, line: int, column: int) -> None:
    box = paper(tab, "similarity")
    tab.mouse.click(box["x"] + box["width"] * (column + 0.5) / UNITS, box["y"] + box["height"] * (line + 0.5) / UNITS)
    settle(tab)


def lines(tab: Page) -> list[str]:
    """Beginnings of the names of the lines of the similarity, from the top."""
    names = tab.locator("[class*=st-key-similarity] .ytick text")
    expect(names).to_have_count(UNITS)
    ordered = sorted(names.all(), key=lambda one: one.bounding_box()["y"])
    return [str(one.text_content()).rstrip("…") for one in ordered]


def called(begins: list[str], units: set[str]) -> bool:
    """Whether these are the units whose names begin so."""
    return len(begins) == len(units) and all(any(u.startswith(b) for u in units) for b in begins)


def test_a_cell_of_the_similarity_picks_its_units_everywhere_and_for_somebody_else(app, browser: Browser, tab, bench):
    names = bench.scores.units
    tab.goto(f"{app.url}/capabilities?study=trial")
    expect(tab.locator(".unit-map .point")).to_have_count(UNITS)
    settle(tab)
    order = lines(tab)
    click_cell(tab, 2, 9)
    pair = set(asked(tab)["units"])
    assert called([order[2], order[9]], pair)
    selected(tab, pair, names)
    go(tab, "Influence")
    assert "units" not in asked(tab)
    go(tab, "Capabilities")
    selected(tab, pair, names)
    with browser.new_context(viewport={"width": 1280, "height": 900}) as elsewhere:
        other = elsewhere.new_page()
        other.set_default_timeout(120_000)
        other.goto(tab.url)
        selected(other, pair, names)
        other.reload()
        selected(other, pair, names)
    click_cell(tab, 2, 9)  # again: it lets go
    selected(tab, set(), names)
    click_cell(tab, 4, 4)
    assert called([order[4]], set(asked(tab)["units"]))
    selected(tab, set(asked(tab)["units"]), names)
    tab.go_back()
    selected(tab, set(), names)
    tab.go_back()
    selected(tab, pair, names)


def test_a_range_drawn_on_the_histogram_leads_to_its_rows(app, tab, bench):
    tab.goto(f"{app.url}/influence?study=trial")
    expect(tab.get_by_text(BEHIND)).to_be_visible()
    settle(tab)
    box = paper(tab, "spread")
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.4, middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.7, middle, steps=8)
    tab.mouse.up()
    expect(tab.get_by_text(", influence ")).to_be_visible()
    settle(tab)
    low, high = (float(end) for end in asked(tab)["influence"][0].split(".."))
    own = bench.influence.max(axis=1)
    rows = int(np.sum((own >= low) & (own <= high)))
    assert 0 < rows < 300 and low < high
    expect(tab.get_by_text(BEHIND)).to_have_text(re.compile(f": {rows} of 300 rows"))
    tab.get_by_role("link", name="Look through them on Rows").click()
    expect(tab.get_by_text(re.compile(f"^{rows} of 300 rows, "))).to_be_visible()
    go(tab, "Influence")
    expect(tab.get_by_text(BEHIND)).to_have_text(re.compile(f": {rows} of 300 rows"))
    press(tab, "All influences")
    expect(tab.get_by_text(BEHIND)).to_have_text(re.compile(": 300 of 300 rows"))
