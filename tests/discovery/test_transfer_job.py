"""The job `transfer` of a real, tiny study: kept run by run, gone on with after a stop, the same side by side."""

import dataclasses
import json

import numpy as np
import pytest

from cadc.discovery.intervention import TransferSettings, measure_transfer
from cadc.discovery.transfer import silent
from cadc.discovery.transfer_job import measured, run_transfer
from cadc.errors import JobError
from cadc.gradients.choice import choose
from cadc.jobs.engines import EngineSettings
from cadc.study.jobs import core_jobs, offered_jobs, up_to, usual_jobs
from cadc.study.progress import Cancelled, Silent


@pytest.fixture
def study(finished_study, own_copy):
    copied = own_copy(finished_study)
    return dataclasses.replace(copied, config=dataclasses.replace(copied.config, transfer_steps=2))


class Stopping(Silent):
    """Stops after so many runs."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step(self, n: int = 1, **readings: float) -> None:
        self.left -= n
        if self.left <= 0:
            raise Cancelled("transfer")


def runs(study) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in study.result("transfer").folder.glob("*.npz")}


def test_it_is_offered_and_nothing_waits_for_it(study):
    assert "transfer" in offered_jobs(study.config)
    assert "transfer" not in usual_jobs(study.config) + core_jobs(study.config)
    assert up_to("transfer", study.config) == ("ingest", "lengths", "transfer")
    assert study.complete and not study.finished("transfer")
    with pytest.raises(JobError, match="--until transfer"):
        measured(study)


def test_a_stopped_job_goes_on_behind_what_is_finished_and_says_the_same(study):
    with pytest.raises(Cancelled):
        run_transfer(study, Stopping(4))
    kept = runs(study)
    assert set(kept) >= {"start.npz", "run-00000-0.npz", "run-00001-0.npz", "run-00002-0.npz"} and len(kept) < 7
    (study.result("transfer").folder / "run-00001-0.npz").write_bytes(b"torn")
    run_transfer(study, Silent())
    after = runs(study)
    assert len(after) == 7 and study.finished("transfer")
    assert [name for name in kept if after[name] != kept[name]] == ["run-00001-0.npz"]
    stopped = measured(study)
    study.result("transfer").remove()
    run_transfer(study, Silent())
    assert np.array_equal(measured(study).after, stopped.after)


def test_it_is_the_intervention_on_the_samples_that_gradients_see(study):
    run_transfer(study, Silent())
    found = measured(study)
    from cadc.data import read_samples

    samples = read_samples(study.samples_file("target"))
    seen = sum(map(len, choose(study.config, samples).rows))
    assert found.units == ("name", "is_red", "option") and len(found.before) <= 2 * seen
    if seen == len(samples):
        whole = measure_transfer(study, TransferSettings.of(study.config))
        assert np.allclose(found.after, whole.after, atol=1e-4)
    about = json.loads((study.result("transfer").folder / "transfer.json").read_text())
    assert about["start"] == "untrained base" and about["failed"] == []
    assert about["silent"] == [u for u, quiet in zip(found.units, silent(found.matrix), strict=True) if quiet]


def test_side_by_side_says_what_one_process_says(study):
    run_transfer(study, Silent(), engine=EngineSettings(workers=2))
    two = measured(study)
    study.result("transfer").remove()
    run_transfer(study, Silent(), engine=EngineSettings(workers=1))
    assert np.allclose(two.after, measured(study).after, atol=1e-5)
