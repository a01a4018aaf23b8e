"""Whether everything a study has computed is still what was written, and whether its inputs are still what was read."""

import logging
from collections.abc import Callable

from cadc.errors import JobError
from cadc.study import Study
from cadc.study.files import sweep
from cadc.study.inputs import input_there
from cadc.study.jobs import named, offered_jobs, usual_jobs
from cadc.study.results import Damage

log = logging.getLogger(__name__)

PICTURES = "cadc.data.job:changed_pictures"
"""Found by name: looking at pictures is the data room's."""


def damaged(study: Study) -> list[Damage]:
    """Every file of a finished job that is missing or has other bytes than were written; all are read."""
    return [damage for job in _known(study) for damage in study.result(job).damaged()]


def repair(study: Study) -> dict[str, tuple[str, ...]]:
    """Take away what is damaged, so that the jobs make it again and nothing else; job → what it was, in words.

    Pictures that were replaced, went or came since they were read make `ingest` read them again. Temporary files of
    dead processes go.
    """
    swept = sum(sweep(folder) for folder in (study.root / "results", study.folder) if folder.exists())
    if swept:
        log.info("%d temporary files of ended processes removed", swept)
    found = {job: tuple(damage.what for damage in broken) for job in _known(study)
             if (broken := study.result(job).repair())}
    if changes := _changed_pictures(study):
        log.warning("%s", changes)
        study.ingest_pointer.unlink(missing_ok=True)
        found["ingest"] = (changes,)
    return found


def _known(study: Study) -> tuple[str, ...]:
    """Jobs whose key is known."""
    try:
        study.key("ingest")
    except JobError:
        return ()
    return (*usual_jobs(study.config), *offered_jobs(study.config))


def _changed_pictures(study: Study) -> str:
    """'' or how many pictures are not what was read."""
    there = all(input_there(getattr(study.config, role)) and study.image_root(role).is_dir()
                for role in ("pool", "target"))
    if not study.finished("ingest") or not there:
        return ""  # a study without its inputs is read, not made anew
    look: Callable[[Study], str] = named(PICTURES)
    return look(study)
