"""What a person does on the pages, as functions over a playwright page. They wait for content, never for time."""

import re

from playwright.sync_api import Locator, Page, TimeoutError, expect

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


STILL = """idle => new Promise(done => {
    let since = performance.now();
    const watching = new MutationObserver(() => { since = performance.now(); });
    watching.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
    const look = () => {
        if (!document.querySelector(idle)) since = performance.now();
        if (performance.now() - since < 300) { setTimeout(look, 50); return; }
        watching.disconnect();
        done();
    };
    look();
})"""
"""The script rests and the page has stood still for a moment: an act takes one to leave the browser, and a page may run
twice for it."""


def settle(tab: Page) -> None:
    """Wait until the server has answered the last act and the page is drawn."""
    tab.locator(IDLE).wait_for()
    tab.evaluate(STILL, IDLE)


def go(tab: Page, name: str) -> None:
    """Follow a link of the sidebar and wait for that page's title."""
    tab.get_by_test_id("stSidebar").get_by_role("link", name=re.compile(rf"(\d )?{name}$")).click()
    expect(tab.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(tab)


def press(tab: Page, name: str) -> None:
    """Press a button."""
    button = tab.get_by_role("button", name=name, exact=True)
    expect(button).to_be_enabled()
    button.click()
    settle(tab)


def fill(tab: Page, label: str | re.Pattern, text: str) -> None:
    """Type into a field and leave it."""
    field = tab.get_by_label(label, exact=isinstance(label, str)).first
    field.fill(text)
    field.press("Enter")
    settle(tab)


def put_tag(tab: Page, name: str) -> None:
    """On Rows: a new tag on what is chosen to be acted on."""
    press(tab, "Tag")
    fill(tab, "New tag", name)
    press(tab, "Put it on")
    tab.keyboard.press("Escape")
    settle(tab)


def choose(tab: Page, label: str, option: str | re.Pattern) -> None:
    """Choose an option of a list; a list that a rerun has closed is opened again."""
    settle(tab)
    for _ in range(10):
        tab.get_by_role("combobox", name=label).click()
        found = tab.get_by_role("option", name=option).first
        try:
            found.click(timeout=4000)
            break
        except TimeoutError:
            tab.keyboard.press("Escape")
    else:
        raise AssertionError(f"the list {label!r} never offered {option!r}")
    if tab.get_by_role("option").count():  # a list of several stays open; where one was chosen, Escape takes it back
        tab.keyboard.press("Escape")
    settle(tab)


def shares(tab: Page) -> dict[str, float]:
    """What the capability sliders show, in %."""
    sliders = tab.locator("input[type=range][aria-label^='Share of ']")
    return {s.get_attribute("aria-label").split()[2]: float(s.input_value()) for s in sliders.all()}


def flow(tab: Page) -> Locator:
    """The Sankey."""
    return tab.locator("[class*=st-key-flow]").locator("svg").last


def click_first_link(tab: Page, chart: Locator) -> None:
    """Click the middle of the first link of a Sankey: links are the wide paths."""
    for path in chart.locator("path").all():
        box = path.bounding_box()
        if box and box["width"] > 200:
            path.scroll_into_view_if_needed()
            box = path.bounding_box()
            tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            break
    settle(tab)
