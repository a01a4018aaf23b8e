"""Taking a study away: its name, its folder, and results that no other study shares."""

import shutil
import time
from pathlib import Path

from cadc.errors import JobError
from cadc.study.jobs import core_jobs
from cadc.study.results import Result
from cadc.study.study import Study, studies

KEPT = "removed"
"""Folder below the cache root for what a person typed about studies that were removed."""


def results_of(study: Study) -> list[Result]:
    """Results that a study has under its present settings and inputs, finished or not."""
    try:
        study.key("ingest")
    except JobError:
        return []
    return [study.result(job) for job in core_jobs(study.config)]


def goes(study: Study) -> list[Path]:
    """What `remove` would take away: the study's folder, unless another name points to it too, and results that no
    other study shares."""
    others = [other for other in studies(study.root) if other.identity != study.identity]
    if _names(study) != [study.name] and study.name in _names(study):
        return []
    shared = {(result.job, result.key) for other in others for result in results_of(other)}
    own = [result.folder for result in results_of(study) if (result.job, result.key) not in shared]
    return [*(folder for folder in own if folder.exists()), study.folder]


def remove(study: Study) -> list[Path]:
    """Remove a study; returns what was taken away. What a person decided is kept as JSON in `removed/`.

    Where another name points to the same study only this name goes.
    """
    gone = goes(study)
    shared = {(result.job, result.key) for other in studies(study.root) if other.identity != study.identity
              for result in results_of(other)}
    if gone:
        if study.decisions_file.exists():
            keep = study.root / KEPT / f"{study.name}-{study.identity}-{int(time.time())}.decisions.json"
            keep.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(study.decisions_file, keep)
        own = [result for result in results_of(study) if (result.job, result.key) not in shared]
        pointer = study.ingest_pointer
        for result in own:
            result.remove()
        if any(result.job == "ingest" for result in own):
            pointer.unlink(missing_ok=True)
        shutil.rmtree(study.folder, ignore_errors=True)
    (study.root / "names" / f"{study.name}.json").unlink(missing_ok=True)
    return gone


def _names(study: Study) -> list[str]:
    return [name for name in Study.names(study.root) if Study.open(name, root=study.root).identity == study.identity]
