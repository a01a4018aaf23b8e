"""Engine `local`: processes that share a queue, and what is left when some of them are killed."""

import os
import signal

import pytest
from watching import Watching, cancel, digests, finished_shards, wait_for

from cadc.errors import JobError
from cadc.gradients.attribute import run_attribute
from cadc.jobs import control as jobs
from cadc.jobs import processes
from cadc.jobs.engines import EngineSettings, local
from cadc.jobs.engines.devices import visible_gpus
from cadc.jobs.status import log_tail
from cadc.scores import columns
from cadc.study.progress import Cancelled
from cadc.study.results import read_sealed, write_sealed

TWO = EngineSettings(workers=2)


def kill_first(progress) -> None:
    """The worker that was ready first holds a shard when the first batch is heard of."""
    os.kill(progress.processes()[0], signal.SIGKILL)


def test_two_processes_make_the_bytes_of_one(study, undisturbed):
    progress = Watching()
    run_attribute(study, progress, engine=TWO)
    assert len(progress.processes()) == 2 and not any("computed here" in note for note in progress.notes)
    assert progress.rows == 120 and digests(study) == digests(undisturbed)


def test_processes_that_begin_anew_for_a_gpu_make_the_same_bytes(study, undisturbed, monkeypatch):
    for module in (processes, local):
        monkeypatch.setattr(module, "visible_gpus", lambda: ["0", "1"])
    progress = Watching()
    run_attribute(study, progress, engine=TWO)
    assert len(progress.processes()) == 2 and not any("computed here" in note for note in progress.notes)
    assert digests(study) == digests(undisturbed)


def test_killed_process_loses_nothing(study, undisturbed):
    progress = Watching(kill_first)
    run_attribute(study, progress, engine=TWO)
    assert any("died (code -9)" in note for note in progress.notes)
    assert not any("computed here" in note for note in progress.notes)
    assert progress.rows == 120 and digests(study) == digests(undisturbed)


def test_shards_are_computed_by_the_parent_when_workers_die_again_and_again(study, undisturbed, monkeypatch):
    monkeypatch.setattr(local, "RESTARTS", 0)

    class Killing(Watching):
        def note(self, text) -> None:
            super().note(text)
            if "is ready" in text:
                os.kill(self.processes()[-1], signal.SIGKILL)

    progress = Killing()
    run_attribute(study, progress, engine=TWO)
    assert len(progress.processes()) == 2 and "60 shards left by dead workers are computed here" in progress.notes
    assert progress.rows == 120 and digests(study) == digests(undisturbed)


def test_cancel_reaches_processes_and_leaves_none(study):
    progress = Watching(cancel)
    with pytest.raises(Cancelled):
        run_attribute(study, progress, engine=TWO)
    assert progress.processes()
    for pid in progress.processes():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_killed_driver_loses_nothing(study, undisturbed):
    jobs.start(study, "scores", workers=2)
    wait_for(lambda: finished_shards(study) or not jobs.is_running(study))
    os.kill(jobs.status(study, "attribute").pid, signal.SIGKILL)
    wait_for(lambda: not jobs.is_running(study))
    assert jobs.status(study, "attribute").state == "interrupted"
    assert len(finished_shards(study)) < 60
    jobs.start(study, "scores", workers=1)
    wait_for(lambda: not jobs.is_running(study))
    assert jobs.status(study, "attribute").state == "done", log_tail(study, "attribute")
    assert digests(study) == digests(undisturbed) and columns.digest(study) == columns.digest(undisturbed)


def test_error_of_a_worker_is_the_error_of_the_run(study):
    for place in (study.folder / "study.json", study.folder / "study.copy.json"):  # read anew by the workers alone
        about = read_sealed(place)
        write_sealed(place, about | {"config": about["config"] | {"model": str(study.folder)}})
    progress = Watching()
    with pytest.raises(JobError, match="cannot be loaded"):
        run_attribute(study, progress, engine=TWO)
    assert progress.notes[-1] == "2 workers are loading the model"


def test_gpus_are_those_that_the_environment_shows(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-aa")
    assert visible_gpus() == ["5", "GPU-aa"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1"]
