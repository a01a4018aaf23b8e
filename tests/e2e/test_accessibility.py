"""No page has a serious accessibility fault by the rules of axe-core, in either theme; what Streamlit alone could mend
is listed with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.synthesise import synthesise
from cadc.views.way import PLACES, Place
from tests.e2e.conftest import PATIENCE_MS, App

pytestmark = pytest.mark.e2e
RULES = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
ALSO = ("heading-order",)
"""Rules of lesser weight that hold too."""

EXCEPTIONS: dict[tuple[str, str], tuple[str, str]] = {
    ("dark", "color-contrast"): (
        "button[data-testid^=stBaseButton-primary], [data-testid=stMultiSelectTagsContainer]",
        "Streamlit writes white on the primary colour, and the primary colour itself on the page. No colour has "
        "4.5 : 1 to both white and a dark page; ours has it to the page, and 3 : 1 to white."),
}
"""(theme, rule) → (elements, why): faults inside these elements are Streamlit's, and no setting of it mends them."""

LOOK = """async ([graves, also, spared]) => {
    const found = await axe.run(document, {resultTypes: ['violations']});
    const kept = [];
    for (const rule of found.violations.filter(one => graves.includes(one.impact) || also.includes(one.id)))
        for (const node of rule.nodes) {
            const element = document.querySelector(node.target[node.target.length - 1]);
            if (!(spared[rule.id] && element && element.closest(spared[rule.id])))
                kept.push(`${rule.id} (${rule.impact}): ${node.html.slice(0, 200)} ${node.failureSummary}`);
        }
    return kept;
}"""


@pytest.fixture(scope="module")
def rules() -> str:
    """The rules, as they lie beside these tests."""
    if not RULES.exists():
        pytest.fail("axe-core is not here: `make install` does not bring it, `make lint` does (npm ci in tests/e2e; "
                    "`sh tests/e2e/install_chromium.sh` installs npm).")
    return RULES.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[App]:
    """The app on a finished study with decisions to make."""
    root = tmp_path_factory.mktemp("accessible")
    synthesise(root, rows=300, units=8, checkpoints=3, samples_per_unit=6, seed=1, name="trial")
    app = App(root)
    app.start()
    yield app
    app.kill()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES.values(), ids=lambda place: place.name)
def test_no_page_has_a_serious_fault(running, browser: Browser, rules, place: Place, theme):
    tab = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(f"{running.url}/{'' if place.name == 'Data' else place.name.lower()}?study=trial")
    following = end_of(place)
    expect(tab.get_by_text(following).first).to_be_visible()
    tab.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    tab.evaluate(rules)
    spared = {rule: elements for (where, rule), (elements, _) in EXCEPTIONS.items() if where == theme}
    faults = tab.evaluate(LOOK, [list(GRAVE), list(ALSO), spared])
    tab.close()
    assert faults == [], "\n".join(faults)


def end_of(place: Place) -> str:
    """What the end of a page shows: then all of it is drawn."""
    names = list(PLACES)
    at = names.index(place.name) + 1
    return f"Next: {at + 1} {names[at]}" if at < len(names) else "Next: 3 Capabilities"


def test_every_exception_says_why():
    assert len(EXCEPTIONS) <= 3 and all(len(why) > 60 for _, why in EXCEPTIONS.values())
