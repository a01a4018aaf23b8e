"""A real server on a free port and a real browser; each test module gets a cache root of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from cadc.jobs import control as jobs
from cadc.study import Study

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 120_000
"""How long a page may take to show what it should: two shared cores import torch and draw plots at the same time."""
STANDSTILL_S = 300
"""How long jobs may say nothing new: a process imports torch, on two cores that others use too."""
expect.set_options(timeout=PATIENCE_MS)


class App:
    """The app's server on one cache root; it can be killed and started again, as a person would."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = dict(os.environ) | {"CADC_CACHE": str(cache), "OMP_NUM_THREADS": "1",
                                               "OMP_WAIT_POLICY": "PASSIVE"}
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        """Address of the app."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port),
                   "--server.address", "127.0.0.1", "--server.headless", "true"]
        with (self.cache / "server.txt").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5)
                return
            except OSError:
                assert self._process.poll() is None, (self.cache / "server.txt").read_text()
                time.sleep(0.2)
        raise TimeoutError("the server does not answer")

    def kill(self) -> None:
        """End the server without a word to anybody (kill -9)."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """A command beside the app: `run("export", …)` is `python -m cadc export …`."""
        return subprocess.run([sys.executable, "-m", "cadc", *arguments], cwd=ROOT, env=self.environment, check=True,
                              capture_output=True, text=True)

    def study(self, name: str) -> Study:
        """A study of this cache root."""
        return Study.open(name, root=self.cache)

    def watch_jobs(self, tab: Page, name: str) -> None:
        """Wait until the page says that all jobs are done, however slow this machine is: as long as they move."""
        study, stood, since = self.study(name), "", time.monotonic()
        while not tab.get_by_text("All jobs are done").count():
            now = jobs.statuses(study)
            ended = [one for one in now if one.state in ("failed", "interrupted", "cancelled")]
            assert not ended, f"{ended[0].job} has {ended[0].state}: {ended[0].message}"
            if (moves := str([(one.state, one.done, one.note) for one in now])) != stood:
                stood, since = moves, time.monotonic()
            assert time.monotonic() - since < STANDSTILL_S, f"nothing has moved for long: {stood}"
            tab.wait_for_timeout(500)


@pytest.fixture
def app(tmp_path_factory) -> Iterator[App]:
    """A running app on an empty cache root; its jobs end with it."""
    running = App(tmp_path_factory.mktemp("cache"))
    running.start()
    yield running
    running.kill()
    for name in Study.names(running.cache):
        study = running.study(name)
        jobs.cancel(study)
        until = time.monotonic() + 60
        while jobs.is_running(study) and time.monotonic() < until:
            time.sleep(0.2)


def chromium(playwright: Playwright) -> Browser:
    """Headless Chromium of this machine."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium was not found. `sh tests/e2e/install_chromium.sh` installs it.")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright, chromium(playwright) as opened:
        yield opened


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """One tab at the size of a laptop."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()
