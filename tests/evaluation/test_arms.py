from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cadc.curation.presets import PRESETS
from cadc.curation.workbench import open_workbench
from cadc.errors import DataError
from cadc.evaluation.arms import ARMS, called
from cadc.evaluation.context import SelectionContext
from cadc.evaluation.material import Material
from cadc.evaluation.settings import EvaluationSettings
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS


def context(seed: int = 0) -> SelectionContext:
    allowed = np.ones(50, bool)
    allowed[[3, 7]] = False
    return SelectionContext(index=np.arange(50) * 2, allowed=allowed, curriculum=np.array([9, 3, 4, 5, 9, 20]),
                            stages=np.array([1, 1, 1, 2, 2, 2]), seed=seed)


def test_no_arm_takes_a_row_that_repeats_a_target_sample():
    for one in (ARMS[name] for name in ("base", "cadc", "cadc-staged", "cadc-mixed", "random", "full")):
        assert context().allowed[one.select(context()).positions].all()


def test_random_has_as_many_different_rows_as_the_curriculum_and_changes_with_the_seed():
    first, second = (ARMS["random"].select(context(seed)).positions for seed in (0, 1))
    assert len(set(first)) == len(first) == context().budget == 4
    assert sorted(first) != sorted(second)


def test_the_curriculum_keeps_its_order_and_replayed_rows():
    staged = ARMS["cadc-staged"].select(context())
    assert staged.positions.tolist() == [9, 4, 5, 9, 20]
    assert staged.stages.tolist() == [1, 1, 2, 2, 2]
    whole = ARMS["cadc"].select(context())
    assert whole.positions.tolist() == staged.positions.tolist() and whole.stages is None and not whole.shuffled


def test_an_unknown_arm_is_one_clear_line():
    with pytest.raises(DataError, match="unknown arm"):
        ARMS["magic"]


def test_sentences_call_every_arm_by_one_name():
    names = [called(name) for name in ARMS]
    assert len(set(names)) == len(ARMS) and called("base") == "the untrained base"
    assert called("an older one") == "the arm an older one"


def test_settings_survive_json_and_refuse_nonsense():
    chosen = EvaluationSettings(seeds=(5, 6), steps=7)
    assert EvaluationSettings.from_json(chosen.to_json()) == chosen
    with pytest.raises(DataError, match="unknown keys"):
        EvaluationSettings.from_json({"speed": 1})
    with pytest.raises(DataError, match="learning_rate"):
        EvaluationSettings(learning_rate=0)
    assert EvaluationSettings(epochs=2, batch=10).steps_for(900, 100) == 20
    assert EvaluationSettings(epochs=2, batch=10, equal="epochs").steps_for(900, 100) == 180
    with pytest.raises(DataError, match="equal"):
        EvaluationSettings(equal="epochs")


def test_every_arm_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    assert [name for name in ARMS if f"`{name}`" not in text] == []


def test_every_signal_and_preset_is_an_arm_with_and_without_the_filter():
    for name in (*SIGNALS, *(preset for preset in PRESETS if preset != "paper")):
        assert {name, f"{name}-unfiltered"} <= set(ARMS)
    assert "paper-unfiltered" not in ARMS


@pytest.fixture(scope="module")
def known(finished_study):
    inputs = open_workbench(finished_study).inputs
    return Material(finished_study, inputs, np.zeros(len(inputs.scores.index), bool))


def of_study(known, rows: int) -> SelectionContext:
    return SelectionContext(index=np.asarray(known.scores.index), allowed=~known.barred, curriculum=np.arange(rows),
                            stages=np.ones(rows, int), seed=0, asked=float(rows), material=known)


def test_an_unfiltered_arm_may_take_what_looks_wrong_and_still_no_copies(known):
    wanted = of_study(known, len(known.scores.index))
    settings = known.settings("studio", 10, filtered=False)
    assert settings.loss_quantile == 1 and settings.drop_loss_share == 0 and settings.drop_duplicates
    with_filter, without = (set(ARMS[name].select(wanted).positions) for name in ("words", "words-unfiltered"))
    assert with_filter < without
    assert not known.repeats[sorted(without)].any()


@pytest.mark.parametrize("name", ["gradients", "whitened"])
def test_arms_of_gradients_are_on_the_common_scale_before_the_join_too(known, own_copy, name):
    study = own_copy(known.study)
    wanted = Scores.load(study, near=name)
    study.result("near").remove()
    found = Material(study, open_workbench(study).inputs, known.barred).nearness(name).scores
    assert np.allclose(found.middle, wanted.middle) and np.allclose(found.own, wanted.own)
    rough = Scores.load(study, near=name)
    assert not np.allclose(rough.own, wanted.own), "plain cosines stand in where nobody asked for more"


def test_a_mixed_curriculum_is_shuffled_and_kept_in_an_order_of_each_seed(known):
    wanted = of_study(known, 40)
    cadc, mixed = (ARMS[name].select(wanted) for name in ("cadc", "cadc-mixed"))
    assert cadc.shuffled and cadc.positions.tolist() == mixed.positions.tolist() and cadc.stages is None
    kept = [ARMS["cadc-kept"].select(replace(wanted, seed=seed)) for seed in (0, 0, 1)]
    assert not any(one.shuffled for one in kept) and kept[0].positions.tolist() == kept[1].positions.tolist()
    assert kept[0].positions.tolist() != kept[2].positions.tolist()
    assert all(sorted(one.positions) == sorted(mixed.positions) for one in kept)
    staged = replace(wanted, material=None)
    assert ARMS["cadc-kept"].select(staged).positions.tolist() == wanted.curriculum.tolist()


def test_rounds_give_every_unit_its_turn(known):
    chosen = known.rounds(known.inputs.columns, 6).rows
    counts = chosen["target_unit"].value_counts()
    assert set(counts.index) == set(known.scores.units) and counts.max() - counts.min() <= 1


def test_the_oracle_in_rounds_takes_only_what_the_truth_calls_good(known):
    rows = ARMS["oracle-rounds"].select(of_study(known, 6)).positions
    truth = known.truth.iloc[rows]
    assert len(set(rows)) == 6 and truth["on_target"].all() and not truth["wrong"].any()
    assert truth["duplicate_of"].isna().all()


def test_a_mixed_curriculum_has_soft_stages_for_the_arms_that_need_them(known):
    mixed = replace(known, inputs=replace(known.inputs, settings=replace(known.inputs.settings, staging="mix")))
    context = of_study(mixed, 12)
    soft, staged = (ARMS[name].select(context) for name in ("cadc-soft", "cadc-staged"))
    wanted = mixed.soft(12.0).rows
    assert soft.positions.tolist() == staged.positions.tolist() == wanted["position"].tolist()
    assert staged.stages.tolist() == wanted["stage"].tolist() and soft.stages is None and not soft.shuffled
