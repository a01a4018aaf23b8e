"""Jobs as lines for a person."""

import time
from dataclasses import replace

import pytest

from benchmarks.synthesise import synthesise
from cadc.gradients import batch_plan, batch_search
from cadc.jobs.control import JobStatus, worker_lock, write_status
from cadc.study import JOBS, Study
from cadc.study.jobs import core_jobs
from cadc.views import jobs


@pytest.fixture
def study(tmp_path):
    return synthesise(tmp_path, rows=40, units=4, checkpoints=2, samples_per_unit=3, name="trial")


def test_a_line_says_counts_pace_and_what_the_job_is_about(study):
    study.result("attribute").reopen()
    write_status(study, JobStatus(job="attribute", state="running", done=10, total=40, rate=12.5, eta_s=200,
                                  readings={"loss": 1.25}, note="shard 2", updated=time.time()))
    with worker_lock(study):
        line = jobs.job_lines(study, ["attribute"])[0]
    assert line.facts == "10 of 40 samples · 12.5 samples/s · 3 min 20 s to go · loss 1.25"
    assert (line.share, line.note, line.about) == (0.25, "shard 2", JOBS["attribute"].about) and not line.preparing


def test_every_job_has_a_line_about_it(study):
    lines = jobs.job_lines(study, tuple(JOBS))
    assert [line.job for line in lines] == list(JOBS) and all(line.about for line in lines)


def test_a_failed_job_tells_why_and_a_job_that_never_began_says_so(study):
    for status in (JobStatus(job="warmup", state="failed", message="no memory"), JobStatus(job="targets")):
        study.result(status.job).reopen()
        write_status(study, status)
    failed, waiting = jobs.job_lines(study, ["warmup", "targets"])
    assert failed.message == "no memory" and waiting.facts == "not started" and waiting.share == 0


def test_a_result_of_another_study_is_told_apart_from_one_that_took_no_time(study):
    other = Study.create("other", replace(study.config, preset="quick"), created="", root=study.root)
    lines = {line.job: line for line in jobs.job_lines(other)}
    assert (lines["ingest"].state, lines["ingest"].facts) == ("done", jobs.THERE)
    assert lines["transfer"].facts == jobs.ON_REQUEST and list(lines)[-2:] == ["transfer", "profile_layout"]
    assert "took 3 s" in jobs.job_lines(study, ["ingest"])[0].facts


def test_a_job_that_counts_nothing_yet_says_what_it_is_at_and_for_how_long(study):
    study.result("attribute").reopen()
    now = time.time()
    with worker_lock(study):
        for note, total, said in (("loading the model", 40_000, "loading the model · 2 h 05 min · then 40,000 samples"),
                                  ("", 0, "getting ready · 2 h 05 min")):
            write_status(study, JobStatus(job="attribute", state="running", total=total, note=note, updated=now,
                                          started=now - 7501))
            line = jobs.job_lines(study, ["attribute"])[0]
            assert (line.facts, line.preparing, line.note, line.share) == (said, True, "", 0)
    assert not jobs.job_lines(study, ["attribute"])[0].preparing, "nobody is at work"


def test_where_a_study_stands(study):
    assert jobs.stand(study) == "done"
    study.result("scores").reopen()
    write_status(study, JobStatus(job="scores", state="cancelled"))
    assert jobs.stand(study) == "begun"
    for job in core_jobs(study.config)[1:]:
        study.result(job).reopen()
        write_status(study, JobStatus(job=job))
    assert jobs.stand(study) == "new"
    with worker_lock(study):
        assert jobs.stand(study) == "running"
    assert not jobs.was_begun(study, "evaluate") and jobs.is_read(study)


def test_start_warnings_are_said_once(study):
    for job in ("targets", "attribute"):
        batch_plan.write_first(study, job, replace(batch_search.fixed(), warnings=("eager attention",)))
    assert jobs.start_warnings(study) == ["eager attention"]
