from pathlib import Path

import numpy as np
import pytest

from cadc.errors import DataError
from cadc.evaluation.arms import ARMS, called
from cadc.evaluation.context import SelectionContext
from cadc.evaluation.settings import EvaluationSettings


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
