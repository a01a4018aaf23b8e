"""What pages open of a finished study, and the digest that everything they keep of it is keyed by.

The one place where pages ask whether scores are there and whether they are still the same.
"""

from dataclasses import dataclass

import pandas as pd

from cadc.curation.inputs import aligned
from cadc.curation.workbench import Workbench
from cadc.data import read_table
from cadc.scores import columns
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.study import JOBS, Study
from cadc.study.decisions import Decision


@dataclass(frozen=True, eq=False)
class Opened:
    """The heavy parts of a finished study, shared by all reruns of all pages; N scored rows."""

    columns: InfluenceColumns
    """Influence columns over the memory-mapped scores."""
    pool: pd.DataFrame
    """The N pool rows that have scores, in the order of the scores."""
    targets: pd.DataFrame
    """Target rows."""


def is_scored(study: Study) -> bool:
    """Whether every column is there that a study's near(z, s) rests on, without gradients where it is complete without
    them; losses that only filters read may come later."""
    if JOBS["near"].optional(study.config) and study.finished("quick"):
        return True
    return all(study.finished(job) for job in ("scores", "near") if JOBS[job].wanted(study.config))


def scores_digest(study: Study) -> str:
    """Text that changes whenever a column or a row does that `open_study` reads; '' before there are scores.

    The study is in it: two studies may share every result and differ in what they make of it (preset, seed, folder).
    """
    return f"{study.identity}{study.key('ingest')}{columns.digest(study)}" if is_scored(study) else ""


def open_scores(study: Study) -> Scores:
    """The scores of a finished study, memory-mapped. Raises JobError."""
    return Scores.load(study)


def open_study(study: Study) -> Opened:
    """Scores, pool rows and target rows of a finished study. Raises JobError, or DataError when they do not fit."""
    scores = open_scores(study)
    pool = aligned(read_table(study.samples_file("pool")), scores.index, "pool").reset_index(drop=True)
    return Opened(InfluenceColumns(scores), pool, read_table(study.samples_file("target")))


def workbench(study: Study, opened: Opened, decisions: list[Decision]) -> Workbench:
    """What these decisions make of an opened study."""
    return Workbench(study, opened.columns.scores, opened.pool, opened.targets, decisions, opened.columns)
