"""Which studies there are, and what must be said of one on every page."""

from dataclasses import dataclass
from pathlib import Path

from cadc.study import Study, cache_root


@dataclass(frozen=True, kw_only=True)
class StudyNote:
    """Something about a study that nobody may overlook."""

    text: str
    serious: bool = False
    """Whether its numbers mean nothing."""


def study_names() -> list[str]:
    """Newest first."""
    return Study.names()[::-1]


def heading(study: Study) -> str:
    """One line under the study's name, Markdown without dataset text."""
    return f"preset **{study.config.preset}** · made {study.created.replace('T', ' ')}"


def study_notes(study: Study) -> list[StudyNote]:
    """What is not real in a study."""
    notes, model = [], study.config.model
    if Path(study.config.pool).parent == cache_root() / "demo":
        notes.append(StudyNote(text="This is the embedded example: drawn pictures, generated questions, a tiny model. "
                               "It is synthetic; its numbers say nothing about real data."))
    elif Path(model).parts[-3:] == ("cadc", "demo", "model"):
        notes.append(StudyNote(text="The model of this study is the tiny embedded one: good for trying the workflow, "
                               "not for conclusions about this data."))
    if model == "synthetic-scores":
        notes.append(StudyNote(text="The scores of this study are random numbers, made to try the pages.",
                               serious=True))
    return notes
