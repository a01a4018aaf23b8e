"""What pages keep of a study follows its files: nothing is shown of a study that is half there."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.scores import columns
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


def test_scores_do_not_count_before_every_job_has_ended_that_they_rest_on(study):
    assert opened.is_scored(study) and opened.scores_digest(study)
    study.result("scores").reopen()
    assert not opened.is_scored(study) and opened.scores_digest(study) == ""
    study.result("scores").finish()
    joined = Study.create("joined", replace(study.config, nearness="gradients+words"), created="", root=study.root)
    assert joined.finished("scores") and not opened.is_scored(joined), "near(z, s) of gradients alone is not its own"


def test_studies_that_share_every_result_are_kept_apart(study):
    twin = Study.create("twin", replace(study.config, transfer_steps=7), created="", root=study.root)
    assert twin.complete and opened.is_scored(twin), "the setting belongs to a job that neither has asked for"
    assert opened.scores_digest(twin) != opened.scores_digest(study)


def test_neither_times_nor_temporary_files_change_the_digest(study):
    before = opened.scores_digest(study)
    for path in study.result("scores").folder.rglob("*.npy"):
        os.utime(path, ns=(1, 1))
    (study.result("scores").folder / ".near.npy.host.1.tmp").write_bytes(b"half")
    assert opened.scores_digest(study) == before


@pytest.mark.parametrize("name", ["near.gradients", "tokens", "gram"])
def test_the_digest_follows_every_column_though_size_and_time_stay(study, name):
    before, result = opened.scores_digest(study), study.result("scores")
    path = result.folder / columns.file_of(name)
    was = path.stat()
    values = np.load(path)
    values.flat[0] += 1
    result.reopen()
    np.save(path, values)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    result.finish()
    assert opened.scores_digest(study) == "", "near(z, s) was made from other columns"
    study.result("near").reopen()
    study.result("near").finish()
    assert opened.scores_digest(study) not in ("", before) and path.stat().st_size == was.st_size


def test_opened_rows_stand_in_the_order_of_the_scores(study):
    found = opened.open_study(study)
    assert found.pool["index"].tolist() == Scores.load(study).index.tolist()
    bench = opened.workbench(study, found, [])
    assert bench.table is found.pool and bench.influence_columns is found.columns
