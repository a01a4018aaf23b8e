"""The recipe is the study's own, and what its text claims stands in the evidence."""

import re
from pathlib import Path

from curricula import quick, recipe

from cadc.evaluation.settings import EvaluationSettings
from cadc.export.recipe import ONE_RUN, Recipe
from cadc.study import StudyConfig


def test_the_measured_sentence_is_what_the_evidence_says():
    table = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8").split("\n\n")
    first = next(part for part in table if part.startswith("| arm |"))
    for number in re.findall(r"\d+\.\d ± \d+\.\d %", ONE_RUN):
        assert number in first, number
    assert len(re.findall(r"±", ONE_RUN)) == 4


def test_steps_are_those_of_a_comparison_and_reach_the_end_of_the_file():
    assert recipe().steps_for(400) == EvaluationSettings().steps and not recipe().compared
    assert recipe().steps_for(100_000) == 3125, "a pass of 100 000 rows in batches of 32"
    assert "so it is one pass" in recipe().sentences(100_000) and "so it is one pass" not in recipe().sentences(400)
    asked = Recipe.of(StudyConfig(pool="p", target="t", model="m"), EvaluationSettings(epochs=2.0, batch=8))
    assert asked.compared and asked.steps_for(80) == 20 and asked.passes(80) == 2.0


def test_a_local_model_is_named_without_its_place():
    config = StudyConfig(pool="p", target="t", model="/home/somebody/models/tiny")
    assert Recipe.of(config).model == "tiny" and Recipe.of(config).local
    assert "somebody" not in str(Recipe.of(config).for_rows(5))


def test_a_batch_is_cut_into_parts_of_one_size():
    for batch in (1, 2, 6, 7, 32):
        one = quick(5, batch)
        assert one.micro * one.accumulate == batch
