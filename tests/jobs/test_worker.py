"""The worker: what it makes, what it leaves alone, what it shares with workers of other studies."""

import fcntl
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from falling import make_study as make_falling
from watching import times, wait_for

from cadc.errors import JobError
from cadc.jobs import control
from cadc.jobs.engines import EngineSettings
from cadc.jobs.status import read_status
from cadc.jobs.worker import run
from cadc.study import JOBS, Study
from cadc.study.jobs import core_jobs

ONE = EngineSettings(workers=1)


@pytest.fixture
def study(finished, own_copy) -> Study:
    return own_copy(finished)


def written(study: Study) -> dict[str, int]:
    """When each file of the study's results was written."""
    return {f"{job}/{name}": when for job in core_jobs(study.config)
            for name, when in times(study.result(job).folder).items()}


def made_again(before: dict[str, int], study: Study) -> set[str]:
    """Jobs of which any file is not what it was."""
    after = written(study)
    return {name.split("/")[0] for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_finished_study_is_left_alone(study):
    before = written(study)
    assert run(study, "", ONE) and written(study) == before


@pytest.mark.parametrize("again", ["ingest", "targets", "scores", "near"])
def test_a_job_that_is_made_again_with_the_same_result_leaves_the_others_alone(study, again):
    before, digests = written(study), {job: study.result(job).record.digest for job in core_jobs(study.config)}
    assert run(study, "", ONE, again=again)
    assert made_again(before, study) == {again}
    assert {job: study.result(job).record.digest for job in core_jobs(study.config)} == digests


def test_only_core_jobs_can_be_made_again(study):
    with pytest.raises(JobError, match="'evaluate' is run on request only"):
        control.start(study, again="evaluate")
    with pytest.raises(JobError, match="unknown job 'jugde'"):
        control.start(study, again="jugde")


def test_another_preset_or_fewer_jobs_is_a_study_of_which_everything_is_there(study):
    before = written(study)
    for name, changes in {"paper": {"preset": "paper"}, "quick": {"preset": "quick"}}.items():
        other = Study.create(name, replace(study.config, **changes), created="", root=study.root)
        assert other.identity != study.identity and other.complete, name
        assert run(other, "", ONE)
    assert written(study) == before


def test_another_choice_of_late_settings_computes_the_late_jobs_alone(study):
    before = written(study)
    other = Study.create("other", replace(study.config, near_q=2), created="", root=study.root)
    assert not other.finished("attribute"), "it keeps near(z, s) of q largest influences"
    assert all(other.finished(job) for job in ("ingest", "warmup", "targets", "embedding"))
    assert run(other, "", ONE) and other.complete and written(study) == before


@contextmanager
def held(study: Study, job: str):
    """As another study's worker holds a result that it makes."""
    result = study.result(job)
    with (result.folder.with_name(f"{result.key}.lock")).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def at_work(study: Study) -> threading.Thread:
    thread = threading.Thread(target=run, args=(study, "near", ONE), daemon=True)
    thread.start()
    wait_for(lambda: "waiting for it" in read_status(study, "near").note, 60)
    return thread


def test_a_result_that_another_worker_makes_is_waited_for_and_not_made_twice(study):
    result = study.result("near")
    result.reopen()
    with held(study, "near"):
        thread = at_work(study)
        before = times(result.folder)
        result.finish()  # the other one is done
    thread.join(60)
    assert not thread.is_alive() and study.finished("near")
    assert {name: when for name, when in times(result.folder).items() if name != "record.json"} == before
    assert read_status(study, "near").state == "done"


def test_who_waits_for_another_worker_can_be_cancelled(study):
    study.result("near").remove()
    with held(study, "near"):
        thread = at_work(study)
        control.cancel(study, "near")
        thread.join(60)
    assert not thread.is_alive() and read_status(study, "near").state == "cancelled"
    assert not study.finished("near")


def test_a_job_that_fails_says_so_and_later_ones_do_not_begin(study):
    for job in ("scores", "near"):
        study.result(job).remove()
    sorted(study.shards_folder.glob("shard-*.json"))[0].unlink()
    study.result("attribute").finish()  # the record does not miss it either
    assert not run(study, "", ONE)
    assert read_status(study, "scores").state == "failed"
    assert "is missing or damaged" in read_status(study, "scores").message
    assert control.status(study, "near").state == "waiting"


def test_what_dead_processes_left_is_swept_and_strangers_files_stay(study):
    folder = study.shards_folder
    dead = folder / f".shard-00000.json.{socket.gethostname()}.999999999.tmp"
    alive = folder / f".shard-00000.json.elsewhere.{1}.tmp"
    for path in (dead, alive):
        path.write_text("half")
    assert run(study, "", ONE)
    assert not dead.exists() and alive.exists()
    assert not any(damage for job in JOBS if JOBS[job].core for damage in study.result(job).damaged())


def test_status_of_a_study_whose_files_are_gone_is_still_done(study):
    lost = replace(study.config, pool=str(Path(study.config.pool).with_name("gone.jsonl")))
    moved = replace(study, config=lost)
    assert moved.complete and run(moved, "", ONE)


def test_a_job_that_nothing_needs_may_fail_and_the_others_go_on(falling, tmp_path, monkeypatch):
    study = make_falling(Path(falling.config.pool).parent, tmp_path)
    monkeypatch.setitem(JOBS._entries, "lengths", replace(JOBS["lengths"], run="nowhere:nothing"))
    assert not run(study, "lengths", ONE), "it was asked for"
    assert run(study, "warmup", ONE) and study.finished("warmup")
    assert read_status(study, "lengths").state == "failed" and "nowhere" in read_status(study, "lengths").message


def test_a_complete_study_of_an_earlier_version_is_not_given_estimates(study):
    study.result("lengths").remove()
    assert run(study, "", ONE) and not study.finished("lengths")
    assert run(study, "lengths", ONE) and study.finished("lengths")
