"""The evidence benchmark from end to end on coloured squares and a few steps: all parts, ablations, a larger base."""

import json
import shutil

import pytest

from benchmarks.evidence import measure, show
from benchmarks.lab.ablations import ablation_part
from benchmarks.lab.larger_base import transfer_part
from benchmarks.lab.plan import Plan
from benchmarks.lab.report import Clock, plain

PLAN = Plan(seeds=(0,), arms=("base", "random", "cadc-mixed", "embedding"), steps=2, budgets=(0.3,), curve=(0.5,),
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
    assert [row["name"] for row in found["arms"]] == list(PLAN.arms)
    assert set(found["budgets"]) == {"0.3"} and found["budgets"]["0.3"]["arms"] == found["arms"]
    assert {row["budget"] for row in found["budget_curve"]} == {0.5}
    assert {"near: gradients", "near: words", "near: embedding", "random"} <= set(found["lds"]["scores"])
    assert found["lds"]["retrainings"] == 3
    show(found)
    said = capsys.readouterr().out
    assert all(name in said for name in (*PLAN.arms, "ablation filters", "transfer cadc-mixed", "seconds:"))


def test_an_ablation_varies_what_it_names(run):
    _, found = run
    assert {row["variant"] for row in found["ablations"]} == {
        "drop_loss_share=0.0", "drop_loss_share=0.12", "drop_loss_share=0.25", "drop_duplicates=False"}
    assert {row["name"] for row in found["ablations"]} == {"cadc-mixed"}


def test_a_base_of_the_same_weights_gives_the_same_runs(run):
    _, found = run
    own = {row["name"]: row for row in found["arms"]}
    for row in found["transfer"]["arms"]:
        if row["name"] in ("random", "cadc-mixed"):
            assert row["loss"] == pytest.approx(own[row["name"]]["loss"], abs=1e-3)
    assert found["transfer"]["parameters"] == found["transfer"]["parameters_of_study"] > 0
