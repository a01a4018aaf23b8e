"""A synthesised study is a whole one: its files have the shapes of a real one, and its planted skills can be found."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks.lab import planted_rows
from benchmarks.lab.planted_rows import FORMATS, SKILLS
from benchmarks.synthesise import synthesise
from cadc.data import read_table
from cadc.discovery import automatic, similarity
from cadc.errors import DataError
from cadc.jobs import control as jobs
from cadc.jobs.integrity import damaged
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.jobs import core_jobs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("cache")
    return synthesise(root, rows=150, units=18, checkpoints=2, samples_per_unit=5, seed=3, name="x"), root


def test_scores_have_the_documented_shapes_and_fit_the_pool(made):
    study, root = made
    scores = Scores.load(Study.open("x", root=root))
    assert scores.dots.shape == scores.dots_grounded.shape == (2, 18, 150) and scores.near.shape == (18, 150)
    assert scores.sample_gram.shape == (2, 90, 90) and scores.best_index.shape == (90, 150)
    assert scores.index.tolist() == read_table(study.samples_file("pool"))["index"].tolist()
    assert (scores.sample_unit[scores.winner] == np.arange(18)[:, None]).all()
    assert (np.diff(scores.best_value, axis=1) <= 0).all()


def test_all_core_jobs_are_done(made):
    study = made[0]
    assert study.complete and not damaged(study)
    assert {s.state for s in jobs.statuses(study) if s.job in core_jobs(study.config)} == {"done"}


def test_planted_skills_are_found_and_not_the_answer_formats(made):
    scores = Scores.load(made[0])
    found = automatic(similarity(scores.gram, scores.eta)).labels
    skill = np.arange(18) % len(SKILLS)
    assert adjusted_rand_score(skill, found) > 0.6 > adjusted_rand_score(np.arange(18) // 2 % len(FORMATS), found)


@pytest.mark.parametrize("rows, units", [(150, 18), (700, 6), (7, 3)])
def test_what_is_written_in_blocks_is_what_ingest_makes_of_the_same_rows(tmp_path, rows, units, monkeypatch):
    monkeypatch.setattr(planted_rows, "BLOCK", 64)
    read, unread = (synthesise(tmp_path / str(ingested), rows=rows, units=units, checkpoints=2, samples_per_unit=5,
                               seed=3, name="x", read=ingested) for ingested in (True, False))
    assert Path(read.config.pool).read_bytes() == Path(unread.config.pool).read_bytes()
    assert read.key("ingest") == unread.key("ingest"), "the pictures too"
    for role in ("pool", "target"):
        assert pq.read_table(read.samples_file(role)).equals(pq.read_table(unread.samples_file(role)))
    one, other = (json.loads(study.ingest_report.read_text()) for study in (read, unread))
    for report in (one, other):
        for role in report:
            del report[role]["file"]
    assert one == other and unread.complete and not damaged(unread)


def test_name_of_another_question_is_refused(made):
    with pytest.raises(DataError, match="another question"):
        synthesise(made[1], rows=60, units=6, checkpoints=2, samples_per_unit=2, seed=9, name="x")
