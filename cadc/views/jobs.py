"""Jobs as a person sees them: one line each, what they are about, and whether they must still run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cadc.curation.lacking import LAST
from cadc.data.job import is_ingested
from cadc.gradients import batch_plan
from cadc.jobs import control as jobs
from cadc.jobs.status import JobStatus, log_tail
from cadc.study import JOBS, Study
from cadc.study.jobs import core_jobs, offered_jobs, up_to, usual_jobs
from cadc.views.words import duration

NOT_ASKED = "not asked for"
"""State of a job that a study is complete without, and that nobody has asked for."""
ON_REQUEST = "runs only when asked for"
"""What is to be told of it."""
THERE = "was there already: another job or study made it"
"""Instead of the time that a job took which has never run for this study."""


@dataclass(frozen=True, kw_only=True)
class JobLine:
    """One job as a page or a terminal shows it."""

    job: str
    about: str
    """What it does, in a line."""
    state: str
    """As `cadc.jobs.control.JobStatus.state`, or `NOT_ASKED`."""
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
    repaired: tuple[str, ...] = ()
    """What was found damaged, and made again."""
    preparing: bool = False
    """Whether it runs and has nothing to count yet: it loads a model, or does something in one piece."""


def job_lines(study: Study, names: Sequence[str] = ()) -> list[JobLine]:
    """A line for each of these jobs; (): all that a run does, then those that run only when asked for, gradients
    together. Raises JobError when a status cannot be read."""
    if not names:
        offered, gradients = offered_jobs(study.config), up_to(LAST, study.config)
        names = (*usual_jobs(study.config), *sorted(offered, key=lambda job: job not in gradients))
    return [_line(study, jobs.status(study, name)) for name in names]


def shown_state(study: Study, status: JobStatus) -> str:
    """The state of a job, in the words of a person."""
    waits = status.state == "waiting" and status.job in offered_jobs(study.config)
    return NOT_ASKED if waits else status.state


def _line(study: Study, status: JobStatus) -> JobLine:
    active = status.state == "running"
    preparing = active and not status.done
    facts = _waited(status) if preparing else (
        [f"{status.done:,} of {status.total:,} {status.unit}"] if status.total else [])
    moving = active and status.rate > 0  # a job may count nothing for a while: its note says what it does
    facts += [f"{status.rate:,.1f} {status.unit}/s", f"{duration(status.eta_s)} to go"] if moving else []
    facts += [f"{name} {value:.4g}" for name, value in status.readings.items()]
    facts += [f"took {duration(status.seconds)}" if status.seconds else THERE] if status.state == "done" else []
    state = shown_state(study, status)
    return JobLine(
        job=status.job, about=JOBS[status.job].about, state=state,
        share=min(1.0, status.done / status.total) if status.total else float(status.state == "done"),
        facts=" · ".join(facts) or (ON_REQUEST if state == NOT_ASKED else "not started"),
        note=status.note if active and not preparing else "", preparing=preparing,
        message=status.message if status.state in ("failed", "cancelled") else "", log=log_tail(study, status.job),
        repaired=status.repaired)


def _waited(status: JobStatus) -> list[str]:
    """What a job is at that counts nothing yet, for how long, and how much there will be to count."""
    return [status.note or "getting ready", *([duration(time.time() - status.started)] if status.started else []),
            *([f"then {status.total:,} {status.unit}"] if status.total else [])]


def stand(study: Study) -> str:
    """Where the jobs that every study needs stand together: `running`, `done`, `begun`, or `new` (nothing but reading
    was begun)."""
    if jobs.is_running(study):
        return "running"
    states = [jobs.status(study, job).state for job in core_jobs(study.config)]
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
    if not is_read(study):
        return []
    plans = [batch_plan.read(study, job) for job in ("targets", "attribute") if study.batch_file(job).exists()]
    return list(dict.fromkeys(text for plan in plans for text in plan.warnings))
