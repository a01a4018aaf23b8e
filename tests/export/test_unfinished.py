"""A study that is not finished is not exported, however much of it is there: real studies that stopped on their way."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cadc.curation.workbench import open_workbench, require_finished
from cadc.errors import JobError
from cadc.export import export
from cadc.jobs import control
from cadc.study import Study


def worked(study: Study, until: str) -> Study:
    control.start(study, until, workers=1)
    while control.is_running(study):
        time.sleep(0.05)
    return study


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Study:
    """All rows have scores; the job that finds rows which look wrong was not asked for."""
    from squares import squares_study

    return worked(squares_study(tmp_path_factory.mktemp("scored"), nearness="gradients", crossfit=1), "attribute")


@pytest.fixture
def study(scored, tmp_path) -> Study:
    """A copy that may be changed."""
    shutil.copytree(scored.folder.parent.parent, tmp_path / "cache")
    return Study.open("squares", root=tmp_path / "cache")


def test_a_study_with_a_job_to_go_is_not_exported_and_says_which(study, tmp_path):
    workbench = open_workbench(study)
    assert len(workbench.curriculum.rows) > 0, "pages may show what is there"
    with pytest.raises(JobError, match=r"job 'crossfit' has not run.*`python -m cadc run squares`"):
        export(workbench, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failed_study_is_not_exported_until_its_job_is_done(study, tmp_path):
    samples = study.samples_file("target")
    kept = samples.read_bytes()
    samples.write_bytes(kept[:100])
    worked(study, control.CORE_JOBS[-1])
    with pytest.raises(JobError, match="job 'crossfit' failed"):
        require_finished(study)
    environment = os.environ | {"CADC_CACHE": str(study.folder.parent.parent)}
    command = [sys.executable, "-m", "cadc", "export", "squares", "--out", str(tmp_path / "out")]
    samples.write_bytes(kept)
    asked = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert asked.returncode != 0 and "crossfit" in asked.stderr and not (tmp_path / "out").exists()
    worked(study, control.CORE_JOBS[-1])
    again = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_a_running_study_is_not_exported(study):
    control.write_status(study, control.JobStatus(job="crossfit", state="running", updated=time.time()))
    with control.worker_lock(study), pytest.raises(JobError, match="is running. Watch it"):
        require_finished(study)
    with pytest.raises(JobError, match="was interrupted. Finish it"):
        require_finished(study)


def test_a_job_that_is_switched_off_is_not_missed(tmp_path):
    from squares import squares_study

    study = squares_study(tmp_path, crossfit=0)
    for job in control.CORE_JOBS[:-1]:
        control.write_status(study, control.JobStatus(job=job, state="done"))
    require_finished(study)
