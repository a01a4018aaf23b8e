"""The warm-up as a job: deterministic, resumable, never repeated."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_study import make_study
from watching import Counting, wait_for

from cadc.errors import JobError
from cadc.study.progress import Cancelled, Silent
from cadc.training.warmup import checkpoint_file, plan, run_warmup, summary


def make(data, root, **settings):
    """Three checkpoints, two steps each."""
    return make_study(data, root, **({"checkpoints": 3, "warmup_epochs": 3} | settings))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A warm-up that nothing disturbed (shared: copy it before writing)."""
    study = make(data, tmp_path_factory.mktemp("whole"))
    run_warmup(study, Silent())
    return study


def steps_logged(study) -> list[int]:
    return [json.loads(line)["step"] for line in (study.warmup_folder / "log.jsonl").read_text().splitlines()]


def contents(study) -> list[bytes]:
    return [checkpoint_file(study, t + 1).read_bytes() for t in range(study.config.checkpoints)]


def test_same_seed_gives_the_same_checkpoints_even_when_interrupted(whole, data, tmp_path):
    broken = make(data, tmp_path)
    with pytest.raises(Cancelled):
        run_warmup(broken, Counting(calls=5))
    assert not broken.finished("warmup") and checkpoint_file(broken, 2).exists()
    with pytest.raises(JobError, match="no result of the job 'warmup' yet"):
        summary(broken)
    again = Counting()
    run_warmup(broken, again)
    assert again.done == 4 and again.calls == 2
    assert contents(broken) == contents(whole) and summary(broken) == summary(whole)
    assert steps_logged(broken) == steps_logged(whole) == [1, 2, 3, 4, 5, 6]
    assert broken.result("warmup").record.digest == whole.result("warmup").record.digest


@pytest.mark.parametrize("lost", [(1,), (2,), (3,), (1, 3), (1, 2, 3)])
def test_checkpoints_that_are_missing_are_made_again_byte_for_byte_and_the_others_stay(whole, own_copy, lost):
    study = own_copy(whole)
    kept = {t: checkpoint_file(study, t).stat().st_mtime_ns for t in (1, 2, 3) if t not in lost}
    for t in lost:
        checkpoint_file(study, t).unlink()
    study.result("warmup").repair()
    again = Counting()
    run_warmup(study, again)
    assert again.calls == 2 * len(lost), "two steps lie before each checkpoint"
    assert contents(study) == contents(whole)
    assert {t: checkpoint_file(study, t).stat().st_mtime_ns for t in kept} == kept
    assert steps_logged(study) == [1, 2, 3, 4, 5, 6]


KILLED = """
import sys
from pathlib import Path
from cadc.study import Study
from cadc.study.progress import Silent
from cadc.training.warmup import run_warmup
run_warmup(Study.open("tiny", root=Path(sys.argv[1])), Silent())
"""


def test_killed_it_goes_on_from_its_last_checkpoint(data, tmp_path):
    study = make(data, tmp_path, warmup_epochs=60)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], env=environment,
                              stderr=subprocess.DEVNULL)
    wait_for(lambda: checkpoint_file(study, 1).exists() or worker.poll() is not None, 120)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    kept = {t: checkpoint_file(study, t).stat().st_mtime_ns for t in (1, 2, 3) if checkpoint_file(study, t).exists()}
    assert 1 <= len(kept) < 3 and not study.finished("warmup")
    again = Counting()
    run_warmup(study, again)
    assert again.done == 40 * len(kept) and again.calls == 120 - again.done
    assert {t: checkpoint_file(study, t).stat().st_mtime_ns for t in kept} == kept
    assert study.finished("warmup") and steps_logged(study) == list(range(1, 121))


def test_finished_warm_up_is_not_repeated(whole, own_copy):
    study = own_copy(whole)
    before = checkpoint_file(study, 1).stat().st_mtime_ns
    again = Counting()
    run_warmup(study, again)
    assert again.calls == 0 and checkpoint_file(study, 1).stat().st_mtime_ns == before


def test_training_lowers_the_loss(data, tmp_path):
    study = make(data, tmp_path, warmup_epochs=30, warmup_min_rows=6)
    run_warmup(study, Silent())
    losses = [json.loads(line)["loss"] for line in (study.warmup_folder / "log.jsonl").read_text().splitlines()]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_moments_are_those_of_plain_adam(data, tmp_path):
    """One step: m = (1 − β1) g and v = (1 − β2) g², so v (1 − β1)² = m² (1 − β2)."""
    study = make(data, tmp_path, warmup_epochs=1, warmup_batch=12, checkpoints=1)
    run_warmup(study, Silent())
    state = load_file(checkpoint_file(study, 1))
    for name in (n for n in state if n.endswith(".B")):
        m, v = state[name + ".m"].astype(np.float64), state[name + ".v"].astype(np.float64)
        assert np.abs(m).max() > 0
        assert np.allclose(v * 0.01, m**2 * 0.001, rtol=1e-4, atol=1e-14)


def test_plan_takes_the_share_and_spreads_the_checkpoints(data, tmp_path):
    study = make(data, tmp_path, warmup_min_rows=1, warmup_share=0.5, warmup_batch=4, checkpoints=4)
    found = plan(study, 1000)
    assert len(found.rows) == len(set(found.rows)) == 500
    assert found.ends == (94, 188, 281, 375) and len(found.rates) == 375
    assert max(found.rates) == pytest.approx(1e-2) and found.rates[-1] == pytest.approx(1e-3)
    intervals = ((0, 94), (94, 188), (188, 281), (281, 375))
    assert found.eta == [pytest.approx(np.mean(found.rates[a:b])) for a, b in intervals]
    assert plan(study, 3).rows == (0, 1)


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_training_that_goes_astray_is_said_and_no_row_is_blamed(data, tmp_path, epochs):
    study = make(data, tmp_path, warmup_epochs=epochs, warmup_min_rows=24)
    object.__setattr__(study.config, "learning_rate", 1e30)  # more than a person may ask for
    with pytest.raises(JobError, match="went astray.*Lower learning_rate"):
        run_warmup(study, Silent())
    assert not study.finished("warmup")
