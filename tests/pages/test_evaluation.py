"""The Evaluation page: before anything was compared, and with comparisons that are half done and done."""

import pytest

from cadc.evaluation import EvaluationSettings, request_evaluation
from cadc.evaluation.request import result_file
from cadc.scores.scores import Scores
from cadc.study import write_json


def finish(study, request, keys):
    """Result files as the job writes them, with planted accuracies: every arm has its own."""
    better = {"base": 0.1, "random": 0.4, "full": 0.5, "cadc": 0.8, "cadc-mixed": 0.75}
    units = Scores.load(study).units
    for run in request.runs:
        if run.key in keys:
            write_json(result_file(study, run.key), {
                "key": run.key, "identity": study.identity, "rows": 10, "steps": 5, "samples_seen": 20, "seconds": 1.0,
                "seconds_training": 0.8, "losses": [], "not_scored": 0, "device": "cpu", "notes": [],
                "units": [{"unit": unit, "accuracy": better[run.arm] + 0.01 * run.seed + 0.002 * i, "loss": 1.0, "n": 6}
                          for i, unit in enumerate(units)]})


@pytest.fixture
def request_(study):
    return request_evaluation(study, EvaluationSettings(seeds=(0, 1, 2), steps=5, batch=4, samples_per_unit=3))


def test_it_opens_before_anything_was_compared(study, open_page):
    page = open_page("6_evaluation", study="trial")
    assert not page.error and any("Nothing was compared yet" in i.value for i in page.info)
    assert any("10 runs: 43,200 samples to train on" in t.value for t in page.text)
    assert page.multiselect[0].value == ["base", "cadc", "random", "full"], "of a mix cadc is cadc-mixed"
    page.multiselect[0].set_value(["base", "cadc", "cadc-mixed", "random", "full"]).run()
    assert any("10 runs: 43,200 samples" in t.value for t in page.text), "asked for twice, trained once"


def test_the_cost_follows_what_is_asked(study, open_page):
    page = open_page("6_evaluation", study="trial")
    page.number_input[0].set_value(1)
    page.number_input[1].set_value(10)
    page.run()
    assert any("4 runs: 960 samples to train on" in t.value for t in page.text)


def test_a_half_finished_comparison_says_so(study, open_page, request_):
    finish(study, request_, {run.key for run in request_.runs[:4]})
    page = open_page("6_evaluation", study="trial")
    assert any("4 of 13 runs are finished" in w.value for w in page.warning)


def test_a_finished_comparison_shows_verdict_effort_and_every_seed(study, open_page, request_):
    finish(study, request_, {run.key for run in request_.runs})
    page = open_page("6_evaluation", study="trial")
    assert not page.warning or not any("runs are finished" in w.value for w in page.warning)
    words = [t.value for t in page.text]
    assert any("The curriculum beats random rows" in t for t in words)
    assert any("same number of samples: 20" in t for t in words)
    table = next(f.value for f in page.dataframe if "seed 2" in f.value)
    overall = table[table["capability"] == "overall"].set_index("arm")
    assert list(overall.index[:1]) == ["base"] and overall.loc["full", "% of full"] == 100
    seeds = overall.loc["cadc", ["seed 0", "seed 1", "seed 2"]]
    assert overall.loc["cadc", "mean"] == pytest.approx(seeds.mean(), abs=0.11)


def test_several_budgets_give_a_choice_a_curve_and_a_report(study, open_page):
    request = request_evaluation(study, EvaluationSettings(seeds=(0, 1), steps=5, batch=4, samples_per_unit=3,
                                                           budgets=(0.05, 0.2)))
    finish(study, request, {run.key for run in request.runs})
    page = open_page("6_evaluation", study="trial")
    assert any(t.value.startswith("At 5 % of the pool the shuffled curriculum reaches") for t in page.text)
    assert any("Accuracy over the budget" in s.value for s in page.header)
    chance = next(f.value for f in page.dataframe if "minus random" in f.value)
    assert set(chance["arm"]) == {"base", "full", "cadc", "cadc-mixed"}
    assert chance["minus random"].is_monotonic_decreasing
    assert len(page.get("download_button")) == 1


def test_equal_passes_cost_by_rows(study, open_page):
    page = open_page("6_evaluation", study="trial")
    page.selectbox[0].set_value("epochs")
    page.run()
    # 300 rows: full 2 passes = 19 steps of 32; the others 15 rows = 1 step
    assert any(f"10 runs: {3 * 32 * (19 + 2):,} samples to train on" in t.value for t in page.text)


def test_it_says_what_is_missing_on_an_empty_cache(empty_cache, open_page):
    page = open_page("6_evaluation")
    assert any("There is no study yet" in i.value for i in page.info)
