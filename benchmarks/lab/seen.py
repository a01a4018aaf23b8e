"""The browser's half of a gesture: seconds from the gesture to the changed picture, in real Chromium on a real server.

Every gesture is repeated on one page; the page's caches are warm, as after a person has looked around. Nothing is
timed but what a person waits for: from the mouse or key to the text that says the new state.
"""

import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lab.large import REPEATS, summary
from cadc.errors import DataError
from cadc.views.way import EVERY

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180
"""Seconds that a page may take to show anything."""
ATTEMPTS, AGAIN = 4, 20
"""How often an act is done when nothing follows, and seconds until the next time."""
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
FIRST: dict[str, str | re.Pattern[str]] = {
    "Data": "Sources", "Trajectories": "Jobs", "Capabilities": re.compile(r"^\d+ of \d+ units selected"),
    "Influence": re.compile(r"^drawn [\d,]+ of [\d,]+ rows in "), "Curriculum": re.compile(r"^[\d.]+ % · [\d,]+ rows"),
    "Evaluation": re.compile("^A new comparison"), "Rows": re.compile(r"^[\d,]+ of [\d,]+ rows, ")}
"""Page → the first text that holds what a person came for."""


@contextmanager
def server(cache: Path) -> Iterator[tuple[str, int]]:
    """The app on a cache root: its address and process number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.address",
               "127.0.0.1", "--server.headless", "true"]
    environment = dict(os.environ) | {"CADC_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=5)
                break
            except OSError as error:
                if running.poll() is not None or time.monotonic() > until:
                    raise DataError("the app does not start.") from error
                time.sleep(0.2)
        yield url, running.pid
    finally:
        running.kill()
        running.wait()


def memory(pid: int) -> dict[str, float]:
    """GiB that a process holds: all (pages of mapped files among them), and its own alone."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", text, re.MULTILINE))
    names = {"app_rss_gib": "VmRSS", "app_anon_gib": "RssAnon"}
    return {key: round(int(found[name]) / 2**20, 2) for key, name in names.items()}


def browser_half(cache: Path, study: str) -> dict[str, Any]:
    """seen: gesture → seconds; pages: page → seconds to first content; payload_mb; app_rss_gib."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise DataError("Chromium was not found. `sh tests/e2e/install_chromium.sh` installs it.")
    with server(cache) as (url, pid), sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        tab = opened.new_page(viewport={"width": 1280, "height": 900})
        tab.set_default_timeout(1000 * PATIENCE)
        look = Look(tab, url, study)
        pages = {name: look.page(name) for name in EVERY}
        seen = {"relabel": look.relabel(), "slider": look.slider(), "sankey": look.sankey(), "filter": look.filter()}
        found = {"seen": seen, "pages": pages, "payload_mb": round(look.heaviest / 1e6, 2), **memory(pid)}
        opened.close()
    return found


class Look:
    """A person at one tab."""

    def __init__(self, tab: "Page", url: str, study: str) -> None:
        self.tab, self.url, self.study = tab, url, study
        self.received, self.heaviest = 0, 0
        tab.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, payload: str | bytes) -> None:
        self.received += len(payload)

    def open(self, name: str) -> float:
        """Seconds from the address to the page's first content."""
        self.received, began = 0, time.perf_counter()
        address = "" if name == "Data" else name.lower()
        self.tab.goto(f"{self.url}/{address}?study={self.study}")
        self.tab.get_by_text(FIRST[name]).first.wait_for()
        took = time.perf_counter() - began
        self._rest()
        self.heaviest = max(self.heaviest, self.received)
        return took

    def _rest(self) -> None:
        self.tab.wait_for_timeout(300)
        self.tab.locator(IDLE).wait_for()

    def page(self, name: str) -> dict[str, float]:
        """First time, then warm."""
        return summary([self.open(name) for _ in range(REPEATS + 1)])

    def _changes(self, act: Callable[[int], None], said: "Locator") -> dict[str, float]:
        """Seconds from each act to another text."""
        found = []
        for i in range(REPEATS + 1):
            found.append(self._seconds(lambda i=i: act(i), said))
            self._rest()
        return summary(found)

    def _seconds(self, act: Callable[[], None], said: "Locator") -> float:
        """Seconds from an act to another text. A chart that is drawn anew under the pointer swallows a click: then it
        is done again, and the clock begins with that. Raises DataError when nothing ever changes."""
        before = said.inner_text()
        for _ in range(ATTEMPTS):
            began = time.perf_counter()
            act()
            while time.perf_counter() - began < AGAIN:
                if said.count() and said.inner_text() != before:
                    return time.perf_counter() - began
                time.sleep(0.01)
        raise DataError(f"nothing changed: {before}")

    def slider(self) -> dict[str, float]:
        """A key on the budget."""
        self.open("Curriculum")
        slider = self.tab.get_by_role("slider", name=re.compile("^Total budget"))
        slider.focus()
        return self._changes(lambda i: slider.press("ArrowRight"), self._said("Curriculum"))

    def sankey(self) -> dict[str, float]:
        """A click on a flow: another one each time."""
        self.open("Influence")
        chart = self.tab.locator("[class*=st-key-flow]").locator("svg").last
        chart.locator("path").first.wait_for()
        self._rest()
        wide = [n for n, path in enumerate(chart.locator("path").all())
                if (path.bounding_box() or {"width": 0})["width"] > 200]  # links, not what is drawn on them

        clicks = itertools.count()  # what swallowed a click may be no link: then the next one

        def click(i: int) -> None:
            path = chart.locator("path").nth(wide[next(clicks) % len(wide)])
            path.scroll_into_view_if_needed()
            box = path.bounding_box()
            assert box is not None
            self.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

        return self._changes(click, self.tab.get_by_text(re.compile(r" of [\d,]+ rows, strongest influence")).first)

    def filter(self) -> dict[str, float]:
        """A source chosen; the clock starts with the choice, not with the list."""
        self.open("Rows")
        found = []
        for i in range(REPEATS + 1):
            self.tab.get_by_role("combobox", name="Source").click()
            option = self.tab.get_by_role("option").nth(i % 4)
            option.wait_for()
            found.append(self._seconds(option.click, self._said("Rows")))
            self._rest()
        return summary(found)

    def relabel(self) -> dict[str, float]:
        """A unit moved to another capability, and back."""
        self.open("Capabilities")
        self.tab.locator(".unit-map [data-unit='0']").press("Enter")  # others may lie over it
        self._rest()
        found, move = [], self.tab.get_by_role("button", name="Move", exact=True).first
        for _ in range(REPEATS + 1):
            said = self._said("Capabilities")
            self.tab.get_by_role("combobox", name="Move them to").click()
            self.tab.get_by_role("option").nth(1 if said.inner_text().endswith(" c1") else 0).click()
            self._rest()
            found.append(self._seconds(move.click, said))
            self._rest()
        return summary(found)

    def _said(self, name: str) -> "Locator":
        return self.tab.get_by_text(FIRST[name]).first
