"""A study that is not finished is not exported, however much of it is there: real studies that stopped on their way."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cadc.curation.workbench import open_workbench, require_finished
from cadc.errors import JobError
from cadc.export import export
from cadc.jobs import control
from cadc.jobs.status import JobStatus, write_status
from cadc.study import Study


def worked(study: Study) -> Study:
    control.start(study, workers=1)
    while control.is_running(study):
        time.sleep(0.05)
    return study


@pytest.fixture
def study(finished_study, own_copy) -> Study:
    """A copy that may be changed: all rows have scores; the job that finds rows which look wrong has not run."""
    copied = own_copy(finished_study)
    made = Study.create("scored", replace(copied.config, judges=1), created="", root=copied.root)
    assert made.finished("scores") and not made.complete
    return made


def test_a_study_with_a_job_to_go_is_not_exported_and_says_which(study, tmp_path):
    workbench = open_workbench(study)
    assert len(workbench.curriculum.rows) > 0, "pages may show what is there"
    with pytest.raises(JobError, match=r"job 'judge' has not run.*`python -m cadc run scored`"):
        export(workbench, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failed_study_is_not_exported_until_its_job_is_done(study, tmp_path):
    model = Path(study.config.model)
    gone = replace(study, config=replace(study.config, model=str(tmp_path / "nowhere")))
    gone.write_down()  # its weights are not where they were: what was computed still counts
    worked(Study.open("scored", root=study.root))
    with pytest.raises(JobError, match="job 'judge' failed"):
        require_finished(study)
    environment = os.environ | {"CADC_CACHE": str(study.root)}
    command = [sys.executable, "-m", "cadc", "export", "scored", "--out", str(tmp_path / "out")]
    asked = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert asked.returncode != 0 and "judge" in asked.stderr and not (tmp_path / "out").exists()
    assert Path(study.config.model) == model
    study.write_down()
    worked(study)
    again = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_a_running_study_is_not_exported(study):
    write_status(study, JobStatus(job="judge", state="running", updated=time.time()))
    with control.worker_lock(study), pytest.raises(JobError, match="is running. Watch it"):
        require_finished(study)
    with pytest.raises(JobError, match="was interrupted. Finish it"):
        require_finished(study)


def test_a_job_that_is_switched_off_is_not_missed(finished_study):
    assert finished_study.config.judges == 0
    require_finished(finished_study)
