"""Background jobs: start, watch, cancel, resume.

The jobs of a study run one after another in one worker process of their own session (`cadc.jobs.worker`), so that
closing a tab or restarting the server does not touch them. A worker holds a file lock for as long as it lives; that
lock, not a process number, decides whether it still runs. A cancel is a file that the worker sees at its next batch.
What a job finished before it stopped is on disk and is not computed again.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from cadc.errors import BusyError, JobError
from cadc.jobs.engines import EngineSettings
from cadc.jobs.meter import JobCost, Meter, measured
from cadc.jobs.processes import QUIET
from cadc.jobs.status import RUNNING, JobStatus, last_status, status_of, write_status
from cadc.study import JOBS, Study, write_json
from cadc.study.jobs import job_named, offered_jobs, up_to, usual_jobs


@contextmanager
def worker_lock(study: Study, *, wait_s: float = 5.0) -> Iterator[None]:
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


def _lock_file(study: Study) -> Path:
    folder = study.job_folder("worker")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "lock"


def is_held(lock: Path) -> bool:
    """Whether another process holds this lock file; made when absent."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_running(study: Study) -> bool:
    """Whether a worker of this study is alive."""
    return is_held(_lock_file(study))


def jobs_of(study: Study) -> tuple[str, ...]:
    """The jobs that a study has with its settings, in their order; those on request last."""
    return (*usual_jobs(study.config), *offered_jobs(study.config),
            *(job.name for job in JOBS.values() if not job.core))


def on_request(study: Study) -> tuple[str, ...]:
    """Jobs that run only when asked for, and that somebody has asked for: those that are done."""
    return tuple(job for job in offered_jobs(study.config) if study.finished(job))


def work_of(study: Study, upto: str, anew: Collection[str], there: Collection[str]) -> tuple[str, ...]:
    """The jobs of a run up to `upto` ('': all that its pages need), in their order.

    anew: jobs whose results are gone and are made again; where one of them runs only when asked for, it runs with what
    it needs and with those of `there` (`on_request` before), which may rest on it.
    """
    if upto:
        return up_to(upto, study.config)
    usual, lost = usual_jobs(study.config), set(anew) & set(offered_jobs(study.config))
    names = {*usual, *there, *(one for job in lost for one in up_to(job, study.config))} if lost else set(usual)
    return tuple(job for job in JOBS if job in names)


def status(study: Study, job: str) -> JobStatus:
    """Where a job stands; one that says it runs while no worker lives is `interrupted`. Raises JobError."""
    return status_of(study, job_named(job).name, alive=is_running(study))


def statuses(study: Study) -> list[JobStatus]:
    """All jobs of a study, in their order."""
    alive = is_running(study)
    return [status_of(study, job, alive=alive) for job in jobs_of(study)]


def cost(study: Study, job: str) -> JobCost | None:
    """What a job took when it last ended, or None when it never ran here (another study, or an earlier version did)."""
    try:
        return JobCost(**json.loads(study.cost_file(job).read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise JobError(f"cost.json of job {job!r} of study {study.name!r} cannot be read: {error}. Delete the file; "
                       "only the record of what the job took is lost.") from error


def record_cost(study: Study, job: str, meter: Meter, workers: int) -> None:
    """Write what a job that has just ended took, as its status file tells it and the meter saw it."""
    ended = last_status(study, job)
    each = study.config.warmup_batch if ended.unit == "steps" and job == "warmup" else 1
    samples = 0 if ended.unit == "runs" else ended.done * each  # runs are no samples
    try:
        earlier = cost(study, job)
    except JobError:
        earlier = None
    disk = (study.result(job).folder,) if JOBS[job].core and study.finished("ingest") else (study.evaluation_folder,)
    found = measured(job, meter, state=ended.state, seconds=ended.seconds, samples=samples, disk=disk, workers=workers,
                     earlier=earlier)
    write_json(study.cost_file(job), asdict(found))


def start(study: Study, upto: str = "", *, workers: int | None = None, engine: EngineSettings | None = None,
          again: str = "") -> None:
    """Start a worker process for all jobs up to `upto` ('': all that its pages need) and return at once.

    `engine` computes what is shared out; None is engine `local` with `workers` processes. `again`: a job whose result
    is taken away and made anew. Raises BusyError when a worker is at work, JobError when the engine's package is
    missing or there is no such job.
    """
    if again:
        again = _repeatable(again)
    jobs = work_of(study, upto, (again,), on_request(study))
    engine = engine or EngineSettings(workers=workers)
    engine.check_installed()
    if is_running(study):
        raise BusyError(f"study {study.name!r} is already being worked on. Wait for it or cancel it first "
                        f"(`python -m cadc cancel {study.name}`).")
    now = time.time()
    for job in jobs:
        (study.job_folder(job) / "cancel").unlink(missing_ok=True)
        found = last_status(study, job)
        if job == again or not JOBS[job].core or not study.finished(job):
            spent = 0.0 if found.state == "done" or job == again else found.seconds
            write_status(study, JobStatus(job=job, state="queued", updated=now, started=found.started, seconds=spent))
    command = [sys.executable, "-m", "cadc.jobs.worker", str(study.folder), study.name, "--until", upto,
               "--again", again, *engine.arguments()]
    code = Path(__file__).resolve().parents[2]
    environment = QUIET | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(
        [str(code), *filter(None, [os.environ.get("PYTHONPATH")])])}
    with (study.job_folder("worker") / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, cwd=code, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, start_new_session=True)
    _started.append(process)
    _await_first_sign(study, process)


def _repeatable(job: str) -> str:
    found = job_named(job)
    if not found.core:
        raise JobError(f"job {job!r} is run on request only: ask for a comparison on Evaluation instead.")
    return found.name


_started: list[subprocess.Popen[bytes]] = []
"""Children of this process; kept so that an ended one is reaped at the next start instead of staying a zombie."""


def _await_first_sign(study: Study, process: subprocess.Popen[bytes]) -> None:
    """Wait until the worker holds its lock (or has ended), so that the next look does not call it interrupted."""
    _started[:] = [p for p in _started if p.poll() is None]
    for _ in range(600):
        if process.poll() is not None or is_running(study):
            return
        time.sleep(0.05)


def cancel(study: Study, job: str | None = None) -> None:
    """Ask the worker to stop at its next batch; what is finished stays. `job` None: whatever runs."""
    for name in jobs_of(study) if job is None else (job_named(job).name,):
        if last_status(study, name).state in RUNNING:
            folder = study.job_folder(name)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cancel").touch()
