"""The out-of-fold loss: no row is judged by a model that saw it, a stop costs one model, the filter is a quantile."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from influences import curated
from tiny_study import work
from watching import Counting, times

from cadc.curation.settings import CurationSettings
from cadc.discovery.capabilities import Capabilities
from cadc.jobs import control as jobs
from cadc.jobs.engines import EngineSettings
from cadc.jobs.status import log_tail
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.selection.filters import FEW, looks_wrong
from cadc.signals import folds, out_of_fold
from cadc.signals.embedding import run_embedding
from cadc.signals.near import run_near
from cadc.signals.out_of_fold import run_out_of_fold
from cadc.study import Study, StudyConfig
from cadc.study.progress import Cancelled, Silent


@pytest.fixture(scope="module")
def joined(tmp_path_factory, finished_study) -> Study:
    """The squares with both signals joined (shared: copy before writing)."""
    root = tmp_path_factory.mktemp("joined") / "cache"
    shutil.copytree(finished_study.root, root)
    config = replace(finished_study.config, nearness="gradients+embedding", out_of_fold=2, out_of_fold_share=0.8)
    made = Study.create("both", config, created="", root=root)
    for job in (run_embedding, run_near):
        job(made, Silent())
    return made


@pytest.fixture
def study(joined, own_copy) -> Study:
    return own_copy(joined)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the processes of a worker: another number of threads rounds otherwise."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(joined, tmp_path_factory, _one_thread) -> Study:
    """The same with the job done, undisturbed (shared: copy before writing)."""
    root = tmp_path_factory.mktemp("whole") / "cache"
    shutil.copytree(joined.root, root)
    made = Study.open("both", root=root)
    run_out_of_fold(made, Silent())
    return made


def rounds(study: Study) -> dict[str, int]:
    """Losses of finished models, and when they were written."""
    return times(study.result("out_of_fold").folder, "round-*.npz")


def test_the_job_writes_the_loss_of_every_row_and_target_sample(joined, whole):
    before, after = Scores.load(joined), Scores.load(whole)
    assert not before.has_out_of_fold
    assert after.has_out_of_fold and after.out_of_fold_target.shape == after.sample_index.shape
    assert np.isfinite(after.out_of_fold_loss).all() and (after.out_of_fold_loss > 0).all()
    assert np.array_equal(after.near, before.near) and np.array_equal(after.loss, before.loss)
    seen = Counting()
    run_out_of_fold(whole, seen)
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

    config = replace(study.config, samples_per_unit=3, near_samples=2)
    fewer = work(Study.create("fewer", config, created="", root=study.root), "near")
    target = read_samples(fewer.samples_file("target"))
    seen = {target[p].index for p in set.union(*gradient_samples(fewer.config, target))}
    question = out_of_fold._question(fewer, Scores.load(fewer))
    assert set(question.taught.tolist()) == seen
    assert len(seen) < len(target), "the others are kept for evaluation"
    assert not set.union(*_watched(fewer, monkeypatch)[2]) - seen


def test_without_the_target_both_models_read_its_samples(study, monkeypatch):
    alone = replace(study, config=replace(study.config, out_of_fold_target=False))
    _, _, taught, asked = _watched(alone, monkeypatch)
    singles = set(Scores.load(study).sample_index.tolist())
    assert taught == [set()] * 4 and asked == [singles] * 4


def _watched(study, monkeypatch):
    """Run the job; per model: pool rows trained on, pool rows read, target samples trained on, target samples read."""
    from cadc.training import loop

    trained, judged, taught, asked = [], [], [], []
    real_train, real_model, real_losses = loop.train_fresh, out_of_fold._model, out_of_fold._losses

    def model(task, judge, progress):
        names = {row: ("pool", i) for i, row in judge.pool.items()} | {row: ("target", i)
                                                                        for i, row in judge.target.items()}
        assert len(names) == len(judge.pool) + len(judge.target)

        def train_fresh(vlm, bank, batches, **named):
            seen = {names[int(row)] for row in batches.ravel()}
            for list_, role in ((trained, "pool"), (taught, "target")):
                list_.append({i for kind, i in seen if kind == role})
            return real_train(vlm, bank, batches, **named)

        def losses(own, rows, progress):
            read.append({names[row] for row in rows})
            return real_losses(own, rows, progress)

        read = []
        monkeypatch.setattr(loop, "train_fresh", train_fresh)
        monkeypatch.setattr(out_of_fold, "_losses", losses)
        found = real_model(task, judge, progress)
        for list_, role in ((judged, "pool"), (asked, "target")):
            list_.append({i for kind, i in set.union(*read) if kind == role})
        return found

    monkeypatch.setattr(out_of_fold, "_model", model)
    run_out_of_fold(study, Silent())
    return trained, judged, taught, asked


def test_copies_share_a_fold(study):
    from cadc.data import read_table

    question = out_of_fold._question(study, Scores.load(study))
    group = read_table(study.samples_file("pool")).set_index("index")["group"].loc[question.index].to_numpy()
    for number in range(2):
        for one in np.unique(group):
            assert len(set(question.fold[number][group == one])) == 1
    assert len({tuple(row) for row in question.fold}) == 2, "every round splits anew"


def loss_of(study: Study) -> np.ndarray:
    return np.array(Scores.load(study).out_of_fold_loss)


def test_a_stop_repeats_one_model_and_gives_the_same_bits(study, whole):
    with pytest.raises(Cancelled):
        run_out_of_fold(study, Counting(calls=40))
    kept = rounds(study)
    assert 0 < len(kept) < 4 and not Scores.load(study).has_out_of_fold
    again = Counting()
    run_out_of_fold(study, again)
    assert again.starts[0][1] > 0 and again.rows == again.total - again.starts[0][1], "what is there counts as done"
    assert kept.items() <= rounds(study).items()
    assert np.array_equal(loss_of(study), loss_of(whole))


def test_a_damaged_model_is_made_again_alone(whole, own_copy):
    study = own_copy(whole)
    result, before = study.result("out_of_fold"), rounds(study)
    wanted = {path.name: path.read_bytes() for path in result.folder.iterdir()}
    for name, content in (("round-0-fold-1.npz", b"cut"), ("round-1-fold-0.npz", wanted["round-1-fold-1.npz"])):
        (result.folder / name).write_bytes(content)
    assert {damage.file.name for damage in result.repair()} == {"round-0-fold-1.npz", "round-1-fold-0.npz"}
    (result.folder / "round-0-fold-1.npz").write_bytes(b"cut")  # and where nobody has looked
    run_out_of_fold(study, Silent())
    after = rounds(study)
    assert {name for name in before if after[name] != before[name]} == {"round-0-fold-1.npz", "round-1-fold-0.npz"}
    assert {path.name: path.read_bytes() for path in result.folder.iterdir()} == wanted


def test_models_that_were_made_from_other_scores_do_not_count(whole, own_copy):
    study = own_copy(whole)
    before = rounds(study)
    near = study.result("near")
    moved = np.array(np.load(near.folder / "near.joined.npy"))[:, ::-1]
    near.reopen()
    np.save(near.folder / "near.joined.npy", np.ascontiguousarray(moved))
    near.finish()
    assert not study.finished("out_of_fold") and rounds(study) == before
    run_out_of_fold(study, Silent())
    after = rounds(study)
    assert after.keys() == before.keys() and all(after[name] != before[name] for name in before)


def test_killed_the_worker_goes_on_where_it_was(study, whole):
    until = time.monotonic() + 240

    def wait_for_the_worker() -> None:
        while jobs.is_running(study):
            assert time.monotonic() < until
            time.sleep(0.02)

    jobs.start(study, "out_of_fold", workers=2)
    while not rounds(study):
        assert time.monotonic() < until and jobs.is_running(study), log_tail(study, "out_of_fold")
        time.sleep(0.01)
    worker = jobs.status(study, "out_of_fold").pid
    helpers = {child.pid for child in psutil.Process(worker).children(recursive=True)}
    os.kill(worker, signal.SIGKILL)
    wait_for_the_worker()
    while any(Path(f"/proc/{pid}").exists() for pid in helpers):
        assert time.monotonic() < until, "helper processes outlived the worker"
        time.sleep(0.02)
    kept = rounds(study)
    assert 0 < len(kept) < 4
    jobs.start(study, "out_of_fold", workers=2)
    wait_for_the_worker()
    assert jobs.status(study, "out_of_fold").state == "done", log_tail(study, "out_of_fold")
    assert kept.items() <= rounds(study).items()
    assert np.array_equal(loss_of(study), loss_of(whole))


def test_progress_begins_with_the_plan_and_ends_with_what_was_done(study):
    scores, seen = Scores.load(study), Counting()
    run_out_of_fold(study, seen)
    planned = sum(folds.work(study.config, len(scores.index), len(scores.sample_index), 8 * 3))
    assert seen.starts[0] == (pytest.approx(planned, rel=0.2), 0)  # folds are not exactly halves
    assert len(seen.starts) == study.config.out_of_fold
    assert seen.rows == seen.total, "no count above its total"
    assert [done for _, done in seen.starts] == sorted(done for _, done in seen.starts)


def test_side_by_side_gives_the_same_bits_and_can_be_cancelled(study, whole):
    two = EngineSettings(workers=2)
    with pytest.raises(Cancelled):
        run_out_of_fold(study, Counting(calls=2), engine=two)
    assert not Scores.load(study).has_out_of_fold
    run_out_of_fold(study, Silent(), engine=two)
    assert np.array_equal(loss_of(study), loss_of(whole))
    assert rounds(study).keys() == rounds(whole).keys()


def test_switched_off_it_leaves_nothing(study):
    off = replace(study, config=replace(study.config, out_of_fold=0))
    run_out_of_fold(off, Silent())
    assert not off.result("out_of_fold").folder.exists() and not Scores.load(off).has_out_of_fold


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
    scores = replace(made.scores, out_of_fold_loss=loss,
                     out_of_fold_target=np.ones(len(made.scores.sample_unit), np.float32))
    one = Capabilities(ids=("c1",), names=("c1",), of_unit=(0,) * len(scores.units), units=scores.units, issued=1,
                       skipped=())
    studio = curated(scores, made.pool, one, CurationSettings(budget=1.0))
    assert not studio.rows["position"].mod(5).eq(0).any()
    assert studio.report["left_out"]["held-out loss too high for its unit"] > 0
    assert "highest loss of its unit" not in studio.report["left_out"]
    everything = curated(scores, made.pool, one, CurationSettings(budget=1.0, loss_quantile=1.0, drop_loss_share=0.0))
    assert everything.rows["position"].mod(5).eq(0).any()
    paper = curated(scores, made.pool, one, CurationSettings.of_preset("paper", budget=1.0))
    assert "held-out loss too high for its unit" not in paper.report["left_out"]
