"""The judges: what they are taught, what their losses are, what a stop costs, what comes with the pass."""

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
from tiny_study import make_study
from watching import Counting, Watching, times

from cadc.data import read_samples, read_table
from cadc.gradients.choice import gradient_samples
from cadc.jobs import control as jobs
from cadc.jobs.engines import EngineSettings
from cadc.jobs.status import log_tail
from cadc.models.threads import torch_threads
from cadc.scores import columns
from cadc.scores.left_out import left_out
from cadc.scores.scores import Scores
from cadc.signals import judge_training
from cadc.signals.embedding import embeddings, run_embedding
from cadc.signals.judge import run_judge, unseen_mean
from cadc.signals.judge_training import LOOK, PATIENCE, Watch, folds_of, lessons, read_judge
from cadc.study import Study, StudyConfig
from cadc.study.progress import Cancelled, Silent

pytestmark = pytest.mark.long
COLUMNS = ("judge_rows", "judge_loss", "base_loss", "judge_tokens", "judge_samples", "judge_target", "base_target")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the processes of a worker: another number of threads rounds otherwise."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def whole(finished_study, tmp_path_factory, _one_thread) -> Study:
    """The squares with two judges, undisturbed (shared: copy before writing)."""
    root = tmp_path_factory.mktemp("judged") / "cache"
    shutil.copytree(finished_study.root, root)
    config = replace(finished_study.config, nearness="gradients+embedding", judges=2, judge_steps=50, shard_rows=16)
    made = Study.create("both", config, created="", root=root)
    run_judge(made, Silent())
    return made


@pytest.fixture
def study(finished_study, own_copy) -> Study:
    """The same question, nothing of it judged."""
    copied = own_copy(finished_study)
    config = replace(copied.config, nearness="gradients+embedding", judges=2, judge_steps=50, shard_rows=16)
    return Study.create("both", config, created="", root=copied.root)


def found(study: Study) -> dict[str, np.ndarray]:
    return {name: np.array(columns.read(study, name)) for name in COLUMNS}


def same(one: Study, other: Study) -> bool:
    a, b = found(one), found(other)
    return all(np.array_equal(a[name], b[name], equal_nan=True) for name in COLUMNS)


def pieces(study: Study) -> dict[str, int]:
    """Finished pieces, and when they were written."""
    return times(study.result("judge").folder, "shard-*.json")


# ---- what they are taught --------------------------------------------------------------------------------------------
def test_copies_share_a_fold_and_units_are_dealt_out_evenly():
    units = ["a"] * 8 + ["b"] * 5 + ["c"]
    groups = [0, 0, 1, 2, 3, 3, 3, 4, 3, 5, 6, 7, 8, 9]
    for folds in (2, 3):
        fold = folds_of(units, groups, folds, [5])
        assert all(len({fold[i] for i in range(14) if groups[i] == group}) == 1 for group in groups)
        dealt = {group: fold[i] for i, group in enumerate(groups)}
        for unit in ("a", "b"):
            own = [dealt[g] for g in {g: 0 for g, u in zip(groups, units, strict=True) if u == unit} if g != 3]
            sizes = np.bincount(own, minlength=folds)
            assert sizes.max() - sizes.min() <= 2
        assert set(fold) == set(range(folds)) and fold == folds_of(units, groups, folds, [5])
    assert any(folds_of(units, groups, 2, [seed]) != folds_of(units, groups, 2, [5]) for seed in range(8))


def test_judges_are_taught_by_target_samples_that_gradients_see_and_no_other(whole):
    target = read_samples(whole.samples_file("target"))
    groups = read_table(whole.samples_file("target"))["group"].tolist()
    seen = gradient_samples(whole.config, target)[0]
    assert len(seen) < len(target), "the others are kept for evaluation"
    asked = lessons(whole.config, target, groups)
    assert [one.number for one in asked] == [0, 1]
    for one in asked:
        assert set(one.inside) | set(one.outside) == seen and not set(one.inside) & set(one.outside)
        assert {target[row].unit for row in one.inside} == {sample.unit for sample in target}
        judge = read_judge(whole, one.number)
        assert list(judge.taught) == sorted(target[row].index for row in one.inside)
        assert len(seen) / 10 < len(one.outside) < len(seen) / 6, "an eighth"
    assert not set(asked[0].outside) & set(asked[1].outside)


def test_a_single_sample_teaches_without_an_examination():
    from cadc.data.sample import Sample

    one = [Sample.__new__(Sample)]
    object.__setattr__(one[0], "unit", "a")
    object.__setattr__(one[0], "id", "x")
    config = StudyConfig(pool="p", target="t", model="m", judges=2)
    made = lessons(config, one, [0])
    assert [(list(lesson.inside), list(lesson.outside)) for lesson in made] == [([0], []), ([0], [])]
    assert judge_training.steps_of(config, made[0]) == judge_training.STEPS


def test_the_step_of_likeliest_left_out_answers_is_kept_and_the_search_ends():
    watch = Watch()
    losses = [[0.9, 0.9], [np.nan, 0.1], [0.1, 9.0], [0.9, 0.9], [0.8, 0.85], [0.85, 0.8], [0.1, 0.1]]
    better = []
    for number, found in enumerate(losses, 1):
        better.append(watch.look(number * LOOK, np.array(found)))
        if watch.over:
            break
    assert better == [True, False, True, False, False, False] and watch.best == 3 * LOOK
    assert PATIENCE == 3 and len(watch.curve) == 6, "one sure answer in two is likelier than two doubtful ones"
    assert watch.curve[2] == (75, 4.55, round((np.exp(-0.1) + np.exp(-9)) / 2, 5)) and watch.curve[1][2] == 0


def test_a_judge_keeps_its_best_step_and_says_how_it_went(study):
    import json

    searching = Study.create("searching", replace(study.config, judge_steps=0, judges=1), created="", root=study.root)
    run_judge(searching, Silent())
    about = json.loads(searching.result("judge").intact("judge.json").read_text())
    assert about["folds"] == judge_training.FOLDS and len(about["judges"]) == 1
    told = about["judges"][0]
    steps, _, sure = zip(*told["curve"], strict=True)
    assert told["step"] == steps[int(np.argmax(sure))] and list(steps) == [LOOK * (i + 1) for i in range(len(sure))]
    assert len(told["losses"]) == steps[-1] and told["losses"][-1] < told["losses"][0]


def test_fixed_steps_are_made_to_the_end(study):
    fixed = Study.create("fixed", replace(study.config, judge_steps=30, judges=1), created="", root=study.root)
    run_judge(fixed, Silent())
    judge = read_judge(fixed, 0)
    assert judge.step == len(judge.losses) == 30 and [step for step, *_ in judge.curve] == [LOOK]


# ---- what the losses are ---------------------------------------------------------------------------------------------
def test_losses_are_those_of_plain_forwards_of_one_row_at_a_time(whole):
    import torch
    from safetensors.torch import load_file

    from cadc.models import adapter_state, load_adapter_state, open_vlm
    from cadc.models.feed import Feed

    vlm = open_vlm(whole.config)
    folder = whole.result("judge").folder
    states = [adapter_state(vlm), *(load_file(folder / f"judge-{j}.safetensors") for j in (1, 2))]
    wanted: dict[str, np.ndarray] = {}
    for role in ("pool", "target"):
        feed, rows = Feed(whole, role, vlm), []
        for row in range(len(feed)):
            batch, own = vlm.collate([feed.encode(row)]), []
            for state in states:
                load_adapter_state(vlm, state)
                with torch.no_grad():
                    logits = vlm.model(**batch.inputs, use_cache=False).logits[0].double().log_softmax(-1)
                said = [place for place in range(len(batch.answer[0])) if batch.answer[0, place]]
                own.append(-np.mean([float(logits[place - 1, batch.inputs["input_ids"][0, place]]) for place in said]))
            rows.append([*own, len(said)])
        wanted[role] = np.array(rows)
    have = found(whole)
    assert have["judge_rows"].tolist() == list(range(60))
    np.testing.assert_allclose(have["base_loss"], wanted["pool"][:, 0], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(have["judge_loss"], wanted["pool"][:, 1:3].mean(1), rtol=2e-3, atol=2e-4)
    assert np.array_equal(have["judge_tokens"], wanted["pool"][:, 3])
    assert np.abs(have["judge_loss"] - have["base_loss"]).max() > 0.1, "a judge is not the base"
    for position, value in zip(have["judge_samples"], have["judge_target"], strict=True):
        unseen = [j for j in (0, 1) if position not in read_judge(whole, j).taught]
        if not unseen:
            assert np.isnan(value)
            continue
        np.testing.assert_allclose(value, wanted["target"][position, 1:3][unseen].mean(), rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(have["base_target"], wanted["target"][have["judge_samples"], 0], rtol=2e-4, atol=2e-5)


def test_a_folded_adapter_says_the_same_and_the_weights_come_back_bit_by_bit(whole):
    import torch
    from safetensors.torch import load_file

    from cadc.models import answer_losses, load_adapter_state, open_vlm, prefix
    from cadc.models.feed import Feed
    from cadc.models.folding import folded

    vlm = open_vlm(whole.config)
    feed = Feed(whole, "pool", vlm)
    load_adapter_state(vlm, load_file(whole.result("judge").folder / "judge-1.safetensors"))
    before = {name: value.clone() for name, value in vlm.model.state_dict().items()}
    with torch.no_grad():
        given = prefix(vlm, vlm.collate([feed.encode(row) for row in range(6)]))
        plain = answer_losses(vlm, given)
        with folded(vlm):
            inside, weights = answer_losses(vlm, given), vlm.model.state_dict()
            changed = sum(not torch.equal(weights[name], value) for name, value in before.items())
        again = answer_losses(vlm, given)
    torch.testing.assert_close(inside, plain, rtol=1e-4, atol=1e-5)
    assert changed == len(vlm.layout.matrices), "every adapted linear, and nothing else"
    assert torch.equal(plain, again)
    after = vlm.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_sample_that_taught_every_judge_has_no_loss_of_its_own():
    loss = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    mean = unseen_mean(np.array([10, 20, 30]), loss, [(10, 20), (20,), (20, 30)])
    assert mean[0] == 2.5 and np.isnan(mean[1]) and mean[2] == 7.5


def test_scores_have_them_in_their_own_order_and_nan_where_there_is_none(finished_study, own_copy):
    copied = own_copy(finished_study)
    study = Study.create("scored", replace(copied.config, judges=2, judge_steps=3), created="", root=copied.root)
    run_judge(study, Silent())
    scores = Scores.load(study, "gradients")
    have = found(study)
    assert scores.has_judge and np.array_equal(scores.judge_loss, have["judge_loss"][np.searchsorted(
        have["judge_rows"], scores.index)])
    assert np.array_equal(have["judge_samples"], np.sort(scores.sample_index))
    place = np.searchsorted(have["judge_samples"], scores.sample_index)
    assert np.array_equal(scores.judge_target, have["judge_target"][place], equal_nan=True)
    result = study.result("judge")
    result.reopen()
    for name in ("judge_rows", "judge_loss", "base_loss", "judge_tokens"):
        columns.write(study, name, np.delete(have[name], [0, 7, 59]))
    result.finish()
    fewer = Scores.load(study, "gradients")
    gone = np.isin(fewer.index, [0, 7, 59])
    assert gone.sum() == 3 and np.array_equal(np.isnan(fewer.judge_loss), gone)
    assert np.array_equal(fewer.judge_loss[~gone], scores.judge_loss[~gone]) and np.isnan(fewer.base_loss[gone]).all()


def test_without_judges_nothing_is_made(finished_study):
    assert finished_study.config.judges == 0
    run_judge(finished_study, Silent())
    assert not finished_study.result("judge").folder.exists() and not Scores.load(finished_study).has_judge


# ---- what comes with the pass ----------------------------------------------------------------------------------------
def test_the_embedding_that_comes_with_it_is_that_of_its_own_job(whole, study):
    assert whole.finished("embedding") and not study.finished("embedding")
    assert not list(whole.result("judge").folder.glob("hidden-*"))
    run_embedding(study, Silent())
    names = [{path.name for path in one.result("embedding").folder.iterdir()} for one in (whole, study)]
    assert names[0] == names[1]
    for role, rows in (("pool", 60), ("target", 48)):
        one, other = (embeddings(each, role, np.arange(rows)) for each in (whole, study))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    record = study.result("embedding").record
    run_judge(study, Silent())
    assert study.result("embedding").record == record and same(study, whole), "what is there stays"


def test_a_study_that_joins_no_embedding_gets_none(study):
    alone = Study.create("alone", replace(study.config, nearness="gradients"), created="", root=study.root)
    run_judge(alone, Silent())
    assert alone.key("judge") == study.key("judge") and not study.finished("embedding")


def test_a_study_of_plain_text_and_a_row_too_long(data, tmp_path):
    import json

    rows = [{"id": f"r{i}", "task": "ab"[i % 2], "question": f"say {i % 5}", "answer": str(i % 5)} for i in range(12)]
    rows[3]["question"] = "what " * 90
    for role in ("pool", "target"):
        (tmp_path / f"{role}.json").write_text(json.dumps(rows))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "model").symlink_to(data / "model")
    study = make_study(tmp_path, tmp_path / "cache", nearness="gradients+embedding", max_tokens=60, judge_steps=3)
    run_judge(study, Silent())
    have = found(study)
    assert have["judge_rows"].tolist() == [i for i in range(12) if i != 3]
    assert 3 not in have["judge_samples"] and np.isfinite(have["judge_loss"]).all()
    for role in ("pool", "target"):
        lost = left_out(study).role(role).left_out
        assert [(row.index, row.jobs) for row in lost] == [(3, ("judge", "embedding"))], role


# ---- stops -----------------------------------------------------------------------------------------------------------
def test_what_is_there_is_not_computed_again(whole):
    seen = Counting()
    run_judge(whole, seen)
    assert seen.calls == 0


def test_a_stop_repeats_one_judge_or_one_piece_and_gives_the_same_bits(study, whole):
    with pytest.raises(Cancelled):
        run_judge(study, Counting(calls=LOOK * 3))
    assert read_judge(study, 1) is None and not study.finished("judge")
    kept: dict[str, int] = {}
    for _ in range(3):
        seen_before = len(pieces(study))
        with pytest.raises(Cancelled):
            run_judge(study, _After(study, seen_before + 2))
        assert kept.items() <= pieces(study).items() and len(pieces(study)) >= seen_before + 1
        kept = pieces(study)
    run_judge(study, Silent())
    assert kept.items() <= pieces(study).items() and same(study, whole)


class _After(Silent):
    """Cancels when so many pieces are finished and the next one is under way."""

    def __init__(self, study: Study, count: int) -> None:
        self._study, self._count = study, count

    def step(self, n=1, **readings) -> None:
        if len(pieces(self._study)) >= self._count - 1:
            raise Cancelled("enough")


def test_a_damaged_judge_or_piece_is_made_again_alone(whole, own_copy):
    study = own_copy(whole)
    result = study.result("judge")
    wanted, before = found(study), times(result.folder)
    (result.folder / "shard-00004.safetensors").write_bytes(b"cut")
    assert {damage.file.name for damage in result.repair()} == {"shard-00004.safetensors"}
    run_judge(study, Silent())
    after = times(result.folder)
    assert {name for name in before if name.startswith(("shard", "judge-")) and after[name] != before[name]} == {
        "shard-00004.safetensors", "shard-00004.json"}
    assert all(np.array_equal(value, wanted[name], equal_nan=True) for name, value in found(study).items())
    (result.folder / "judge-2.safetensors").write_bytes(b"cut")
    result.repair()
    run_judge(study, Silent())
    again = times(result.folder)
    assert again["judge-1.safetensors"] == before["judge-1.safetensors"]
    assert all(np.array_equal(value, wanted[name], equal_nan=True) for name, value in found(study).items())


def test_side_by_side_gives_the_same_bits_and_can_be_cancelled(study, whole):
    two = EngineSettings(workers=2)
    with pytest.raises(Cancelled):
        run_judge(study, Counting(calls=2), engine=two)
    assert not study.finished("judge")
    folder, early = study.result("judge").folder, list[bool]()
    watching = Watching(lambda progress: early.append(not list(folder.glob("judge-*.json"))))
    run_judge(study, watching, engine=two)
    assert same(study, whole) and study.finished("embedding")
    assert early == [True], "trainings are counted while they go on, not when they are over"
    assert watching.rows == sum(total - done for total, done in watching.starts), "and each sample once"


def test_killed_the_worker_goes_on_where_it_was(study, whole):
    until = time.monotonic() + 240

    def wait_for_the_worker() -> None:
        while jobs.is_running(study):
            assert time.monotonic() < until
            time.sleep(0.02)

    jobs.start(study, "judge", workers=2)
    while not pieces(study):
        assert time.monotonic() < until and jobs.is_running(study), log_tail(study, "judge")
        time.sleep(0.005)
    worker = jobs.status(study, "judge").pid
    helpers = {child.pid for child in psutil.Process(worker).children(recursive=True)}
    os.kill(worker, signal.SIGKILL)
    wait_for_the_worker()
    while any(Path(f"/proc/{pid}").exists() for pid in helpers):
        assert time.monotonic() < until, "helper processes outlived the worker"
        time.sleep(0.02)
    kept = pieces(study)
    trained = times(study.result("judge").folder, "judge-*")
    assert kept and len(trained) == 4 and not study.finished("judge")
    jobs.start(study, "judge", workers=2)
    wait_for_the_worker()
    assert jobs.status(study, "judge").state == "done", log_tail(study, "judge")
    assert kept.items() <= pieces(study).items()
    assert trained == times(study.result("judge").folder, "judge-*")
    assert same(study, whole)
