"""A cost is predicted in a process of its own: it can be watched, cancelled, and says why it failed."""

import dataclasses

import pytest
from tiny_study import make_study
from watching import wait_for

from cadc.errors import BusyError
from cadc.estimate import background, ledger
from cadc.estimate.estimate import estimate_for
from cadc.study import Study
from cadc.views.predicting import predicting


@pytest.fixture
def study(data, tmp_path) -> Study:
    return make_study(data, tmp_path)


def ended(study: Study) -> str:
    wait_for(lambda: not background.is_estimating(study))
    return background.standing(study).state


def test_it_finds_what_the_same_call_finds_here(study):
    assert background.standing(study).state == "waiting" and predicting(study).text == ""
    background.start(study, "h100", efficiency=0.5)
    assert ended(study) == "done", (study.job_folder("estimate") / "log.txt").read_text()
    found = ledger.kept(study)["h100"]
    here = estimate_for(study, "h100", efficiency=0.5)
    assert found["jobs"] == here["jobs"] and found["basis"] == here["basis"]
    assert predicting(study).text == ""


def test_cancelled_it_leaves_nothing_behind(study):
    background.start(study)
    assert background.is_estimating(study) and predicting(study).running
    with pytest.raises(BusyError):
        background.start(study, "h100")
    background.cancel(study)
    assert ended(study) == "cancelled" and "was cancelled" in predicting(study).text
    assert ledger.kept(study) == {} and not list(study.folder.glob("calibration-*"))


def test_why_it_failed_is_said(study):
    gone = dataclasses.replace(study, config=dataclasses.replace(study.config, model="nobody/has-this-model"))
    gone.write_down()
    background.start(gone, "h100")
    assert ended(gone) == "failed"
    found = predicting(gone)
    assert "failed" in found.text and found.message and "Traceback" not in found.message


def test_a_process_that_is_gone_is_interrupted(study):
    background._tell(study, "running", ledger.HERE, began=0.0)
    assert background.standing(study).state == "interrupted" and "ended early" in predicting(study).text
