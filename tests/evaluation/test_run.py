"""Retrain-and-compare on a real, tiny, from-config model."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cadc.evaluation import (
    EvaluationSettings,
    arms_apart,
    read_request,
    read_results,
    request_evaluation,
    run_evaluation,
)
from cadc.evaluation.asking import complete
from cadc.evaluation.request import result_file, trained_on
from cadc.study import Study
from cadc.study.progress import Cancelled, Silent

SMALL = EvaluationSettings(arms=("base", "cadc", "random", "full"), seeds=(0, 1), steps=12, batch=8, rise=2,
                           samples_per_unit=4, max_new_tokens=4)


class StopAfter(Silent):
    """Cancels at the n-th step, as a person would."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, n: int = 1, **readings: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise Cancelled("enough")


def numbers(study) -> list[tuple]:
    table = read_results(study)[0].table
    return sorted(table.drop(columns="seconds").itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def evaluated(finished_study, tmp_path_factory):
    """The finished study with a comparison of its own."""
    root = tmp_path_factory.mktemp("evaluated") / "cache"
    shutil.copytree(finished_study.root, root)
    study = Study.open("squares", root=root)
    request_evaluation(study, SMALL)
    run_evaluation(study, Silent())
    return study


def test_every_trained_arm_sees_the_same_samples_and_steps(evaluated):
    result = read_results(evaluated)[0]
    trained = result.table[result.table["arm"] != "base"]
    assert result.complete and set(result.table["arm"]) == set(SMALL.arms)
    assert set(trained["samples_seen"]) == {96} and set(trained["steps"]) == {12}
    assert set(result.table.loc[result.table["arm"] == "base", "samples_seen"]) == {0}
    for _, own in result.table.groupby(["arm", "seed"]):
        assert own.set_index("unit")["n"].to_dict() == {"name": 4, "is_red": 4, "option": 4}


def test_a_page_asks_at_once_and_the_job_chooses_the_rows(study):
    asked = request_evaluation(study, SMALL, later=True)
    assert asked.open and not asked.row_lists and read_request(study) == asked
    chosen = complete(study, asked)
    direct = request_evaluation(study, SMALL)
    assert chosen.runs == direct.runs and chosen.row_lists == direct.row_lists and chosen.scored == direct.scored
    again = request_evaluation(study, SMALL, later=True)
    assert again.runs == chosen.runs and again.row_lists == chosen.row_lists, "what is chosen already stays"


def test_runs_of_other_inputs_have_other_keys(study):
    keys = {run.key for run in request_evaluation(study, SMALL).runs}
    assert keys == {run.key for run in request_evaluation(Study.open(study.name, root=study.root), SMALL).runs}
    weights = next(Path(study.config.model).glob("*.safetensors"))
    was = weights.read_bytes()
    try:
        weights.write_bytes(was[:-1] + bytes([was[-1] ^ 1]))
        changed = Study.open(study.name, root=study.root)
        assert changed.identity == study.identity and trained_on(changed) != trained_on(study)
    finally:
        weights.write_bytes(was)
    assert trained_on(Study.open(study.name, root=study.root)) == trained_on(study)


def test_training_lowers_the_loss(evaluated):
    request = read_request(evaluated)
    for run in request.runs:
        if run.arm != "base":
            losses = json.loads(result_file(evaluated, run.key).read_text())["losses"]
            assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    loss = read_results(evaluated)[0].table.groupby("arm")["loss"].mean()
    assert loss["full"] < loss["base"]


def test_no_scored_target_sample_is_trained_on_and_none_was_seen_by_a_gradient(evaluated):
    request = read_request(evaluated)
    assert request.held_out == "held out"
    assert not any(10 in rows["index"] for rows in request.row_lists.values())
    assert any("3 pool rows repeat" in note for note in request.notes)
    targets = json.loads((evaluated.targets_folder / "targets.json").read_text())
    assert not set(request.scored) & {sample["index"] for sample in targets["samples"]}


def test_seeds_and_arms_differ_but_share_what_they_should(evaluated):
    request = read_request(evaluated)
    rows = {(run.arm, run.seed): run.rows for run in request.runs}
    assert rows["random", 0] != rows["random", 1]
    assert rows["cadc", 0] == rows["cadc", 1], "a mixed curriculum is shuffled by the run"
    assert request.row_lists[rows["cadc", 0]]["shuffled"]
    table = read_results(evaluated)[0].table
    assert table[table["arm"] == "cadc"].groupby("seed")["loss"].mean().nunique() == 2


def test_a_finished_comparison_is_not_computed_again(evaluated):
    files = {path: path.stat().st_mtime_ns for path in (evaluated.evaluation_folder / "results").iterdir()}
    run_evaluation(evaluated, StopAfter(1))
    assert {path: path.stat().st_mtime_ns for path in (evaluated.evaluation_folder / "results").iterdir()} == files


def test_a_stopped_comparison_goes_on_and_gives_the_same_numbers(evaluated, study):
    request_evaluation(study, SMALL)
    with pytest.raises(Cancelled):
        run_evaluation(study, StopAfter(40))
    assert 0 < read_results(study)[0].done < 7
    run_evaluation(study, Silent())
    assert numbers(study) == numbers(evaluated)


def test_a_killed_worker_loses_at_most_the_run_it_was_in(evaluated, study):
    request_evaluation(study, SMALL)
    code = ("import sys; from pathlib import Path; from cadc.evaluation import run_evaluation; "
            "from cadc.study.progress import Silent; from cadc.study import Study; "
            "run_evaluation(Study.open('squares', root=Path(sys.argv[1])), Silent())")
    worker = subprocess.Popen([sys.executable, "-c", code, study.folder.parent.parent], cwd=Path(__file__).parents[2],
                              stderr=subprocess.DEVNULL)
    results = study.evaluation_folder / "results"
    while worker.poll() is None and len(list(results.glob("*.json"))) < 2:
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    before = {path: path.stat().st_mtime_ns for path in results.glob("*.json")}
    assert len(before) >= 2
    run_evaluation(study, Silent())
    assert read_results(study)[0].complete
    assert {path: path.stat().st_mtime_ns for path in before} == before
    ours, theirs = (read_results(one)[0].table.set_index(["arm", "seed", "unit"])["loss"] for one in (study, evaluated))
    assert np.allclose(ours.sort_index(), theirs.sort_index(), rtol=1e-3)


def test_another_comparison_keeps_what_both_share(study):
    one = EvaluationSettings(arms=("base", "random"), seeds=(0,), steps=3, batch=4, samples_per_unit=2)
    run_evaluation(study, Silent(), one)
    before = set((study.evaluation_folder / "results").iterdir())
    run_evaluation(study, Silent(), EvaluationSettings(**one.to_json() | {"arms": ("base", "random", "full")}))
    assert len(set((study.evaluation_folder / "results").iterdir()) - before) == 1
    newest, older = read_results(study)
    assert (newest.total, older.total) == (3, 2) and newest.complete and older.complete


def test_a_comparison_of_an_earlier_version_is_read_under_todays_names(evaluated, study):
    settings = SMALL.to_json() | {"arms": ["base", "curated", "curated-passes", "curated-mixed"]}
    for key in ("equal", "budgets"):
        settings.pop(key)
    runs = [{"arm": arm, "seed": 0, "rows": "a", "key": f"{n:016x}"} for n, arm in enumerate(settings["arms"])]
    old = {"id": "0123456789ab", "created": "2026-01-01", "identity": study.identity, "settings": settings, "steps": 12,
           "runs": runs, "row_lists": {"a": {"index": [], "stages": None, "shuffled": True}}, "scored": [1],
           "held_out": "held out", "notes": []}
    folder = study.evaluation_folder / "requests"
    folder.mkdir(parents=True)
    (folder / "0123456789ab.json").write_text(json.dumps(old))
    request = read_request(study, "0123456789ab")
    assert [run.arm for run in request.runs] == ["base", "cadc-staged", "cadc", "cadc-mixed"]
    assert [run.steps for run in request.runs] == [0, 12, 12, 12] and request.settings.arms == tuple(
        run.arm for run in request.runs)


def test_a_mix_that_was_trained_on_in_one_order_is_not_taken_for_what_is_exported_now(study):
    asked = request_evaluation(study, SMALL)
    assert asked.curation["staging"] == "mix"
    path = study.evaluation_folder / "requests" / f"{asked.id}.json"
    old = json.loads(path.read_text())
    for run in old["runs"]:
        if run["arm"] == "cadc":
            old["row_lists"][run["rows"]]["shuffled"] = False
    path.write_text(json.dumps(old))
    read = read_request(study, asked.id)
    assert [run.arm for run in read.runs].count("cadc-kept") == 2
    assert read.settings.arms == ("base", "cadc-kept", "random", "full")
    again = request_evaluation(study, SMALL, later=True)
    assert again.open and again.settings.arms == SMALL.arms, "its rows are chosen anew"
    assert request_evaluation(study, SMALL, later=True).open


def test_of_a_mixed_curriculum_the_same_runs_are_trained_and_priced_once():
    every = ("base", "cadc", "cadc-mixed", "random")
    assert arms_apart(every, "mix") == ("base", "cadc", "random") and arms_apart(every, "soft") == every
    assert arms_apart(("cadc-mixed",), "mix") == ("cadc-mixed",)
