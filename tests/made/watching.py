"""Progresses that count, stop and disturb, and what the tests of all engines look at."""

import json
import re
import time
from pathlib import Path

from cadc.study import Study
from cadc.study.progress import Cancelled, Silent


class Counting(Silent):
    """Counts rows and calls, keeps notes, and cancels after so many of either, as a person would."""

    def __init__(self, rows: int = 10**9, calls: int = 10**9) -> None:
        self.rows, self.calls, self.total, self.done = 0, 0, 0, 0
        self.notes: list[str] = []
        self.starts: list[tuple[int, int]] = []
        self._rows, self._calls = rows, calls

    def start(self, total, unit="samples", done=0) -> None:
        self.total, self.done = total, done
        self.starts.append((total, done))

    def step(self, n=1, **readings) -> None:
        self.rows, self.calls = self.rows + n, self.calls + 1
        if self.rows >= self._rows or self.calls >= self._calls:
            raise Cancelled("enough")

    def note(self, text) -> None:
        self.notes.append(text)


class Watching(Counting):
    """Calls `disturb(self)` once, at the first finished batch."""

    def __init__(self, disturb=lambda progress: None) -> None:
        super().__init__()
        self._disturb = disturb

    def step(self, n=1, **readings) -> None:
        super().step(n)
        if n:
            disturb, self._disturb = self._disturb, lambda progress: None
            disturb(self)

    def processes(self) -> list[int]:
        """Process numbers of the workers that are ready, earliest first."""
        return [int(found[1]) for note in self.notes if (found := re.search(r"is ready .*process (\d+)", note))]


def cancel(progress) -> None:
    raise Cancelled


def wait_for(condition, seconds: float = 600):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)
    return found


def finished_shards(study: Study) -> list[Path]:
    return sorted(study.shards_folder.glob("shard-*.json"))


def digests(study: Study) -> dict[str, str]:
    """SHA-256 of every shard's tensors, as its sidecar has it (and `run_attribute` has verified it)."""
    return {path.stem: json.loads(path.read_text())["sha256"] for path in finished_shards(study)}


def times(folder: Path, pattern: str = "*") -> dict[str, int]:
    """When each file of a folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob(pattern) if path.is_file()}
