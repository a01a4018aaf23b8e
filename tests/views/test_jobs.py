"""Jobs as lines for a person."""

import json
import time

import pytest

from benchmarks.synthesise import synthesise
from cadc.jobs import control
from cadc.jobs.control import JobStatus, worker_lock, write_status
from cadc.views import jobs


@pytest.fixture
def study(tmp_path):
    return synthesise(tmp_path, rows=40, units=4, checkpoints=2, samples_per_unit=3, name="trial")


def test_a_line_says_counts_pace_and_what_the_job_is_about(study):
    write_status(study, JobStatus(job="attribute", state="running", done=10, total=40, rate=12.5, eta_s=200,
                                  readings={"loss": 1.25}, note="shard 2", updated=time.time()))
    with worker_lock(study):
        line = jobs.job_lines(study, ["attribute"])[0]
    assert line.facts == "10 of 40 samples · 12.5 samples/s · 3 min 20 s to go · loss 1.25"
    assert (line.share, line.note, line.about) == (0.25, "shard 2", jobs.ABOUT["attribute"])


def test_every_job_has_a_line_about_it(study):
    lines = jobs.job_lines(study, control.JOBS)
    assert [line.job for line in lines] == list(control.JOBS) and all(line.about for line in lines)


def test_a_failed_job_tells_why_and_a_job_that_never_began_says_so(study):
    write_status(study, JobStatus(job="warmup", state="failed", message="no memory"))
    write_status(study, JobStatus(job="targets"))
    failed, waiting = jobs.job_lines(study, ["warmup", "targets"])
    assert failed.message == "no memory" and waiting.facts == "not started" and waiting.share == 0


def test_where_a_study_stands(study):
    assert jobs.stand(study) == "done"
    write_status(study, JobStatus(job="crossfit", state="cancelled"))
    assert jobs.stand(study) == "begun"
    for job in control.CORE_JOBS[1:]:
        write_status(study, JobStatus(job=job))
    assert jobs.stand(study) == "new"
    with worker_lock(study):
        assert jobs.stand(study) == "running"
    assert not jobs.was_begun(study, "evaluate") and jobs.is_read(study)


def test_start_warnings_are_said_once(study):
    for job in ("targets", "attribute"):
        study.batch_file(job).parent.mkdir(exist_ok=True)
        study.batch_file(job).write_text(json.dumps({"warnings": ["eager attention"]}))
    assert jobs.start_warnings(study) == ["eager attention"]
