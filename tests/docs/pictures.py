"""The pictures of docs/pages, one of each page on the embedded example: `make pictures`.

The app is started on a copy of the cache with its study `demo`, without what was decided there, and each page
is pictured as a person first sees it: 1280 × 800, light. Places on this machine are covered.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from cadc.study import Study, cache_root
from cadc.views.way import EVERY, Place
from tests.e2e.conftest import PATIENCE_MS, App, chromium

ROOT = Path(__file__).resolve().parents[2]
SIZE = {"width": 1280, "height": 800}
LARGEST = 200_000
"""Bytes of a picture at most."""
PAPER = "#F8F9FB"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def picture_of(place: Place) -> Path:
    """Where the picture of a page lies."""
    return ROOT / "docs" / "images" / "pages" / f"{place.name.lower()}.png"


def settled(tab: Page) -> None:
    """Wait until a page is drawn: nothing runs, and two looks see the same."""
    tab.locator(IDLE).wait_for()
    tab.locator("[data-testid=stSkeleton], [data-testid=stSpinner]").first.wait_for(state="detached")
    before = b""
    for _ in range(60):
        now = tab.screenshot()
        if now == before:
            return
        before = now
        tab.wait_for_timeout(500)
    raise TimeoutError("the page never stands still")


def picture(tab: Page, url: str, place: Place) -> bytes:
    """A page as a person first sees it, as PNG."""
    address = "" if place.name == "Data" else place.name.lower()
    tab.goto(f"{url}/{address}?study=demo")
    tab.get_by_role("heading", name=place.name, level=1).wait_for()
    settled(tab)
    paths = tab.locator("[data-testid=stCode]").filter(has_text="/")
    taken = tab.screenshot(mask=[paths], mask_color=PAPER)
    image = Image.open(io.BytesIO(taken)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, "PNG", optimize=True)
    return small.getvalue()


def pictures(browser: Browser, url: str) -> None:
    """All of them, written."""
    tab = browser.new_page(viewport=SIZE, color_scheme="light")
    tab.set_default_timeout(PATIENCE_MS)
    for place in EVERY.values():
        data, path = picture(tab, url, place), picture_of(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{path.relative_to(ROOT)}: {len(data) / 1000:.0f} kB")
    tab.close()


def main() -> int:
    """Start the app on a copy of the demo study and picture every page."""
    if "demo" not in Study.names() or not Study.open("demo").complete:
        print("There is no finished study `demo` yet: `make demo ARGS=--no-app` makes it.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "cache"
        shutil.copytree(cache_root(), copy, ignore=shutil.ignore_patterns("*.duckdb*", "decisions.json", "exports"))
        app = App(copy)
        app.start()
        try:
            with sync_playwright() as playwright, chromium(playwright) as browser:
                pictures(browser, app.url)
        finally:
            app.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
