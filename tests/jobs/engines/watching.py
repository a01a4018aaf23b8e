"""A progress that watches and disturbs, and what the tests of all engines look at."""

import json
import re
import time
from pathlib import Path

from cadc.study import Study
from cadc.study.progress import Cancelled, Silent


class Watching(Silent):
    """Counts rows, keeps notes, and calls `disturb(self)` once, at the first finished batch."""

    def __init__(self, disturb=lambda progress: None) -> None:
        self.rows, self.done, self.total, self.notes, self._disturb = 0, 0, 0, [], disturb

    def start(self, total, unit="samples", done=0) -> None:
        self.total, self.done = total, done

    def step(self, n=1, **readings) -> None:
        self.rows += n
        if n:
            disturb, self._disturb = self._disturb, lambda progress: None
            disturb(self)

    def note(self, text) -> None:
        self.notes.append(text)

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
