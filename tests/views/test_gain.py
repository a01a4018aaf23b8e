"""What is said of a draft's gain: only what was measured, and only of nearly the same rows."""

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.evaluation import EvaluationSettings, at_budget, compare, read_results, request_evaluation
from cadc.evaluation.request import result_file
from cadc.study import write_json
from cadc.views import gain as views


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A study with one comparison, of which the runs of one arm are missing."""
    bench = open_workbench(synthesise(tmp_path_factory.mktemp("cache"), rows=200, units=5, checkpoints=2,
                                      samples_per_unit=4, name="trial"))
    study, better = bench.study, {"cadc": 0.8, "random": 0.4}
    assert views.measured(study) == [] and views.stamp(study).strip() == ""
    asked = request_evaluation(study, EvaluationSettings(
        arms=("cadc", "random", "full"), seeds=(0, 1), steps=5, batch=4, samples_per_unit=3), bench=bench)
    for run in asked.runs:
        if run.arm in better:
            write_json(result_file(study, run.key), {
                "key": run.key, "identity": study.identity, "rows": 10, "steps": 5, "samples_seen": 20, "seconds": 1.0,
                "seconds_training": 0.8, "losses": [], "not_scored": 0, "device": "cpu", "notes": [],
                "units": [{"unit": unit, "accuracy": better[run.arm] + 0.01 * run.seed + 0.002 * i * i, "loss": 1.0,
                           "n": 6} for i, unit in enumerate(bench.scores.units)]})
    return bench


def test_the_gain_of_the_measured_rows_is_the_paired_difference(bench):
    known = views.measured(bench.study)
    assert len(known) == 1 and known[0].gains.keys() == {"random"}
    wanted = compare(at_budget(read_results(bench.study)[0].table), "cadc", "random")
    assert known[0].gains["random"] == wanted
    said = views.gain(known, bench.curriculum.rows["index"].to_numpy())
    assert said.known and said.words[0].startswith("Measured on these rows")
    assert f"{100 * wanted.mean:+.1f} points" in said.words[1]
    assert said.words[2] == "against rows chosen by the embedding: not measured here"


def test_other_rows_are_not_measured(bench):
    known, rows = views.measured(bench.study), bench.curriculum.rows["index"].to_numpy()
    others = np.setdiff1d(bench.table["index"].to_numpy(), rows)
    half = np.concatenate([rows[: len(rows) // 2], others[: len(rows) // 2]])
    said = views.gain(known, half)
    assert not said.known and "not measured here" in said.words[0].lower() and "points" not in " ".join(said.words)
    assert not views.gain([], rows).known


def test_the_stamp_changes_when_a_run_ends(bench):
    before = views.stamp(bench.study)
    write_json(bench.study.evaluation_folder / "results" / "0000000000000000.json", {})
    assert views.stamp(bench.study) != before
    (bench.study.evaluation_folder / "results" / "0000000000000000.json").unlink()


def test_shared_rows_are_counted_of_all_rows_of_either():
    assert views.shared(np.array([1, 2, 3]), np.array([2, 3, 4, 5])) == 2 / 5
    assert views.shared(np.array([], int), np.array([], int)) == 0
