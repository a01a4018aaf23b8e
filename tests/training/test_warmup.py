"""The warm-up as a job: deterministic, resumable, never repeated."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

sys.path[:0] = [str(Path(__file__).parent / "gradients"), str(Path(__file__).parent / "vlm")]

from cadc.study.progress import Cancelled, Silent  # noqa: E402
from cadc.training.warmup import checkpoint_file, finished, plan, run_warmup  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    import tiny_vlm
    from tiny_study import write_data

    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    tiny_vlm.idefics3(folder / "model")
    return folder


def make(data, root, **settings):
    from tiny_study import make_study

    return make_study(data, root, **({"checkpoints": 3, "warmup_epochs": 3} | settings))


class Stopping(Silent):
    """Cancels after some steps."""

    def __init__(self, after: int) -> None:
        self.after, self.done, self.first = after, 0, 0

    def start(self, total, unit="samples", done=0) -> None:
        self.first = done

    def step(self, n=1, **readings) -> None:
        self.done += n
        if self.done == self.after:
            raise Cancelled


def checkpoints(study) -> list[dict[str, np.ndarray]]:
    return [load_file(checkpoint_file(study, t + 1)) for t in range(study.config.checkpoints)]


def test_same_seed_gives_the_same_checkpoints_even_when_interrupted(data, tmp_path):
    whole = make(data, tmp_path / "a")
    run_warmup(whole, Silent())
    broken = make(data, tmp_path / "b")
    with pytest.raises(Cancelled):
        run_warmup(broken, Stopping(5))
    assert finished(broken) is None and checkpoint_file(broken, 2).exists()
    again = Stopping(10**9)
    run_warmup(broken, again)
    assert again.first == 4 and again.done == 2
    for one, other in zip(checkpoints(whole), checkpoints(broken), strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(value, other[name]) for name, value in one.items())
    steps = [json.loads(line)["step"] for line in (broken.warmup_folder / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_finished_warm_up_is_not_repeated(data, tmp_path):
    study = make(data, tmp_path)
    run_warmup(study, Silent())
    before = checkpoint_file(study, 1).stat().st_mtime_ns
    again = Stopping(10**9)
    run_warmup(study, again)
    assert again.done == 0 and checkpoint_file(study, 1).stat().st_mtime_ns == before


def test_training_lowers_the_loss(data, tmp_path):
    study = make(data, tmp_path, warmup_epochs=30, warmup_min_rows=6)
    run_warmup(study, Silent())
    losses = [json.loads(line)["loss"] for line in (study.warmup_folder / "log.jsonl").read_text().splitlines()]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_moments_are_those_of_plain_adam(data, tmp_path):
    """One step: m = (1 − β1) g and v = (1 − β2) g², so v (1 − β1)² = m² (1 − β2)."""
    study = make(data, tmp_path, warmup_epochs=1, warmup_batch=12, checkpoints=1)
    run_warmup(study, Silent())
    state = checkpoints(study)[0]
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
