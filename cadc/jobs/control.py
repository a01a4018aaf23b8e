"""Background jobs: start, watch, cancel, resume.

The jobs of a study run one after another in one worker process of their own session (`cadc.jobs.worker`), so that
closing a tab or restarting the server does not touch them. A worker holds a file lock for as long as it lives; that
lock, not a process number, decides whether it still runs. Status files are replaced atomically; a cancel is a file that
the worker sees at its next batch. What a job finished before it stopped is on disk and is not computed again.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cadc.errors import BusyError, JobError
from cadc.jobs.engines import QUIET, EngineSettings
from cadc.jobs.meter import JobCost, Meter, measured
from cadc.study import Study, write_json
from cadc.study.progress import Cancelled

JOBS = ("ingest", "warmup", "targets", "attribute", "crossfit", "evaluate")
CORE_JOBS = JOBS[:-1]
"""What a study needs before its pages 3-5 can show anything."""

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
    started: float = 0.0
    updated: float = 0.0
    seconds: float = 0.0
    """Wall-clock seconds this job has worked, earlier interrupted runs included."""
    pid: int = 0


def _read(study: Study, job: str) -> JobStatus:
    """The status file as it stands."""
    try:
        return JobStatus(**json.loads((study.job_folder(job) / "status.json").read_text()))
    except FileNotFoundError:
        return JobStatus(job=job)
    except (TypeError, ValueError) as error:
        raise JobError(f"status of job {job!r} of study {study.name!r} cannot be read: {error}") from error


def write_status(study: Study, status: JobStatus) -> None:
    """Replace the status file of a job."""
    write_json(study.job_folder(status.job) / "status.json", asdict(status))


def _lock_file(study: Study) -> Path:
    folder = study.job_folder("worker")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "lock"


@contextmanager
def worker_lock(study: Study, *, wait_s: float = 5.0):
    """Hold the study's worker lock. Raises BusyError when another worker holds it.

    Waits a moment first, because `is_running` takes the lock for an instant to look.
    """
    with _lock_file(study).open("w") as handle:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BusyError(f"study {study.name!r} is being worked on by another process. "
                                    "Watch it on the Trajectories page or with `python -m cadc status`.") from None
                time.sleep(0.05)
        yield


def is_running(study: Study) -> bool:
    """Whether a worker of this study is alive."""
    with _lock_file(study).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def status(study: Study, job: str) -> JobStatus:
    """Where a job stands; one that says it runs while no worker lives is `interrupted`."""
    found = _read(study, job)
    if found.state in RUNNING and not is_running(study):
        found = _read(study, job)  # it may have ended between the two looks
        if found.state == "running" or (found.state == "queued" and time.time() - found.updated > 60):
            return JobStatus(**(asdict(found) | {"state": "interrupted", "eta_s": None}))
    return found


def statuses(study: Study) -> list[JobStatus]:
    """All jobs of a study, in their order."""
    return [status(study, job) for job in JOBS]


def cost(study: Study, job: str) -> JobCost | None:
    """What a job took when it last ended, or None when it never ran (or an earlier version ran it)."""
    try:
        return JobCost(**json.loads(study.cost_file(job).read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise JobError(f"cost.json of job {job!r} of study {study.name!r} cannot be read: {error}. Delete the file; "
                       "only the record of what the job took is lost.") from error


def record_cost(study: Study, job: str, meter: Meter, workers: int) -> None:
    """Write what a job that has just ended took, as its status file tells it and the meter saw it."""
    ended = _read(study, job)
    samples = ended.done * (study.config.warmup_batch if ended.unit == "steps" and job == "warmup" else 1)
    found = measured(job, meter, state=ended.state, seconds=ended.seconds, samples=samples,
                     disk=study.results_of(job), workers=workers, earlier=cost(study, job))
    write_json(study.cost_file(job), asdict(found))


def finished(study: Study, job: str = CORE_JOBS[-1]) -> bool:
    """Whether a job is done."""
    return _read(study, job).state == "done"


def up_to(job: str) -> tuple[str, ...]:
    """The jobs that must run for `job` to be done, itself last. Raises JobError for an unknown one."""
    if job not in JOBS:
        raise JobError(f"unknown job {job!r}. Jobs: {', '.join(JOBS)}")
    return JOBS[:JOBS.index(job) + 1]


def start(study: Study, upto: str = CORE_JOBS[-1], *, workers: int | None = None,
          engine: EngineSettings | None = None) -> None:
    """Start a worker process for all jobs up to `upto` and return at once.

    `engine` computes the attribution; None is engine `local` with `workers` processes. Raises BusyError when a worker
    is at work, JobError when the engine's package is missing.
    """
    jobs = up_to(upto)
    engine = engine or EngineSettings(workers=workers)
    engine.check_installed()
    if is_running(study):
        raise BusyError(f"study {study.name!r} is already being worked on. Wait for it or cancel it first.")
    now = time.time()
    for job in jobs:
        (study.job_folder(job) / "cancel").unlink(missing_ok=True)
        found = _read(study, job)
        if found.state != "done" or job == upto == "evaluate":
            write_status(study, JobStatus(job=job, state="queued", updated=now, started=found.started,
                                          seconds=0.0 if found.state == "done" else found.seconds))
    command = [sys.executable, "-m", "cadc.jobs.worker", str(study.folder), study.name, "--until", upto,
               *engine.arguments()]
    code = Path(__file__).resolve().parent.parent
    environment = QUIET | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(
        [str(code), *filter(None, [os.environ.get("PYTHONPATH")])])}
    with (study.job_folder("worker") / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, cwd=code, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, start_new_session=True)
    _started.append(process)
    _await_first_sign(study, process)


_started: list[subprocess.Popen] = []
"""Children of this process; kept so that an ended one is reaped at the next start instead of staying a zombie."""


def _await_first_sign(study: Study, process: subprocess.Popen) -> None:
    """Wait until the worker holds its lock (or has ended), so that the next look does not call it interrupted."""
    _started[:] = [p for p in _started if p.poll() is None]
    for _ in range(600):
        if process.poll() is not None or is_running(study):
            return
        time.sleep(0.05)


def cancel(study: Study, job: str | None = None) -> None:
    """Ask the worker to stop at its next batch; what is finished stays. `job` None: whatever runs."""
    for name in JOBS if job is None else (job,):
        if _read(study, name).state in RUNNING:
            folder = study.job_folder(name)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cancel").touch()


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

    def __init__(self, study: Study, job: str, *, every_s: float = 0.5) -> None:
        self._study, self._every = study, every_s
        self._cancel = study.job_folder(job) / "cancel"
        earlier = _read(study, job)
        self._spent = earlier.seconds
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
        self._told = time.monotonic()
        first = self._marks[0] if self._marks else (self._told, self._done)
        elapsed = self._told - first[0]
        rate = (self._done - first[1]) / elapsed if elapsed > 0.2 else 0.0
        eta = (self._total - self._done) / rate if rate > 0 and state == "running" else None
        now = time.time()
        write_status(self._study, JobStatus(
            job=self._job, state=state, done=self._done, total=self._total, unit=self._unit, rate=rate, eta_s=eta,
            readings=self._readings, note=self._note, message=message, started=self._began, updated=now,
            seconds=self._spent + now - self._began, pid=os.getpid()))
