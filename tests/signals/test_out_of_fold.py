"""The cross-fitted loss: no row is judged by a model that saw it, a stop costs one model, the filter is a quantile."""

import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from cadc.curation.curriculum import curate
from cadc.curation.settings import CurationSettings
from cadc.discovery.capabilities import Capabilities
from cadc.jobs import control as jobs
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.selection.filters import FEW, looks_wrong
from cadc.signals import folds
from cadc.signals import out_of_fold as crossfit
from cadc.study import Study, StudyConfig
from cadc.study.progress import Cancelled, Silent

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
    trained, judged, taught, asked = _watched(study, monkeypatch)
    index = set(Scores.load(study).index.tolist())
    assert len(trained) == len(judged) == 2 * folds.FOLDS
    for own, seen in zip(trained, judged, strict=True):
        assert own and not own & seen
        assert not own & {10, 13}, "these repeat a target sample"
    for number in range(2):
        assert judged[2 * number] | judged[2 * number + 1] == index
        assert not judged[2 * number] & judged[2 * number + 1]
    singles = set(Scores.load(study).sample_index.tolist())
    for number in range(2):
        assert asked[2 * number] | asked[2 * number + 1] == singles, "every target sample's loss is read"
    for own, seen in zip(taught, asked, strict=True):
        assert own and not own & seen


def test_only_target_samples_that_gradients_see_teach(study, monkeypatch):
    from cadc.data import read_samples
    from cadc.gradients.choice import gradient_samples

    fewer = replace(study, config=replace(study.config, samples_per_unit=3, near_samples=2))
    target = read_samples(fewer.samples_file("target"))
    seen = {target[p].index for p in set.union(*gradient_samples(fewer.config, target))}
    question = crossfit._question(fewer, Scores.load(fewer))
    assert set(question.taught.tolist()) == seen
    assert len(seen) < len(target), "the others are kept for evaluation"
    assert not set.union(*_watched(fewer, monkeypatch)[2]) - seen


def test_without_the_target_both_models_read_its_samples(study, monkeypatch):
    alone = replace(study, config=replace(study.config, crossfit_target=False))
    _, _, taught, asked = _watched(alone, monkeypatch)
    singles = set(Scores.load(study).sample_index.tolist())
    assert taught == [set()] * 4 and asked == [singles] * 4


def _watched(study, monkeypatch):
    """Run the job; per model: pool rows trained on, pool rows read, target samples trained on, target samples read."""
    from cadc.evaluation import retrain as module

    trained, judged, taught, asked = [], [], [], []
    real_train, real_model, real_losses = module.train_batches, crossfit._model, crossfit._losses

    def model(task, judge, progress):
        names = {row: ("pool", i) for i, row in judge.pool.items()} | {row: ("target", i)
                                                                        for i, row in judge.target.items()}
        assert len(names) == len(judge.pool) + len(judge.target)

        def train_batches(vlm, bank, batches, **named):
            seen = {names[int(row)] for row in batches.ravel()}
            for list_, role in ((trained, "pool"), (taught, "target")):
                list_.append({i for kind, i in seen if kind == role})
            return real_train(vlm, bank, batches, **named)

        def losses(own, rows, progress):
            read.append({names[row] for row in rows})
            return real_losses(own, rows, progress)

        read = []
        monkeypatch.setattr(module, "train_batches", train_batches)
        monkeypatch.setattr(crossfit, "_losses", losses)
        found = real_model(task, judge, progress)
        for list_, role in ((judged, "pool"), (asked, "target")):
            list_.append({i for kind, i in set.union(*read) if kind == role})
        return found

    monkeypatch.setattr(crossfit, "_model", model)
    crossfit.run_crossfit(study, Silent())
    return trained, judged, taught, asked


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
    helpers = {child.pid for child in psutil.Process(worker).children(recursive=True)}
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
    assert seen.total == sum(folds.work(study.config, len(scores.index), len(scores.sample_index), 8 * 3))
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
    assert folds.repeats(config, 800, 400) == 1 and folds.repeats(config, 800, 0) == 1
    assert folds.repeats(config, 66_500, 500) == folds.PASSES, "rows once, target samples as often as in small studies"


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
        above = loss[row] > own[low] * (1 - part) + own[min(low + 1, len(own) - 1)] * part
        assert found[row] == (above and np.exp(-loss[row] * made.scores.tokens[row]) < 0.5)
    assert 0 < found.sum() < len(found)


def test_an_answer_of_more_than_even_odds_is_never_called_wrong(make_scores):
    made = make_scores(per_unit=FEW)
    tokens = np.asarray(made.scores.tokens)
    target = np.full(len(made.scores.sample_unit), 1e-3)
    for odds, wrong in ((0.51, False), (0.49, True)):
        found = looks_wrong(InfluenceColumns(made.scores), -np.log(odds) / tokens, target)
        assert (found == wrong).all(), "however certain the models are of other answers of the unit"


def test_units_of_few_samples_share_one_quantile(made):
    rng = np.random.default_rng(4)
    loss, target = rng.gamma(2, 1, len(made.scores.index)), rng.gamma(2, 1, len(made.scores.sample_unit))
    found = looks_wrong(InfluenceColumns(made.scores), loss, target, 0.5)
    assert np.array_equal(found, (loss > np.median(target)) & (loss * made.scores.tokens > np.log(2)))
    assert 0 < found.sum() < len(found)


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
