"""Looking through rows in a real browser: rescue, flow → rows → tag → download, a link to somebody else, keys alone.

The study is synthesised: 8 000 rows, or as many as CADC_JOURNEY_ROWS says (`make journeys`).
"""

import json
import os
import re
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
from acts import choose, click_first_link, fill, flow, press, put_tag, settle
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.synthesise import synthesise
from cadc.curation.marks import marks_of
from cadc.curation.workbench import open_workbench
from cadc.study.decisions import latest, read_decisions
from cadc.views.pool_rows import STATUS

pytestmark = pytest.mark.e2e
ROWS = int(os.environ.get("CADC_JOURNEY_ROWS", "8000"))
UNITS, CHECKPOINTS = (162, 4) if ROWS > 100_000 else (20, 3)
HEAD, LINE, BOX = 36, 52, 17
"""Pixels of the table: its head, a row, and the middle of the column of boxes."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache root with the study, made once."""
    root = tmp_path_factory.mktemp("made")
    synthesise(root, rows=ROWS, units=UNITS, checkpoints=CHECKPOINTS, samples_per_unit=8, seed=1, name="trial")
    return root


@pytest.fixture
def app(app, made):
    # Linked, not copied: results are never written again, everything else is replaced as a whole.
    shutil.copytree(made, app.cache, copy_function=os.link, dirs_exist_ok=True)
    return app


def note(tab: Page) -> Locator:
    """The line that says how many rows there are."""
    return tab.get_by_text(re.compile(r"^[\d,]+ of [\d,]+ rows, [\d,]+ of them chosen$"))


def look(tab: Page, app, query: str = "") -> None:
    tab.goto(f"{app.url}/rows?study=trial{query}")
    expect(note(tab)).to_be_visible()
    settle(tab)


def at(tab: Page, row: int, x: int) -> None:
    """Click into a row of the table that is on screen, counted from 0."""
    table = tab.locator("[data-testid=stDataFrame]").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    tab.mouse.click(box["x"] + x, box["y"] + HEAD + LINE * row + LINE / 2)
    settle(tab)


def tick(tab: Page, *rows: int) -> None:
    """Tick rows of the page, one after the other."""
    for count, row in enumerate(rows, 1):
        before = len(asked(tab).get("ticked", [""])[0].split(",")) if count > 1 else 0
        at(tab, row, BOX)
        expect(tab.get_by_text(re.compile(r"^[1-9]\d* ticked$"))).to_be_visible()
        assert before <= count


def asked(tab: Page) -> dict[str, list[str]]:
    """What is in the address."""
    return parse_qs(urlsplit(tab.url).query)


def inspected(tab: Page) -> Locator:
    """The line that names the row beside the table."""
    return tab.locator("code").filter(has_text=re.compile(r"^row \d+ · ")).first


def test_rows_that_were_left_out_are_rescued(app, tab):
    study = app.study("trial")
    look(tab, app)
    choose(tab, "In the curriculum", re.compile(f"^{STATUS['repeated']}"))
    expect(note(tab)).to_have_text(re.compile(r" 0 of them chosen$"))
    tick(tab, 0, 1, 2)
    expect(tab.get_by_text("3 ticked", exact=True)).to_be_visible()
    press(tab, "Always take")
    kept = latest(read_decisions(study), "curate")["keep"]
    assert len(kept) == 3
    choose(tab, "In the curriculum", re.compile("^chosen"))
    choose(tab, "Marks", re.compile("^always taken"))
    expect(note(tab)).to_have_text(re.compile(r"^3 of .* 3 of them chosen$"))
    assert set(kept) <= set(open_workbench(study).curriculum.rows["index"])


def test_from_a_flow_to_rows_to_a_tag_to_a_file(app, tab):
    study = app.study("trial")
    tab.goto(f"{app.url}/influence?study=trial")
    everything = tab.get_by_text("all sources → all capabilities: ")
    expect(everything).to_be_visible()
    for _ in range(5):  # a chart that is drawn anew under the pointer swallows the click
        click_first_link(tab, flow(tab))
        if not everything.count():
            break
    expect(everything).to_have_count(0)
    tab.get_by_role("link", name="Look through them on Rows").click()
    expect(note(tab)).to_be_visible()
    settle(tab)
    total = int(note(tab).inner_text().split(" of ")[0].replace(",", ""))
    assert {"source", "capability"} <= set(asked(tab)) and 2 < total < ROWS
    at(tab, 2, 200)
    expect(inspected(tab)).to_have_text(re.compile(f"^row {asked(tab)['row'][0]} · "))
    tick(tab, 0, 1)
    tab.get_by_text(f"{total - 2:,} not ticked", exact=True).click()
    settle(tab)
    put_tag(tab, "steady")
    assert len(marks_of(read_decisions(study)).tags["steady"]) == total - 2
    choose(tab, "Marks", re.compile("^tag steady"))
    expect(note(tab)).to_have_text(re.compile(f"^{total - 2:,} of "))
    tab.get_by_text(f"all {total - 2:,}", exact=True).click()
    settle(tab)
    with tab.expect_download() as coming:
        tab.locator("[class*=st-key-rows-download] button").first.click()
    lines = [json.loads(line) for line in coming.value.path().read_text().splitlines()]
    table = open_workbench(study).table.set_index("index")["id"]
    assert {line["id"] for line in lines} == set(table[marks_of(read_decisions(study)).tags["steady"]])


def test_a_link_shows_somebody_else_the_same(app, browser: Browser, tab):
    look(tab, app, "&sort=loss")
    everything = note(tab).inner_text()
    fill(tab, "Words in question, answer or id", "red")
    expect(note(tab)).not_to_have_text(everything)
    at(tab, 4, 200)
    tick(tab, 1, 3)
    expect(tab.get_by_text("2 ticked", exact=True)).to_be_visible()
    row, said, link = inspected(tab).inner_text(), note(tab).inner_text(), tab.url
    with browser.new_context(viewport={"width": 1280, "height": 900}) as elsewhere:
        other = elsewhere.new_page()
        other.set_default_timeout(120_000)
        other.goto(link)
        expect(note(other)).to_have_text(said)
        expect(inspected(other)).to_have_text(row)
        expect(other.get_by_text("2 ticked", exact=True)).to_be_visible()
        other.reload()
        expect(inspected(other)).to_have_text(row)


def reach(tab: Page, name: str, kind: str = "") -> None:
    """Press Tab until what is so named (a part of its name, label or text) has the focus."""
    for _ in range(150):
        tab.keyboard.press("Tab")
        found = tab.evaluate("""() => { const e = document.activeElement;
            const label = e.labels && e.labels.length ? e.labels[0].textContent : '';
            return [e.getAttribute('aria-label') || label || e.textContent || '', e.tagName, e.type || '']; }""")
        if name in found[0] and found[1] in ({kind.upper()} if kind else {"A", "BUTTON", "INPUT", "TEXTAREA"}):
            return
    raise AssertionError(f"Tab never came to {name!r}")


def test_all_of_it_by_keys_alone(app, tab):
    study = app.study("trial")
    look(tab, app)
    reach(tab, "In the curriculum")
    tab.keyboard.type("chosen")
    expect(tab.get_by_role("option", name=re.compile("^chosen"))).to_be_visible()
    tab.keyboard.press("Enter")
    expect(note(tab)).to_have_text(re.compile(r"^([\d,]+) of [\d,]+ rows, \1 of them chosen$"))
    settle(tab)
    tab.evaluate("() => document.activeElement.blur()")
    first = inspected(tab).inner_text()
    tab.keyboard.press("j")
    expect(inspected(tab)).not_to_have_text(first)
    settle(tab)
    rows = int(note(tab).inner_text().split(" of ")[0].replace(",", ""))
    reach(tab, "ticked", "button")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Space")
    settle(tab)
    reach(tab, "Checked", "button")
    tab.keyboard.press("Enter")
    settle(tab)
    assert len(marks_of(read_decisions(study)).checked) == rows
