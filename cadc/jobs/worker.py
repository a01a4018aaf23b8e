"""The worker process of a study: runs its jobs in order, each idempotent. Started by `cadc.jobs.start`."""

import argparse
import importlib
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from cadc.errors import BusyError, CadcError
from cadc.jobs import (
    CORE_JOBS,
    FileProgress,
    JobStatus,
    finished,
    record_cost,
    up_to,
    worker_lock,
    write_status,
)
from cadc.jobs.engines import EngineSettings
from cadc.jobs.engines.devices import default_workers
from cadc.jobs.meter import Meter
from cadc.study import Study
from cadc.study.progress import Cancelled

log = logging.getLogger(__name__)

FUNCTIONS = {
    "ingest": ("cadc.data", "run_ingest"),
    "warmup": ("cadc.training.warmup", "run_warmup"),
    "targets": ("cadc.gradients.targets", "run_targets"),
    "attribute": ("cadc.signals.joined", "run_attribute"),
    "crossfit": ("cadc.signals.out_of_fold", "run_crossfit"),
    "evaluate": ("cadc.evaluation", "run_evaluation"),
}
"""Imported by name when their turn comes: a study that only evaluates does not wait for what it does not need."""


def run(study: Study, until: str, engine: EngineSettings) -> bool:
    """Run all jobs up to `until`, the attribution with `engine`; True when they are done. Errors go to the status file
    and the log."""
    jobs = up_to(until)
    for place, job in enumerate(jobs):
        if finished(study, job) and job in CORE_JOBS:
            continue
        with Meter() as meter:
            done = _run_one(study, job, engine)
        record_cost(study, job, meter, engine.workers or default_workers() if job == "attribute" else 1)
        if not done:
            for later in jobs[place + 1:]:
                if not finished(study, later):
                    write_status(study, JobStatus(job=later))
            return False
    return True


def _options(job: str, engine: EngineSettings) -> dict[str, Any]:
    """What a job is told beside its study. Mode `auto` of the targets asks what fits beside how many copies."""
    if job == "attribute":
        return {"engine": engine}
    return {"workers": engine.workers or default_workers()} if job in ("targets", "crossfit") else {}


def _run_one(study: Study, job: str, engine: EngineSettings) -> bool:
    """Run one job with its own log file and status."""
    folder = study.job_folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    progress = FileProgress(study, job)
    try:
        log.info("job %s of study %s begins", job, study.identity)
        module, function = FUNCTIONS[job]
        getattr(importlib.import_module(module), function)(study, progress, **_options(job, engine))
        log.info("job %s is done", job)
        progress.tell("done")
        return True
    except Cancelled:
        log.info("job %s was cancelled", job)
        progress.tell("cancelled")
        return False
    except CadcError as error:
        log.exception("job %s failed", job)  # before the status: who sees it looks into the log next
        progress.tell("failed", str(error))
        return False
    except BaseException as error:
        log.exception("job %s failed", job)
        progress.tell("failed", f"{type(error).__name__}: {error}. The log of this job has the details.")
        raise
    finally:
        (folder / "cancel").unlink(missing_ok=True)
        logging.getLogger().removeHandler(handler)
        handler.close()


def _stop(signum: int, frame: object) -> None:
    """SIGTERM asks like a cancel does: nothing half-written stays."""
    raise Cancelled("signal")


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m cadc.jobs.worker FOLDER NAME --until JOB`."""
    parser = argparse.ArgumentParser(prog="cadc.jobs.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--until", default=CORE_JOBS[-1])
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
            return 0 if run(study, chosen.until, engine) else 1
    except BusyError as error:
        log.error("%s", error)
        return 3


if __name__ == "__main__":
    sys.exit(main())
