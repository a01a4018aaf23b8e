"""Jobs as a person sees them: one line each, what they are about, and whether they must still run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cadc.data.job import is_ingested
from cadc.jobs import control as jobs
from cadc.study import Study
from cadc.views.words import duration

ABOUT = {
    "ingest": "reads pool and target",
    "warmup": "trains a short while, keeps checkpoints",
    "targets": "gradients of the target samples",
    "attribute": "gradients of every pool row, then its embedding",
    "crossfit": "finds rows that look wrong",
    "evaluate": "retrains and compares",
}
"""What each job does, in a line."""


@dataclass(frozen=True, kw_only=True)
class JobLine:
    """One job as a page or a terminal shows it."""

    job: str
    about: str
    """What it does, in a line."""
    state: str
    """As `cadc.jobs.control.JobStatus.state`."""
    share: float
    """How much of it is done, 0 … 1."""
    facts: str
    """Counts, pace and readings, or how long it took."""
    note: str
    """What it is at, while it runs."""
    message: str
    """Why it ended without being done."""
    log: str
    """Last lines of its log."""


def job_lines(study: Study, names: Sequence[str] = jobs.CORE_JOBS) -> list[JobLine]:
    """A line for each of these jobs. Raises JobError when a status cannot be read."""
    return [_line(study, jobs.status(study, name)) for name in names]


def _line(study: Study, status: jobs.JobStatus) -> JobLine:
    active = status.state == "running"
    facts = [f"{status.done:,} of {status.total:,} {status.unit}"] if status.total else []
    facts += [f"{status.rate:,.1f} {status.unit}/s", f"{duration(status.eta_s)} to go"] if active else []
    facts += [f"{name} {value:.4g}" for name, value in status.readings.items()]
    facts += [f"took {duration(status.seconds)}"] if status.state == "done" else []
    return JobLine(
        job=status.job, about=ABOUT.get(status.job, ""), state=status.state,
        share=min(1.0, status.done / status.total) if status.total else float(status.state == "done"),
        facts=" · ".join(facts) or "not started", note=status.note if active else "",
        message=status.message if status.state in ("failed", "cancelled") else "", log=jobs.log_tail(study, status.job))


def stand(study: Study) -> str:
    """Where the jobs that every study needs stand together: `running`, `done`, `begun`, or `new` (nothing but reading
    was begun)."""
    if jobs.is_running(study):
        return "running"
    states = [jobs.status(study, job).state for job in jobs.CORE_JOBS]
    if set(states) == {"done"}:
        return "done"
    return "begun" if any(s in ("done", "cancelled", "failed", "interrupted") for s in states[1:]) else "new"


def is_read(study: Study) -> bool:
    """Whether pool and target are read."""
    return is_ingested(study)


def was_begun(study: Study, job: str) -> bool:
    """Whether a job was ever asked for."""
    return jobs.status(study, job).state != "waiting"


def start_warnings(study: Study) -> list[str]:
    """What the start-up checks of the gradient jobs found, each text once."""
    files = [study.batch_file(job) for job in ("targets", "attribute")]
    return list(dict.fromkeys(text for path in files if path.exists()
                              for text in json.loads(path.read_text(encoding="utf-8"))["warnings"]))
