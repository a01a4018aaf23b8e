"""The evidence benchmark from end to end on coloured squares and a few steps: all parts, ablations, a larger base."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.evidence import measure, requests, show
from benchmarks.lab.ablations import ablation_part
from benchmarks.lab.faithfulness import lds_part, lds_question
from benchmarks.lab.larger_base import transfer_part
from benchmarks.lab.plan import Plan
from benchmarks.lab.report import Clock, plain
from benchmarks.lab.retrainings import HalfTask, RunTask, by_seed, with_halves
from cadc.errors import JobError

PLAN = Plan(seeds=(0,), arms=("base", "random", "cadc-mixed", "embedding", "whitened-unfiltered"), second_arms=(),
            steps=2, budgets=(0.3,), beside=("rounds", "oracle-rounds"), beside_seeds=(0, 1), curve=(0.5,),
            curve_seeds=(0,), epochs=0.0, lds_rows=10, lds_retrainings=3, lds_steps=1)


@pytest.fixture(scope="module")
def run(finished_study, tmp_path_factory):
    """(study, result of all parts, ablations, transfer to a copy of its own base)."""
    root = tmp_path_factory.mktemp("evidence") / "cache"
    shutil.copytree(finished_study.root, root)
    study = type(finished_study).open(finished_study.name, root=root)
    clock = Clock()
    found = measure(study, PLAN, 1, clock)
    found["ablations"] = ablation_part(study, ["filters"], PLAN, 1, root=root)
    model = root.parent / "larger"
    shutil.copytree(study.config.model, model)
    found["transfer"] = transfer_part(study, model, PLAN, 1)
    return study, plain(found | {"plan": vars(PLAN), "seconds": clock.stop()})


def test_every_part_is_there_and_can_be_told(run, capsys):
    _, found = run
    json.dumps(found, allow_nan=False)
    assert [row["name"] for row in found["arms"]] == list(PLAN.named) and not found["not_run"]
    assert found["finished"] == found["asked"] == 11
    assert set(found["budgets"]) == {"0.3"} and found["budgets"]["0.3"]["arms"] == found["arms"]
    assert {row["budget"] for row in found["budget_curve"]} == {0.5}
    assert {"near: whitened", "near: gradients", "near: words", "near: embedding", "gradient cosine, no Adam",
            "whole target (LESS)", "random"} <= set(found["lds"]["scores"])
    assert found["lds"]["retrainings"] == 3
    show(found)
    said = capsys.readouterr().out
    assert all(name in said for name in (*PLAN.named, "ablation filters", "transfer cadc-mixed", "seconds:"))


def test_an_ablation_varies_what_it_names(run):
    _, found = run
    assert {row["variant"] for row in found["ablations"]} == {
        "drop_loss_share=0.0", "drop_loss_share=0.12", "drop_loss_share=0.25", "drop_duplicates=False"}
    assert {row["name"] for row in found["ablations"]} == {"cadc-mixed"}


def test_the_cells_are_the_means_of_the_arms(run):
    _, found = run
    cells = found["budgets"]["0.3"]["cells"]
    assert {arm: one["seeds"] for arm, one in cells.items()} == {
        "base": [0], "random": [0], "cadc-mixed": [0], "embedding": [0], "whitened-unfiltered": [0],
        "rounds": [0, 1], "oracle-rounds": [0, 1]}
    for row in found["arms"]:
        assert np.mean(list(cells[row["name"]]["units"].values())) == pytest.approx(row["mean"], abs=1e-3)


def test_when_the_time_is_up_the_finished_seeds_are_told_and_no_run_begins(run, tmp_path, capsys):
    done, _ = run
    root = tmp_path / "cache"
    shutil.copytree(done.root, root)
    study = type(done).open(done.name, root=root)
    more = replace(PLAN, seeds=(0, 1), curve=(), lds_retrainings=0)
    before = set((study.evaluation_folder / "results").iterdir())
    found = measure(study, more, 1, Clock(), until=0.0)
    assert set((study.evaluation_folder / "results").iterdir()) == before
    assert {len(row["seeds"]) for row in found["arms"] if row["name"] in PLAN.arms} == {1}
    assert found["finished"] < found["asked"]
    left = by_seed(study, list(requests(study, more, list(more.named)).values()))
    assert len(left) == 4 and all(task.key for task in left)
    assert "the time is up: 4 retrainings are not run" in capsys.readouterr().err
    nothing = replace(more, seeds=(7,), beside=())
    with pytest.raises(JobError, match="no retraining is finished"):
        measure(study, replace(nothing, arms=("random",)), 1, Clock(), until=0.0)


def test_halves_come_after_the_first_seed_and_before_the_others(run):
    study, _ = run
    other = replace(PLAN, seeds=(5, 6), arms=("random", "cadc-mixed"), beside=(), lds_rows=8)
    asked = requests(study, other, list(other.named))
    halves = lds_question(study, asked["first"].scored, other)
    tasks = with_halves(study, list(asked.values()), halves)
    seed = {one.key: one.seed for request in asked.values() for one in request.runs}
    told = ["half" if isinstance(task, HalfTask) else seed[task.key] for task in tasks]
    assert told[:2] == [5, 5] and told[2:5] == ["half"] * 3 and set(told[5:]) == {6}
    runs = [task for task in tasks if isinstance(task, RunTask)]
    assert sorted(task.key for task in runs) == sorted(task.key for task in by_seed(study, list(asked.values())))
    assert lds_part(study, halves) == {}


def test_a_base_of_the_same_weights_gives_the_same_runs(run):
    _, found = run
    own = {row["name"]: row for row in found["arms"]}
    for row in found["transfer"]["arms"]:
        if row["name"] in ("random", "cadc-mixed"):
            assert row["loss"] == pytest.approx(own[row["name"]]["loss"], abs=1e-3)
    assert found["transfer"]["parameters"] == found["transfer"]["parameters_of_study"] > 0
