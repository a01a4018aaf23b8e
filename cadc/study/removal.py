"""Taking a study away: its name, its folder, and results that no other study shares."""

import logging
import shutil
import time
from pathlib import Path

from cadc.errors import JobError
from cadc.study.jobs import offered_jobs, usual_jobs
from cadc.study.results import Result
from cadc.study.study import Study, studies
from cadc.study.written import identity_at

log = logging.getLogger(__name__)

KEPT = "removed"
"""Folder below the cache root for what a person typed about studies that were removed."""


def results_of(study: Study) -> list[Result]:
    """Results that a study has under its present settings and inputs, finished or not."""
    try:
        study.key("ingest")
    except JobError:
        return []
    return [study.result(job) for job in (*usual_jobs(study.config), *offered_jobs(study.config))]


def goes(study: Study) -> list[Path]:
    """What `remove` would take away: the study's folder, unless another name points to it too, and results that no
    other study shares."""
    if _twice(study):
        return []
    return [*(result.folder for result in _own(study) if result.folder.exists()), study.folder]


def remove(study: Study) -> list[Path]:
    """Remove a study; returns what was taken away. What a person decided is kept as JSON in `removed/`.

    Where another name points to the same study only this name goes.
    """
    gone = goes(study)
    if gone:
        if study.decisions_file.exists():
            keep = study.root / KEPT / f"{study.name}-{study.identity}-{int(time.time())}.decisions.json"
            keep.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(study.decisions_file, keep)
        pointer = study.ingest_pointer
        for result in _own(study):
            result.remove()
            if result.job == "ingest":
                pointer.unlink(missing_ok=True)
        shutil.rmtree(study.folder, ignore_errors=True)
    (study.root / "names" / f"{study.name}.json").unlink(missing_ok=True)
    return gone


def _own(study: Study) -> list[Result]:
    """Results that no other study shares; none while the settings of another one cannot be read."""
    try:
        others = [other for other in studies(study.root) if other.identity != study.identity]
    except JobError as error:
        log.warning("results of %s stay, since a study that cannot be read may share them: %s", study.name, error)
        return []
    shared = {(result.job, result.key) for other in others for result in results_of(other)}
    return [result for result in results_of(study) if (result.job, result.key) not in shared]


def _twice(study: Study) -> bool:
    """Whether another name points to the same study."""
    pointing = [name for name in Study.names(study.root)
                if identity_at(study.root / "names" / f"{name}.json") == study.identity]
    return study.name in pointing and len(pointing) > 1
