"""Watching jobs from a terminal: progress bars for the status files, and lines for a batch system's log."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cadc.jobs import control as jobs
from cadc.jobs.status import JobStatus
from cadc.study import JOBS, Study
from cadc.study.jobs import up_to, usual_jobs

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def follow(study: Study, until: str = "") -> bool:
    """Show progress bars until the jobs up to `until` ('': all that its pages need) end; True when all are done.
    Ctrl-C asks them to stop."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("{task.fields[text]}"))
    wanted = up_to(until, study.config) if until else usual_jobs(study.config)
    with Progress(*columns, console=console, refresh_per_second=4) as bars:
        tasks = {job: bars.add_task(job, total=None, start=False, text="") for job in wanted}
        asked = False
        while True:
            try:
                running = jobs.is_running(study)
                found = [jobs.status(study, job) for job in tasks]
                for s in found:
                    _show(bars, tasks[s.job], s)
                if not running:
                    break
                time.sleep(0.4)
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                console.print("asking the job to stop; what is finished is kept (Ctrl-C again leaves it running)")
                jobs.cancel(study)
    for s in found:
        for what in s.repaired:
            console.print(f"{s.job} made again: {what}", markup=False)
    failed = [s for s in found if s.state in ("failed", "cancelled", "interrupted")]
    for s in failed:
        console.print(f"{s.job} {s.state}: {s.message or 'run again to go on from there'}", style="bold", markup=False)
    return all(s.state == "done" for s in found if s.job == until or not JOBS[s.job].advisory)


def _show(bars: "Progress", task: "TaskID", s: JobStatus) -> None:
    """One status on one bar."""
    if s.state not in ("waiting", "queued") and not bars.tasks[task].started:
        bars.start_task(task)
    readings = " ".join(f"{k} {v:.3g}" for k, v in s.readings.items())
    pace = f"{s.rate:.0f} {s.unit}/s, {s.eta_s:.0f} s to go" if s.eta_s is not None else ""
    text = s.state if s.state != "running" else " · ".join(t for t in (pace, readings, s.note) if t)
    bars.update(task, total=s.total if s.done else None, completed=s.done, text=text)  # None: a bar that only moves
    if s.state == "done":
        bars.update(task, total=s.total or 1, completed=s.total or 1)
        bars.stop_task(task)


class LineProgress:
    """A `Progress` for a batch system's log: a line for each note, and one every half a minute."""

    def __init__(self, say: Callable[[str], None], every_s: float = 30.0) -> None:
        self._say, self._every = say, every_s
        self._total, self._done, self._began, self._told = 0, 0, time.monotonic(), 0.0

    def start(self, total: int, unit: str = "samples", done: int = 0) -> None:
        """See `Progress.start`."""
        self._total, self._done, self._began = total - done, 0, time.monotonic()
        self._told = self._began

    def step(self, n: int = 1, **readings: float) -> None:
        """See `Progress.step`."""
        self._done += n
        now = time.monotonic()
        if n and now - self._told >= self._every:
            self._told = now
            rate = self._done / max(now - self._began, 1e-9)
            self._say(f"{self._done} of {self._total} samples, {rate:.1f} per second")

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        self._say(text)
