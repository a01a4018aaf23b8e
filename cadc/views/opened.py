"""What pages open of a finished study, and the digest that everything they keep of it is keyed by.

The one place where pages ask whether scores are there and whether they are still the same.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cadc.curation.inputs import aligned
from cadc.curation.workbench import Workbench
from cadc.data import read_table
from cadc.jobs import control as jobs
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.study import Study
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
    """Whether every column that the pages read is written: the job that writes them has ended.

    `scores.json` alone is too early: near(z, s) is joined after it.
    """
    return (study.scores_folder / "scores.json").exists() and jobs.finished(study, "attribute")


def scores_digest(study: Study) -> str:
    """16 hex digits that change whenever a file does that `open_study` reads; '' before there are scores."""
    if not is_scored(study):
        return ""
    digest = hashlib.sha256(str(study.folder).encode())
    for path in _read(study):
        try:
            about = path.stat()
        except FileNotFoundError:  # replaced or gone since it was listed: the next look sees what is there then
            continue
        digest.update(f"{path.relative_to(study.folder)} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _read(study: Study) -> Iterator[Path]:
    """Files of the scores, of the signals joined in them, and of the rows they belong to; no temporary ones."""
    yield from (study.samples_file(role) for role in ("pool", "target"))
    for folder in (study.scores_folder, study.nearness_folder):
        yield from sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


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
