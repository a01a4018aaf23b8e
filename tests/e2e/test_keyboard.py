"""From the start page to an export that `verify` accepts, by keys alone: Tab, arrows, Enter and letters."""

import re
from pathlib import Path

import pytest
from acts import settle
from playwright.sync_api import Page, expect
from squares import squares_study

from cadc.curation.workbench import open_workbench
from cadc.study.decisions import latest, read_decisions

pytestmark = pytest.mark.e2e
FOCUS = """() => {
    let e = document.activeElement;
    while (e && e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;
    const label = e.labels && e.labels.length ? e.labels[0].textContent : '';
    const called = e.getAttribute('aria-label') || label || e.textContent || '';
    return [e.getAttribute('role') || e.tagName.toLowerCase(), called];
}"""
"""Role or tag of what has the focus, also inside a component, and what it is called."""


def there(tab: Page, kind: str, name: str) -> None:
    """Wait until something so named is on the page: a page may stand still while parts of it are still loaded."""
    ends = re.compile(rf"{name}\s*$")
    roles = {"a": "link", "button": "button", "combobox": "combobox"}
    found = {"input": tab.get_by_label(ends), "summary": tab.locator("summary", has_text=ends)}
    (found.get(kind) or tab.get_by_role(roles[kind], name=ends)).first.wait_for(state="attached")


def reach(tab: Page, kind: str, name: str) -> None:
    """Press Tab until the focus is on something of this kind whose name ends so."""
    settle(tab)
    there(tab, kind, name)
    settle(tab)
    seen = []
    for _ in range(220):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate(FOCUS))
        if seen[-1][0] == kind and re.search(rf"{name}$", seen[-1][1].strip()):
            return
    raise AssertionError(f"Tab never came to {kind} {name!r}, but to {seen}")


def enter(tab: Page, kind: str, name: str) -> None:
    """Go there and press Enter."""
    reach(tab, kind, name)
    tab.keyboard.press("Enter")
    settle(tab)


def write(tab: Page, name: str, text: str) -> None:
    """Go to a field, put this in the place of what stands there, and leave it."""
    reach(tab, "input", name)
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type(text)
    tab.keyboard.press("Tab")
    settle(tab)


def page(tab: Page, name: str) -> None:
    """Follow a link of the sidebar."""
    enter(tab, "a", name)
    expect(tab.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(tab)


def make_the_study(app, tab: Page, folder: Path) -> None:
    """Two files, a unit column, a preset, a name; its jobs, until they are done."""
    for label, text in (("Pool file", str(folder / "pool.json")), ("Target file", str(folder / "target.json")),
                        ("Unit column of the target", "task")):
        write(tab, label, text)
    reach(tab, "combobox", "Preset")
    tab.keyboard.type("quick")
    expect(tab.get_by_role("option", name=re.compile("^quick"))).to_be_visible()
    tab.keyboard.press("Enter")
    enter(tab, "summary", "Advanced settings")
    write(tab, "judge_steps", "2")
    write(tab, "Name of the study", "keys")
    enter(tab, "button", "Make the study")
    expect(tab.get_by_role("tab", name="Pool", exact=True)).to_be_visible()
    page(tab, "Trajectories")
    enter(tab, "button", "Start")
    app.watch_jobs(tab, "keys")


def shape_capabilities(tab: Page) -> str:
    """Name the first one; pick a unit on the map and give it a capability of its own. Returns the unit."""
    page(tab, "Capabilities")
    expect(tab.locator(".unit-map .point")).to_have_count(3)
    reach(tab, "input", r"Name of c1 .*")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("seeing")
    tab.keyboard.press("Enter")
    enter(tab, "button", ", in .*")  # a unit: said with its capability
    expect(tab.get_by_text(re.compile("^1 of 3 units selected"))).to_be_visible()
    unit = str(tab.locator(".unit-map [aria-pressed=true]").get_attribute("aria-label")).partition(", in ")[0]
    reach(tab, "combobox", "Move them to")
    tab.keyboard.type("a new")
    tab.keyboard.press("Enter")
    enter(tab, "button", "Move")
    return unit


def curriculum_and_export(tab: Page, folder: Path) -> Path:
    """A share by arrows, Save, Export; where it lies."""
    page(tab, "Curriculum")
    write(tab, "Rows", "12")
    reach(tab, "input", r"Share of c\d+ in %")
    tab.keyboard.press("ArrowRight")
    expect(tab.get_by_text("Not saved yet.")).to_be_visible()
    enter(tab, "button", "Save")
    expect(tab.get_by_text("Saved.", exact=True)).to_be_visible()
    enter(tab, "button", "Next: export")
    write(tab, "Folder", str(folder))
    enter(tab, "button", "Export")
    expect(tab.get_by_text("rows written to")).to_be_visible()
    expect(tab.get_by_test_id("stSidebar").get_by_text("1 export", exact=True)).to_be_visible()  # without another act
    return folder / "trl"


def test_from_the_start_page_to_an_export_by_keys_alone(app, tab, tmp_path):
    squares_study(tmp_path / "data")  # its files; the study is made on the page
    tab.goto(app.url)
    expect(tab.get_by_role("heading", name="Data", level=1)).to_be_visible()
    make_the_study(app, tab, tmp_path / "data")
    study = app.study("keys")
    unit = shape_capabilities(tab)
    found = open_workbench(study).capabilities
    assert found.members(found.ids[-1]) == (unit,)
    assert latest(read_decisions(study), "rename") == {"capability": "c1", "name": "seeing"}
    written = curriculum_and_export(tab, tmp_path / "out")
    app.run("verify", str(written))
    assert len((written / "curriculum.jsonl").read_text().splitlines()) == 12
