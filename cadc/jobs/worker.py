"""The worker process of a study: runs its jobs in order, each idempotent. Started by `cadc.jobs.control.start`."""

import argparse
import fcntl
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from cadc.errors import BusyError, CadcError
from cadc.jobs.control import cost, on_request, record_cost, work_of, worker_lock
from cadc.jobs.engines import EngineSettings
from cadc.jobs.engines.devices import cores
from cadc.jobs.integrity import repair
from cadc.jobs.meter import Meter
from cadc.jobs.migration import adopt
from cadc.jobs.processes import prepare
from cadc.jobs.status import FileProgress, JobStatus, last_status, write_status
from cadc.study import JOBS, Study
from cadc.study.progress import Cancelled, Progress

log = logging.getLogger(__name__)


def run(study: Study, until: str, engine: EngineSettings, again: str = "") -> bool:
    """Run all jobs up to `until` ('': all that pages need); True when they are done. Errors go to the status file and
    the log. `again`: a job whose result is made anew."""
    there = on_request(study)
    repaired = repair(study)
    jobs = work_of(study, until, (again, *repaired), there)
    if engine.workers != 1 and cores() > 1 and any(JOBS[job].parallel and not study.finished(job) for job in jobs):
        prepare()
    if again and study.finished("ingest"):
        study.result(again).remove()
        study.ingest_pointer.unlink(missing_ok=True) if again == "ingest" else None
    for place, job in enumerate(jobs):
        advisory = JOBS[job].advisory and job not in (again, until)
        if (JOBS[job].core and study.finished(job)) or (advisory and study.complete):
            continue
        with Meter() as meter:
            done, taken_over = _run_one(study, job, engine, repaired.get(job, ()))
        if taken_over and (known := cost(study, job)):
            write_status(study, replace(last_status(study, job), seconds=known.seconds))
        else:
            record_cost(study, job, meter, engine.processes if JOBS[job].parallel else 1)
        if not done and not (advisory and last_status(study, job).state == "failed"):
            for later in jobs[place + 1:]:
                if not study.finished(later):
                    write_status(study, JobStatus(job=later))
            return False
    return True


def _run_one(study: Study, job: str, engine: EngineSettings, repaired: tuple[str, ...]) -> tuple[bool, bool]:
    """Run one job with its own log file and status: is it done, and were results of an earlier version taken over?"""
    folder = study.job_folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    progress, taken_over = FileProgress(study, job, repaired=repaired), False
    try:
        log.info("job %s of study %s begins", job, study.identity)
        for what in repaired:
            log.warning("made again: %s", what)
        with _alone(study, job, progress) if JOBS[job].core and job != "ingest" else nullcontext():
            taken_over = adopt(study, job, progress)
            if not (JOBS[job].core and study.finished(job)):
                JOBS[job].function()(study, progress, **({"engine": engine} if JOBS[job].parallel else {}))
        log.info("job %s is done", job)
        progress.tell("done")
        return True, taken_over
    except Cancelled:
        log.info("job %s was cancelled", job)
        progress.tell("cancelled")
        return False, taken_over
    except CadcError as error:
        log.exception("job %s failed", job)  # before the status: who sees it looks into the log next
        progress.tell("failed", str(error))
        return False, taken_over
    except BaseException as error:
        log.exception("job %s failed", job)
        progress.tell("failed", f"{type(error).__name__}: {error}. The log of this job has the details.")
        if not (JOBS[job].advisory and isinstance(error, Exception)):
            raise
        return False, taken_over
    finally:
        (folder / "cancel").unlink(missing_ok=True)
        logging.getLogger().removeHandler(handler)
        handler.close()


@contextmanager
def _alone(study: Study, job: str, progress: Progress) -> Iterator[None]:
    """One worker at a time makes a result that several studies share; the others wait for it. Raises Cancelled."""
    result = study.result(job)
    lock = result.folder.with_name(f"{result.key}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress.note("another study is making the same result: waiting for it")
                    told = True
                progress.step(0)
                time.sleep(0.5)
        yield


def _stop(signum: int, frame: object) -> None:
    """SIGTERM asks like a cancel does: nothing half-written stays."""
    raise Cancelled("signal")


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m cadc.jobs.worker FOLDER NAME --until JOB`."""
    parser = argparse.ArgumentParser(prog="cadc.jobs.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--until", default="")
    parser.add_argument("--again", default="")
    parser.add_argument("--engine", default="local")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--address", default="")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    study = Study.open(chosen.name, root=chosen.folder.parent.parent)
    try:
        with worker_lock(study):
            engine = EngineSettings(engine=chosen.engine, workers=chosen.workers, address=chosen.address)
            return 0 if run(study, chosen.until, engine, chosen.again) else 1
    except BusyError as error:
        log.error("%s", error)
        return 3


if __name__ == "__main__":
    sys.exit(main())
