"""Where a job stands: status files, replaced atomically by its worker, and the `Progress` that writes them."""

import json
import os
import time
from dataclasses import asdict, dataclass, field

from cadc.errors import JobError
from cadc.study import JOBS, Study, write_json
from cadc.study.progress import Cancelled

RUNNING = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """What a status file says about one job."""

    job: str
    state: str = "waiting"
    """waiting | queued | running | done | failed | cancelled | interrupted (its worker is gone; start it again)."""
    done: int = 0
    total: int = 0
    unit: str = "samples"
    rate: float = 0.0
    """Units per second over the last seconds."""
    eta_s: float | None = None
    """Seconds to go at that rate."""
    readings: dict[str, float] = field(default_factory=dict)
    """Latest loss, learning rate and the like."""
    note: str = ""
    message: str = ""
    """For a failed job: what happened and what to do next."""
    repaired: tuple[str, ...] = ()
    """What was found damaged before the job was run again."""
    started: float = 0.0
    updated: float = 0.0
    seconds: float = 0.0
    """Wall-clock seconds this job has worked, earlier interrupted runs included."""
    pid: int = 0


def read_status(study: Study, job: str) -> JobStatus:
    """The status file as it stands. Raises JobError when it cannot be read."""
    try:
        found = json.loads((study.job_folder(job) / "status.json").read_text())
        return JobStatus(**found | {"repaired": tuple(found.get("repaired", ()))})
    except FileNotFoundError:
        return JobStatus(job=job)
    except (TypeError, ValueError) as error:
        raise JobError(f"status of job {job!r} of study {study.name!r} cannot be read: {error}. Run the study again "
                       f"(`python -m cadc run {study.name}`): a new one is written.") from error


def last_status(study: Study, job: str) -> JobStatus:
    """The same; an unreadable file counts as none, for a job that is about to write a new one."""
    try:
        return read_status(study, job)
    except JobError:
        return JobStatus(job=job)


def write_status(study: Study, status: JobStatus) -> None:
    """Replace the status file of a job."""
    write_json(study.job_folder(status.job) / "status.json", asdict(status))


def status_of(study: Study, job: str, *, alive: bool) -> JobStatus:
    """Where a job stands; `alive`: a worker of the study is at work.

    Whether it is done is its result's to say, whoever made that; only of `evaluate`, which has none, the file's.
    """
    if not JOBS[job].core:
        found = read_status(study, job)
    elif study.finished(job):
        found = last_status(study, job)
        return found if found.state == "done" else JobStatus(**asdict(found) | {"state": "done", "eta_s": None})
    else:
        found = read_status(study, job)
        if found.state == "done":  # of another key, or taken away since
            return JobStatus(job=job)
    if found.state in RUNNING and not alive:
        found = read_status(study, job)  # it may have ended between the two looks
        if found.state == "running" or (found.state == "queued" and time.time() - found.updated > 60):
            return JobStatus(**(asdict(found) | {"state": "interrupted", "eta_s": None}))
    return found


def log_tail(study: Study, job: str, lines: int = 12) -> str:
    """Last lines of a job's log."""
    path = study.job_folder(job) / "log.txt"
    if not path.exists():
        return ""
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - 16_384))
        return "\n".join(handle.read().decode("utf-8", "replace").splitlines()[-lines:])


class FileProgress:
    """The `Progress` of a worker: readings go to the status file, a cancel file stops it."""

    def __init__(self, study: Study, job: str, *, every_s: float = 0.5, repaired: tuple[str, ...] = ()) -> None:
        self._study, self._every, self._repaired = study, every_s, repaired
        self._cancel = study.job_folder(job) / "cancel"
        self._spent = last_status(study, job).seconds
        self._began = time.time()
        self._told = 0.0
        self._marks: list[tuple[float, int]] = []
        self._total, self._done, self._unit, self._note = 0, 0, "samples", ""
        self._readings: dict[str, float] = {}
        self._job = job
        self.tell("running")

    def start(self, total: int, unit: str = "samples", done: int = 0) -> None:
        """See `Progress.start`."""
        self._total, self._unit, self._done = total, unit, done
        self._marks = [(time.monotonic(), done)]
        self.tell("running")

    def step(self, n: int = 1, **readings: float) -> None:
        """See `Progress.step`. Raises Cancelled when a cancel was asked for."""
        self._done += n
        self._readings |= {k: float(v) for k, v in readings.items() if v == v and abs(v) != float("inf")}
        now = time.monotonic()
        if now - self._told >= self._every:
            self._marks = [m for m in self._marks if now - m[0] < 20] + [(now, self._done)]
            self.tell("running")
            if self._cancel.exists():
                raise Cancelled(self._job)

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        self._note = text
        self.tell("running")

    def tell(self, state: str, message: str = "") -> None:
        """Write the status file now."""
        if state == "done":  # a result that was taken over has nothing left to count
            self._done = self._total
        self._told = time.monotonic()
        first = self._marks[0] if self._marks else (self._told, self._done)
        elapsed = self._told - first[0]
        rate = (self._done - first[1]) / elapsed if elapsed > 0.2 else 0.0
        eta = (self._total - self._done) / rate if rate > 0 and state == "running" else None
        now = time.time()
        write_status(self._study, JobStatus(
            job=self._job, state=state, done=self._done, total=self._total, unit=self._unit, rate=rate, eta_s=eta,
            readings=self._readings, note=self._note, message=message, repaired=self._repaired, started=self._began,
            updated=now, seconds=self._spent + now - self._began, pid=os.getpid()))
