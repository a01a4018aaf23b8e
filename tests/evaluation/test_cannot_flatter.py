"""The comparison cannot flatter: equal effort for every arm, no copy of a target sample in any of them, useless and
poisoned rows are seen.

On the squares: twenty of sixty pool rows are answered wrongly, two repeat a target sample (one in other letters, with a
re-encoded picture).
"""

import hashlib

import numpy as np
import pytest
from judged import write_judged

from cadc.errors import DataError
from cadc.evaluation import (
    ARMS,
    EvaluationSettings,
    asking,
    compare,
    compose,
    read_request,
    read_results,
    request_evaluation,
    run_evaluation,
)
from cadc.evaluation.context import Arm, TrainingRows
from cadc.evaluation.material import read_truth
from cadc.scores.scores import Scores
from cadc.study.progress import Silent
from cadc.study.registry import Registry

COPIES = {10, 13}
JOINED = ("quick", "quick-unfiltered")
"""Arms that this study has not: its near(z, s) is that of gradients alone (`tests/quick` has them)."""
ALL = EvaluationSettings(arms=tuple(arm for arm in ARMS if arm not in JOINED), seeds=(0, 1), steps=1, batch=2,
                         samples_per_unit=2, max_new_tokens=2, budgets=(0.2,))


def test_every_known_arm_gets_the_same_rows_steps_and_samples(study):
    for arm in JOINED:
        with pytest.raises(DataError, match=f"'{arm}' cannot be run on this study: its near.* no signal without grad"):
            request_evaluation(study, EvaluationSettings(arms=("random", arm)))
    request = request_evaluation(study, ALL)
    assert request.open and request.total == 1 + 2 * (len(ALL.arms) - 1)
    run_evaluation(study, Silent())
    request, result = read_request(study), read_results(study)[0]
    assert result.complete and result.total == 1 + 2 * (len(ALL.arms) - 1)
    sizes = {run.arm: len(set(request.row_lists[run.rows]["index"])) for run in request.runs}
    asked = sizes["cadc"]
    told = next((note for note in result.notes if "with another number" in note), "")
    for arm, size in sizes.items():
        assert size == asked or arm in ("base", "full") or f"{arm} {size}" in told
    assert sum(size == asked for size in sizes.values()) >= len(ALL.arms) - 4
    trained = result.table[result.table["arm"] != "base"]
    assert set(trained["samples_seen"]) == {2} and set(trained["steps"]) == {1}
    assert set(result.table.groupby("arm")["seed"].nunique().drop("base")) == {2}
    for rows in request.row_lists.values():
        assert not COPIES & set(rows["index"])
    seeded = {arm for arm in ALL.arms if ARMS[arm].seeded}
    for arm in set(sizes) - {"base", "full"}:
        lists = {run.rows for run in request.runs if run.arm == arm}
        assert len(lists) == (2 if arm in seeded else 1), arm
    oracle = next(request.row_lists[run.rows]["index"] for run in request.runs if run.arm == "oracle")
    assert len(oracle) == asked and max(oracle) < 40


def test_copies_of_target_samples_are_found_in_other_letters_and_encodings(study):
    request = request_evaluation(study, EvaluationSettings(arms=("full",), seeds=(0,), steps=1))
    full = set(request.row_lists[request.runs[0].rows]["index"])
    assert not COPIES & full and len(full) > 50


def test_random_rows_behind_the_filters_hold_none_that_looks_wrong(study):
    scores = Scores.load(study)
    loss = np.where(np.asarray(scores.index) % 2 == 0, 9.0, 0.1).astype(np.float32)
    write_judged(study, loss, np.ones(len(scores.sample_index), np.float32))
    request = request_evaluation(study, EvaluationSettings(arms=("random", "random-filtered"), seeds=(0, 1), steps=1,
                                                           budgets=(0.3,)))
    rows = {(run.arm, run.seed): request.row_lists[run.rows]["index"] for run in request.runs}
    for seed in (0, 1):
        assert all(index % 2 for index in rows["random-filtered", seed]) and any(
            index % 2 == 0 for index in rows["random", seed])
        assert len(rows["random-filtered", seed]) == len(rows["random", seed])
    assert set(rows["random-filtered", 0]) != set(rows["random-filtered", 1])


def know(patch: pytest.MonkeyPatch, *arms: Arm) -> None:
    """Let a comparison know these arms too."""
    table = Registry("arm", [*ARMS.values(), *arms])
    for module in (asking, compose):
        patch.setattr(module, "ARMS", table)


def test_a_selector_that_takes_a_contaminated_row_is_refused(study, monkeypatch):
    know(monkeypatch, Arm(name="cheat", about="every row",
                          select=lambda context: TrainingRows(positions=np.arange(len(context.index)))))
    with pytest.raises(DataError, match="repeat a target sample"):
        request_evaluation(study, EvaluationSettings(arms=("cheat",), seeds=(0,)))


def test_equal_passes_give_each_arm_steps_by_its_rows(study):
    asked = EvaluationSettings(arms=("full", "random"), seeds=(0,), batch=4, epochs=2, equal="epochs", budgets=(0.2,))
    request = request_evaluation(study, asked)
    for run in request.runs:
        assert run.steps == max(1, round(2 * len(request.row_lists[run.rows]["index"]) / 4))
    assert len({run.steps for run in request.runs}) == 2


def test_the_oracle_needs_a_truth(tmp_path):
    assert read_truth(tmp_path / "pool.json", np.arange(3)) is None


# ---- real training -------------------------------------------------------------------------------------------------
def by_hash(context) -> TrainingRows:
    """Rows that have nothing to do with anything: in the order of a hash of their number."""
    rows = sorted(np.flatnonzero(context.allowed), key=lambda i: hashlib.md5(str(i).encode()).digest())
    return TrainingRows(positions=np.array(rows[:context.budget]))


def where(wrong: bool):
    def select(context) -> TrainingRows:
        rows = np.flatnonzero(context.allowed & ((context.index >= 40) == wrong))
        return TrainingRows(positions=rows[:18])

    return select


@pytest.fixture(scope="module")
def trained(finished_study, tmp_path_factory):
    """Random, useless, poisoned and clean rows, three seeds."""
    import shutil

    from cadc.study import Study

    root = tmp_path_factory.mktemp("flatter") / "cache"
    shutil.copytree(finished_study.folder.parent.parent, root)
    own = Study.open("squares", root=root)
    with pytest.MonkeyPatch.context() as patch:
        know(patch, *(Arm(name=name, about="rows of one kind", select=select) for name, select in (
            ("useless", by_hash), ("poisoned", where(True)), ("clean", where(False)))))
        arms = ("random", "useless", "poisoned", "clean")
        run_evaluation(own, Silent(), EvaluationSettings(arms=arms, seeds=(0, 1, 2), steps=100, batch=8,
                                                         budgets=(0.3,), max_new_tokens=3, samples_per_unit=8))
    return read_results(own)[0].table


def test_a_useless_selector_is_not_called_better_than_random(trained):
    for value, better in (("accuracy", 1), ("loss", -1)):
        found = compare(trained, "useless", "random", value)
        assert not (found.p < 0.05 and found.mean * better > 0)


def test_a_poisoned_pool_is_seen_to_be_worse(trained):
    found = compare(trained, "poisoned", "clean", "loss")
    assert found.mean > 0 and found.p < 0.05
    assert compare(trained, "poisoned", "clean").mean < 0
