"""What a job that runs only when asked for would take, in words."""

import json

import numpy as np

from cadc.discovery.intervention import TransferSettings
from cadc.estimate import ledger
from cadc.estimate.costs import transfer_rows
from cadc.gradients.choice import choose
from cadc.jobs.engines.devices import default_workers
from cadc.study import JOBS, Study
from cadc.study.jobs import up_to
from cadc.views.words import duration


def price_of(study: Study, job: str) -> str:
    """Of a job and what must run before it, as the latest estimate for this machine has it; of `transfer` else from the
    pace of the warm-up, else what it counts."""
    found = ledger.kept(study).get(ledger.HERE)
    known = found.get("jobs", {}) if found else {}
    open_jobs = [one for one in up_to(job, study.config) if not JOBS[one].advisory and not study.finished(one)]
    if open_jobs and all(one in known for one in open_jobs if JOBS[one].cost):
        seconds = sum(known[one]["seconds"] for one in open_jobs if JOBS[one].cost)
        memory = max(known[one]["memory_mb"] for one in open_jobs if JOBS[one].cost)
        return f"about {duration(seconds)} and {memory:,.0f} MB, as estimated here"
    if job == "transfer":
        return _transfer(study)
    return f"python -m cadc estimate {study.name} says what that takes"


def _transfer(study: Study) -> str:
    from cadc.data import read_samples

    choice = choose(study.config, read_samples(study.samples_file("target")))
    settings = TransferSettings.of(study.config)
    per_unit = max(map(len, choice.rows), default=0)
    trained, read = transfer_rows(study.config, len(choice.units), per_unit)
    counted = (f"{len(choice.units) * settings.repeats:,} short trainings of {settings.steps} steps, {read:,} losses "
               "read after them")
    pace = _pace(study)
    if not pace:
        return f"{counted}; python -m cadc estimate {study.name} says what that takes"
    seconds = (trained + read / 2) / pace / default_workers()
    return f"about {duration(seconds)} at the warm-up's pace, {counted}"


def _pace(study: Study) -> float:
    """Samples per second of the warm-up's steps, 0 where there are none."""
    path = study.warmup_folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rates = [json.loads(line)["samples_per_s"] for line in lines if line.endswith("}")]
    return float(np.median(rates)) if rates else 0.0
