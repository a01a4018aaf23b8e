"""The cross-fitted loss: no row is judged by a model that saw it, a stop costs one model, the filter is a quantile."""

import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cadc import crossfit, folds, jobs
from cadc.cost import _tree
from cadc.curation.candidates import FEW, looks_wrong
from cadc.curation.curriculum import curate
from cadc.curation.settings import CurationSettings
from cadc.discovery.capabilities import Capabilities
from cadc.gradients.scores import Scores
from cadc.influence import InfluenceColumns
from cadc.progress import Cancelled, Silent
from cadc.study import Study, StudyConfig

sys.path.insert(0, str(Path(__file__).parent / "evaluation"))


@pytest.fixture(scope="module")
def attributed(tmp_path_factory):
    from squares import attributed_squares

    return attributed_squares(tmp_path_factory.mktemp("crossfit"))


@pytest.fixture
def study(attributed, tmp_path):
    shutil.copytree(attributed.folder.parent.parent, tmp_path / "cache")
    opened = Study.open("squares", root=tmp_path / "cache")
    return replace(opened, config=replace(opened.config, crossfit=2, crossfit_share=0.8))


class Counting(Silent):
    """Counts what a job says it has done; asks it to stop after `stop` steps."""

    def __init__(self, stop: int = 10**9) -> None:
        self.total, self.done, self.calls, self.stop = 0, 0, 0, stop

    def start(self, total: int, unit: str = "samples", done: int = 0) -> None:
        self.total = total

    def step(self, n: int = 1, **readings: float) -> None:
        self.done, self.calls = self.done + n, self.calls + 1
        if self.calls >= self.stop:
            raise Cancelled("crossfit")


def test_the_job_writes_the_loss_of_every_row_and_target_sample(study):
    before = Scores.load(study)
    assert not before.has_crossfit
    crossfit.run_crossfit(study, Silent())
    after = Scores.load(study)
    assert after.has_crossfit and after.crossfit_target.shape == after.sample_index.shape
    assert np.isfinite(after.crossfit_loss).all() and (after.crossfit_loss > 0).all()
    assert np.array_equal(after.near, before.near) and np.array_equal(after.loss, before.loss)
    seen = Counting()
    crossfit.run_crossfit(study, seen)
    assert seen.calls == 0, "what is there is not computed again"


def test_no_row_is_judged_by_a_model_that_trained_on_it(study, monkeypatch):
    from cadc.evaluation import retrain as module

    trained, judged = [], []
    real_train, real_losses = module.retrain, crossfit._losses

    def retrain(bench, rows, *rest, **named):
        trained.append(set(rows))
        return real_train(bench, rows, *rest, **named)

    def losses(bench, bank, rows, progress):
        if bank is bench.pool:
            index = {place: i for i, place in bench.place.items()}
            judged.append({index[row] for row in rows})
        return real_losses(bench, bank, rows, progress)

    monkeypatch.setattr(module, "retrain", retrain)
    monkeypatch.setattr(crossfit, "_losses", losses)
    crossfit.run_crossfit(study, Silent())
    index = set(Scores.load(study).index.tolist())
    assert len(trained) == len(judged) == 2 * folds.FOLDS
    for own, seen in zip(trained, judged, strict=True):
        assert own and not own & seen
        assert not own & {10, 13}, "these repeat a target sample"
    for number in range(2):
        assert judged[2 * number] | judged[2 * number + 1] == index
        assert not judged[2 * number] & judged[2 * number + 1]


def test_copies_share_a_fold(study):
    from cadc.data import read_table

    question = crossfit._question(study, Scores.load(study))
    group = read_table(study.samples_file("pool")).set_index("index")["group"].loc[question.index].to_numpy()
    for number in range(2):
        for one in np.unique(group):
            assert len(set(question.fold[number][group == one])) == 1
    assert len({tuple(row) for row in question.fold}) == 2, "every round splits anew"


def test_a_stop_repeats_one_model_and_gives_the_same_bits(study, tmp_path):
    crossfit.run_crossfit(study, Silent())
    whole = np.array(Scores.load(study).crossfit_loss)
    (study.scores_folder / "crossfit_loss.npy").unlink()
    (study.scores_folder / "crossfit_target.npy").unlink()
    shutil.rmtree(study.crossfit_folder)
    with pytest.raises(Cancelled):
        crossfit.run_crossfit(study, Counting(stop=40))
    kept = {p.name: p.stat().st_mtime_ns for p in study.crossfit_folder.glob("round-*.npz")}
    assert 0 < len(kept) < 4 and not Scores.load(study).has_crossfit
    crossfit.run_crossfit(study, Silent())
    assert all((study.crossfit_folder / name).stat().st_mtime_ns == when for name, when in kept.items())
    assert np.array_equal(Scores.load(study).crossfit_loss, whole)


def test_killed_the_worker_goes_on_where_it_was(attributed, tmp_path):
    shutil.copytree(attributed.folder.parent.parent, tmp_path / "cache")
    study = Study.open("squares", root=tmp_path / "cache")
    until = time.monotonic() + 240

    def wait_for_the_worker() -> None:
        while jobs.is_running(study):
            assert time.monotonic() < until
            time.sleep(0.02)

    jobs.start(study, "crossfit")  # undisturbed, by a worker too: another process may count with other threads
    wait_for_the_worker()
    whole = np.array(Scores.load(study).crossfit_loss)
    shutil.rmtree(study.crossfit_folder)
    for name in ("crossfit_loss", "crossfit_target"):
        (study.scores_folder / f"{name}.npy").unlink()
    jobs.write_status(study, jobs.JobStatus(job="crossfit"))
    jobs.start(study, "crossfit")
    while not list(study.crossfit_folder.glob("round-*.npz")):
        assert time.monotonic() < until and jobs.is_running(study), jobs.log_tail(study, "crossfit")
        time.sleep(0.01)
    worker = jobs.status(study, "crossfit").pid
    helpers = set(_tree(worker)) - {worker}
    os.kill(worker, signal.SIGKILL)
    wait_for_the_worker()
    while any(Path(f"/proc/{pid}").exists() for pid in helpers):
        assert time.monotonic() < until, "helper processes outlived the worker"
        time.sleep(0.02)
    kept = {p: p.stat().st_mtime_ns for p in study.crossfit_folder.glob("round-*.npz")}
    assert 0 < len(kept) < 4
    jobs.start(study, "crossfit")
    wait_for_the_worker()
    assert jobs.status(study, "crossfit").state == "done", jobs.log_tail(study, "crossfit")
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert np.array_equal(Scores.load(study).crossfit_loss, whole)


def test_progress_counts_what_the_plan_says(study):
    scores, seen = Scores.load(study), Counting()
    crossfit.run_crossfit(study, seen)
    assert seen.total == sum(folds.work(study.config, len(scores.index), len(scores.sample_index)))
    assert seen.done == pytest.approx(seen.total, rel=0.2)  # folds are not exactly halves


def test_side_by_side_gives_the_same_bits_and_can_be_cancelled(study):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as in each of the processes
    try:
        crossfit.run_crossfit(study, Silent())
    finally:
        torch.set_num_threads(before)
    alone = {p.name: p.read_bytes() for p in study.crossfit_folder.glob("round-*.npz")}
    loss = np.array(Scores.load(study).crossfit_loss)
    shutil.rmtree(study.crossfit_folder)
    for name in ("crossfit_loss", "crossfit_target"):
        (study.scores_folder / f"{name}.npy").unlink()
    with pytest.raises(Cancelled):
        crossfit.run_crossfit(study, Counting(stop=2), workers=2)
    assert not Scores.load(study).has_crossfit
    seen = Counting()
    crossfit.run_crossfit(study, seen, workers=2)
    assert np.array_equal(Scores.load(study).crossfit_loss, loss)
    assert {p.name for p in study.crossfit_folder.glob("round-*.npz")} == set(alone)


def test_switched_off_it_leaves_nothing(study):
    crossfit.run_crossfit(replace(study, config=replace(study.config, crossfit=0)), Silent())
    assert not study.crossfit_folder.exists() and not Scores.load(study).has_crossfit


def test_steps_grow_with_the_fold():
    config = StudyConfig(pool="p", target="t", model="m", warmup_batch=32)
    assert folds.fold_steps(config, 10) == 6 and folds.fold_batch(config, 10) == 10
    assert folds.fold_steps(config, 800) == 150
    assert folds.fold_steps(config, 66_500) == 2079, "one pass"


def test_the_filter_is_the_quantile_of_the_target_in_the_nearest_unit(make_scores):
    made = make_scores(per_unit=FEW)
    rng = np.random.default_rng(3)
    loss, target = rng.gamma(2, 1, len(made.scores.index)), rng.gamma(2, 1, len(made.scores.sample_unit))
    columns = InfluenceColumns(made.scores)
    found = looks_wrong(columns, loss, target, 0.7)
    for row, unit in enumerate(columns.nearest()):
        own = sorted(target[made.scores.sample_unit == unit])
        place = 0.7 * (len(own) - 1)
        low, part = int(place), place - int(place)
        assert found[row] == (loss[row] > own[low] * (1 - part) + own[min(low + 1, len(own) - 1)] * part)
    assert 0 < found.sum() < len(found)


def test_units_of_few_samples_share_one_quantile(made):
    rng = np.random.default_rng(4)
    loss, target = rng.gamma(2, 1, len(made.scores.index)), rng.gamma(2, 1, len(made.scores.sample_unit))
    found = looks_wrong(InfluenceColumns(made.scores), loss, target, 0.5)
    assert np.array_equal(found, loss > np.median(target))


def test_studio_leaves_them_out_and_paper_does_not(made):
    loss = np.full(len(made.scores.index), 0.1, np.float32)
    loss[::5] = 9.0
    scores = replace(made.scores, crossfit_loss=loss, crossfit_target=np.ones(len(made.scores.sample_unit), np.float32))
    one = Capabilities(ids=("c1",), names=("c1",), of_unit=(0,) * len(scores.units), units=scores.units, issued=1,
                       skipped=())
    studio = curate(scores, made.pool, one, CurationSettings(budget=1.0))
    assert not studio.rows["position"].mod(5).eq(0).any()
    assert studio.report["left_out"]["held-out loss too high for its unit"] > 0
    assert "highest loss of its unit" not in studio.report["left_out"]
    everything = curate(scores, made.pool, one, CurationSettings(budget=1.0, loss_quantile=1.0, drop_loss_share=0.0))
    assert everything.rows["position"].mod(5).eq(0).any()
    paper = curate(scores, made.pool, one, CurationSettings.of_preset("paper", budget=1.0))
    assert "held-out loss too high for its unit" not in paper.report["left_out"]
