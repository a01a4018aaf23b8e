"""Jobs: states, locks, cancel, a killed worker. Real processes, real files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cadc.errors import BusyError, JobError
from cadc.jobs import control as jobs
from cadc.jobs.status import FileProgress, log_tail, read_status
from cadc.study import JOBS, Study, StudyConfig
from cadc.study.jobs import usual_jobs
from cadc.study.progress import Cancelled

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from cadc.jobs.control import worker_lock
from cadc.jobs.status import FileProgress
from cadc.study import Study
study = Study.open("a", root=Path(sys.argv[1]))
with worker_lock(study):
    progress = FileProgress(study, "warmup", every_s=0.0)
    progress.start(1000)
    print("holding", flush=True)
    while True:
        progress.step(1, loss=1.0)
        time.sleep(0.02)
"""


@pytest.fixture
def study(tmp_path):
    for name in ("pool.json", "target.json"):
        (tmp_path / name).write_text("not json at all")
    config = StudyConfig(pool=str(tmp_path / "pool.json"), target=str(tmp_path / "target.json"), model="x")
    return Study.create("a", config, created="", root=tmp_path / "cache")


@pytest.fixture
def holder(study):
    """Another process that works on the study until it is stopped."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(study.folder.parent.parent)], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.wait()


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def test_a_new_study_waits_for_everything(study):
    one_layout = len(JOBS) - 1  # of the two a study has one
    assert [s.state for s in jobs.statuses(study)] == ["waiting"] * one_layout
    assert not jobs.is_running(study)


def test_a_second_worker_is_refused(study, holder):
    with pytest.raises(BusyError, match="already"):
        jobs.start(study)
    with pytest.raises(BusyError), jobs.worker_lock(study, wait_s=0.1):
        pass


def test_a_killed_worker_is_seen_as_interrupted(study, holder):
    assert jobs.status(study, "warmup").state == "running"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert jobs.status(study, "warmup").state == "interrupted"
    assert not jobs.is_running(study)


def test_cancel_reaches_the_worker_at_its_next_batch(study, holder):
    jobs.cancel(study)
    wait_for(lambda: holder.poll() is not None)
    assert not jobs.is_running(study)


def test_progress_counts_rates_and_earlier_seconds(study):
    progress = FileProgress(study, "warmup", every_s=0.0)
    progress.start(10)
    for _ in range(10):
        time.sleep(0.03)
        progress.step(1, loss=2.0, bad=float("nan"))
    progress.tell("done")
    first = read_status(study, "warmup")
    assert (first.done, first.total, first.state, first.readings) == (10, 10, "done", {"loss": 2.0})
    assert first.seconds >= 0.3 and first.rate > 0
    again = FileProgress(study, "warmup", every_s=0.0)
    again.tell("done")
    assert read_status(study, "warmup").seconds >= first.seconds


def test_only_a_result_makes_a_job_done_whatever_its_status_file_says(study, finished, own_copy):
    FileProgress(study, "warmup").tell("done")
    assert jobs.status(study, "warmup").state == "waiting"
    made = own_copy(finished, "finished")
    assert {s.state for s in jobs.statuses(made) if s.job in usual_jobs(made.config)} == {"done"}
    (made.job_folder("near") / "status.json").unlink()
    assert jobs.status(made, "near").state == "done", "whoever made it"
    made.result("near").remove()
    assert jobs.status(made, "near").state == "waiting"


def test_a_cancel_file_stops_a_step(study):
    progress = FileProgress(study, "targets", every_s=0.0)
    progress.start(3)
    progress.step()
    jobs.cancel(study, "targets")
    with pytest.raises(Cancelled):
        progress.step()


def test_a_failing_job_says_why_in_one_line(study):
    jobs.start(study, "ingest")
    wait_for(lambda: jobs.status(study, "ingest").state not in ("queued", "running"))
    failed = jobs.status(study, "ingest")
    assert failed.state == "failed"
    assert failed.message and "Traceback" not in failed.message
    assert "Traceback" in log_tail(study, "ingest", 200)


def test_unknown_jobs_are_refused(study):
    with pytest.raises(JobError, match="unknown job"):
        jobs.start(study, "wormup")


def test_an_unreadable_status_is_said_not_guessed(study):
    folder = study.job_folder("ingest")
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({"state": "done"}))
    with pytest.raises(JobError, match="cannot be read"):
        jobs.status(study, "ingest")
