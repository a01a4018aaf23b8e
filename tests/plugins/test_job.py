"""A job from one file outside the package is listed, run after the others, and told about."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cadc.study import Study

ROOT = Path(__file__).parents[2]
PLUGIN = '''
import numpy as np
from cadc.scores import columns
from cadc.scores.scores import Scores
from cadc.study import JOBS, Job

columns.COLUMNS.add(columns.Column(name="rarity", shape="float32 [N]", job="rarity", needs=("near.gradients",),
                                   about="how far a row is from every unit"))

def run_rarity(study, progress):
    scores = Scores.load(study, near="gradients")
    progress.start(len(scores.index))
    columns.write(study, "rarity", -np.asarray(scores.near).max(0))
    study.result("rarity").finish()
    progress.step(len(scores.index))

JOBS.add(Job(name="rarity", about="finds rows far from every unit", run="toy_job:run_rarity", after=("scores",),
             settings=("near_q",), names=(("*.npy", "a column of rarity"),)))
'''


@pytest.fixture
def cadc(finished, own_copy, tmp_path):
    """`cadc(*arguments)`: what the command said, on a finished study `small`, with the plugin in its environment."""
    study = own_copy(finished)
    (tmp_path / "toy_job.py").write_text(PLUGIN)
    environment = os.environ | {"CADC_CACHE": str(study.root), "CADC_PLUGINS": "toy_job",
                                "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    def call(*arguments: str, code: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "cadc", *arguments], cwd=ROOT, env=environment, text=True,
                              capture_output=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    call.study = study
    return call


def test_a_job_from_a_plugin_is_listed_run_after_the_others_and_told_about(cadc):
    study: Study = cadc.study
    near = study.result("near").folder / "near.joined.npy"
    before = near.stat().st_mtime_ns
    assert "rarity" in cadc("run", "--help")
    assert "rarity" in cadc("status", "small") and "waiting" in cadc("status", "small")
    cadc("run", "small", "--workers", "1")
    made = list((study.root / "results" / "rarity").glob("*/rarity.npy"))
    assert len(made) == 1 and near.stat().st_mtime_ns == before
    line = next(line for line in cadc("status", "small").splitlines() if "rarity" in line)
    assert "done" in line
    made[0].write_bytes(made[0].read_bytes()[:-3])
    assert "a column of rarity" in cadc("verify", "small", code=1)
    cadc("run", "small", "--workers", "1")
    assert near.stat().st_mtime_ns == before
    cadc("verify", "small")


def test_a_plugin_that_cannot_be_imported_is_said_in_one_line(finished, tmp_path):
    environment = os.environ | {"CADC_CACHE": str(finished.root), "CADC_PLUGINS": "no_such_module"}
    done = subprocess.run([sys.executable, "-m", "cadc", "list"], cwd=ROOT, env=environment, text=True,
                          capture_output=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "the plugin 'no_such_module' cannot be imported" in done.stderr
