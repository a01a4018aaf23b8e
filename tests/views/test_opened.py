"""What pages keep of a study follows its files: nothing is shown of a study that is half there."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.jobs.control import JobStatus, write_status
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.views import opened


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A cache root with one finished study `trial`."""
    root = tmp_path_factory.mktemp("cache")
    synthesise(root, rows=60, units=4, checkpoints=2, samples_per_unit=3, name="trial")
    return root


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """A private copy, as `cp -r` makes one."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return Study.open("trial", root=tmp_path)


def test_scores_do_not_count_before_the_job_that_writes_them_has_ended(study):
    assert opened.is_scored(study) and opened.scores_digest(study)
    write_status(study, JobStatus(job="attribute", state="running"))
    assert not opened.is_scored(study) and opened.scores_digest(study) == ""
    write_status(study, JobStatus(job="attribute", state="done"))
    (study.scores_folder / "scores.json").unlink()
    assert not opened.is_scored(study)


def test_looking_again_gives_the_same_digest_and_temporary_files_do_not_count(study):
    before = opened.scores_digest(study)
    (study.scores_folder / ".near.npy.host.1.tmp").write_bytes(b"half")
    assert opened.scores_digest(study) == before


@pytest.mark.parametrize("change", [
    lambda s: np.save(s.scores_folder / "near.npy", np.load(s.scores_folder / "near.npy") + 1),
    lambda s: np.save(s.scores_folder / "crossfit_loss.npy", np.ones(60, np.float32)),
    lambda s: (s.scores_folder / "tokens.npy").unlink(),
    lambda s: (s.nearness_folder.mkdir(), (s.nearness_folder / "nearness.json").write_text("{}")),
    lambda s: replace(opened.open_scores(s)).save(s.scores_folder / "held-out"),
], ids=["rewritten", "added", "removed", "joined", "held out"])
def test_digest_follows_every_file_of_the_scores(study, change):
    before = opened.scores_digest(study)
    change(study)
    after = opened.scores_digest(study)
    assert after != before
    for path in study.scores_folder.rglob("*.npy"):  # the same size, another time
        os.utime(path, ns=(1, 1))
    assert opened.scores_digest(study) != after


def test_opened_rows_stand_in_the_order_of_the_scores(study):
    found = opened.open_study(study)
    assert found.pool["index"].tolist() == Scores.load(study).index.tolist()
    bench = opened.workbench(study, found, [])
    assert bench.table is found.pool and bench.influence_columns is found.columns
