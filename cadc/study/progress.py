"""How a long computation reports to whoever watches it, and learns that it should stop."""

from typing import Protocol


class Cancelled(Exception):
    """Raised by `Progress.step` when somebody asked the job to stop; what is on disk stays valid."""


class Progress(Protocol):
    """What warm-up, targets, attribution and evaluation call while they work."""

    def start(self, total: int, unit: str = "samples", done: int = 0) -> None:
        """Say how much there is to do; `done` of it may already be there from an earlier run."""

    def step(self, n: int = 1, **readings: float) -> None:
        """Say that `n` more are done; readings (loss=…, lr=…) are shown. Raises `Cancelled`."""

    def note(self, text: str) -> None:
        """Say one line about what happens now."""


class Silent:
    """A `Progress` that shows nothing and never cancels (tests, library use)."""

    def start(self, total: int, unit: str = "samples", done: int = 0) -> None:
        return None

    def step(self, n: int = 1, **readings: float) -> None:
        return None

    def note(self, text: str) -> None:
        return None
