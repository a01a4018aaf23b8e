import numpy as np
import pytest

from cadc.errors import DataError
from cadc.evaluation.arms import SELECTORS, selector
from cadc.evaluation.offer import Offer
from cadc.evaluation.settings import EvaluationSettings


def offer(seed: int = 0) -> Offer:
    allowed = np.ones(50, bool)
    allowed[[3, 7]] = False
    return Offer(index=np.arange(50) * 2, allowed=allowed, curriculum=np.array([9, 3, 4, 5, 9, 20]),
                 stages=np.array([1, 1, 1, 2, 2, 2]), seed=seed)


def test_no_arm_takes_a_row_that_repeats_a_target_sample():
    for one in (SELECTORS[name] for name in ("base", "cadc", "cadc-staged", "cadc-mixed", "random", "full")):
        assert offer().allowed[one.select(offer()).positions].all()


def test_random_has_as_many_different_rows_as_the_curriculum_and_changes_with_the_seed():
    first, second = (selector("random").select(offer(seed)).positions for seed in (0, 1))
    assert len(set(first)) == len(first) == offer().budget == 4
    assert sorted(first) != sorted(second)


def test_the_curriculum_keeps_its_order_and_replayed_rows():
    staged = selector("cadc-staged").select(offer())
    assert staged.positions.tolist() == [9, 4, 5, 9, 20]
    assert staged.stages.tolist() == [1, 1, 2, 2, 2]
    whole = selector("cadc").select(offer())
    assert whole.positions.tolist() == staged.positions.tolist() and whole.stages is None and not whole.shuffled


def test_an_unknown_arm_is_one_clear_line():
    with pytest.raises(DataError, match="unknown arm"):
        selector("magic")


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
