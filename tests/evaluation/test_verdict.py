import numpy as np
import pandas as pd
import pytest

from cadc.evaluation.results import COLUMNS, summary
from cadc.evaluation.verdict import SURE, against, headline, verdict


def table(levels: dict[str, float], *, noise: float = 0.03, seeds=(0, 1, 2), units: int = 16) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    hardness = rng.normal(0, 0.1, units)
    rows = [(arm, s, f"u{u:02d}", level + hardness[u] + rng.normal(0, noise), 2 - level, 20, 400, 4800, 150, 1.0, 0.05)
            for arm, level in levels.items() for s in (seeds[:1] if arm == "base" else seeds) for u in range(units)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_equal_arms_are_not_distinguishable():
    text = verdict(table({"base": 0.1, "cadc": 0.5, "random": 0.5}))
    assert "random rows are not distinguishable" in text
    assert "beats the untrained base" in text


@pytest.mark.parametrize("curated, word", [(0.6, "beats random rows"), (0.4, "loses to random rows")])
def test_clearly_different_arms_get_a_winner(curated, word):
    assert word in verdict(table({"cadc": curated, "random": 0.5}))


def test_one_seed_and_one_unit_claim_nothing():
    text = verdict(table({"cadc": 0.9, "random": 0.1}, seeds=(0,), units=1))
    assert "not distinguishable: one unit and one seed" in text


def test_one_seed_tells_nothing_apart_however_many_units():
    one = table({"cadc": 0.9, "cadc-mixed": 0.6, "random": 0.1}, seeds=(0,))
    said = verdict(one)
    assert "beats" not in said and "it helps" not in said and "In answer loss" not in said
    assert "random rows are not distinguishable, one seed does not say" in said
    assert "a distinguishable" not in headline(one) and not against(one)["sure"].any()
    assert (against(one)["holm"] < SURE).all(), "over units alone it would be told apart"


def test_a_lower_loss_is_told_when_accuracy_cannot_decide():
    both = table({"cadc": 0.5, "random": 0.5})
    rng = np.random.default_rng(1)
    both["loss"] = np.where(both["arm"] == "cadc", 1.0, 1.5) + rng.normal(0, 0.02, len(both))
    assert "In answer loss the curriculum is better than random rows" in verdict(both)


def test_order_and_selection_are_told_apart():
    text = verdict(table({"cadc": 0.45, "cadc-mixed": 0.6, "random": 0.45}))
    assert "Order alone adds -1" in text and "it hurts" in text
    assert "The shuffled curriculum beats random rows" in text
    assert "The curriculum and random rows are not distinguishable" in text


def test_a_mixed_curriculum_has_no_order_to_tell_of():
    one = table({"cadc": 0.6, "random": 0.45, "cadc-kept": 0.3})
    both = pd.concat([one, one[one["arm"] == "cadc"].assign(arm="cadc-mixed")], ignore_index=True)
    assert "there is no order to tell of" in verdict(both) and "The shuffled curriculum" not in verdict(both)
    assert "order alone adds" not in headline(both[both["arm"] != "cadc-kept"])
    assert "order alone adds -30" in headline(both), "of the arm that keeps one"


def test_unfinished_comparison_says_so():
    assert "No run" in verdict(pd.DataFrame(columns=list(COLUMNS)))


def test_summary_counts_units_and_seeds_and_relates_to_full():
    group_of = {f"u{u:02d}": "c1" if u < 4 else "c2" for u in range(15)}
    found = summary(table({"cadc": 0.6, "full": 0.5}, noise=0), group_of)
    overall = found[(found["capability"] == "overall") & (found["arm"] == "cadc")].iloc[0]
    assert (overall["units"], overall["seeds"]) == (16, 3)
    assert overall["relative"] > 1 and overall["accuracy_sd"] == pytest.approx(0)
    assert set(found["capability"]) == {"overall", "c1", "c2", "unassigned"}
    full = found[found["arm"] == "full"]["relative"]
    assert np.allclose(full, 1)


def test_summary_mean_is_over_units_not_samples():
    runs = [("cadc", 0, "a", 1.0, 1.0, 100, 1, 1, 1, 1.0, 0.05), ("cadc", 0, "b", 0.0, 3.0, 1, 1, 1, 1, 1.0, 0.05)]
    rows = pd.DataFrame(runs, columns=list(COLUMNS))
    found = summary(rows).iloc[0]
    assert (found["accuracy"], found["loss"]) == (0.5, 2.0)
    assert np.isnan(found["accuracy_sd"]) and np.isnan(found["relative"])
