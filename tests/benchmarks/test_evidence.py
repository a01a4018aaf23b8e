"""The evidence benchmark without training: its tables are the numbers, every ablation names settings that exist."""

import json
from math import inf

import numpy as np
import pandas as pd
import pytest

from benchmarks.lab.ablations import ABLATIONS
from benchmarks.lab.arms import arm_rows, comparison, curve_rows
from benchmarks.lab.plan import ARMS, AT_SECOND, CLAIMS, CURVE, FAITHFUL, FULL, QUICK, SHORT, Plan, just, only
from benchmarks.lab.report import plain
from cadc.curation import PRESETS, CurationSettings
from cadc.discovery import DiscoverySettings
from cadc.evaluation import ARMS as KNOWN
from cadc.evaluation import at_budget
from cadc.evaluation.results import COLUMNS
from cadc.study import StudyConfig


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    level = {"base": 0.1, "random": 0.4, "cadc": 0.5, "cadc-mixed": 0.55, "oracle": 0.6, "full": 0.5}
    rows = [(arm, seed, f"u{unit}", level[arm] + rng.normal(0, 0.01), 1.0, 20, 400, 0 if arm == "base" else 4800, 150,
             1.0, budget) for budget in (0.05, 0.2) for arm in level for seed in ((0,) if arm == "base" else (0, 1, 2))
            for unit in range(10)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_an_arm_is_told_as_the_table_has_it(table):
    own = at_budget(table, 0.05)
    found = {row["name"]: row for row in arm_rows(own)}
    mine = own[own["arm"] == "cadc-mixed"]
    assert found["cadc-mixed"]["seeds"] == pytest.approx(mine.groupby("seed")["accuracy"].mean().tolist())
    assert found["cadc-mixed"]["mean"] == pytest.approx(mine["accuracy"].mean())
    assert found["cadc-mixed"]["samples_seen"] == 4800 and found["base"]["samples_seen"] == 0
    assert found["cadc-mixed"]["against_random"]["holm"] < 0.05 and "against_random" not in found["random"]


def test_the_gap_closed_is_between_random_and_oracle(table):
    found = comparison(at_budget(table, 0.05))
    assert found["gap_closed"]["cadc-mixed"]["mean"] == pytest.approx(0.75, abs=0.08)
    assert found["gap_closed"]["random"]["mean"] == 0 and found["gap_closed"]["oracle"]["mean"] == pytest.approx(1)
    assert "order alone adds -" in found["headline"]
    json.dumps(plain(found), allow_nan=False)


def test_the_curve_has_every_budget(table):
    found = pd.DataFrame(curve_rows(table))
    assert set(found["budget"]) == {0.05, 0.2} and (found.loc[found["arm"] == "cadc", "seeds"] == 3).all()


def test_every_arm_of_the_plan_is_known():
    coming = {"design"} | {name for name in ("quick", "quick-unfiltered") if "quick" not in PRESETS}
    for plan in (Plan(), QUICK, SHORT, CLAIMS, FAITHFUL):
        assert set(plan.named) - coming <= set(KNOWN) and len(plan.named) == len(set(plan.arms) | set(plan.beside))
    assert set(AT_SECOND) <= set(ARMS) and set(CURVE) <= set(ARMS) and QUICK.budgets[0] in Plan().budgets
    assert only(("design?", "random"), KNOWN) == ("random",)


def test_a_claim_has_ten_paired_seeds_that_chose_nothing():
    assert len(CLAIMS.seeds) >= 10 and set(CLAIMS.beside_seeds) < set(CLAIMS.seeds)
    assert not set(CLAIMS.seeds) & {*range(6), *Plan().seeds, *SHORT.seeds}
    assert CLAIMS.arms == CLAIMS.second_arms and not set(CLAIMS.arms) & set(CLAIMS.beside)


def test_some_arms_of_a_claim_keep_its_seeds_and_budgets():
    some = just(CLAIMS, ("cadc-mixed", "quick"))
    assert some.named == ("cadc-mixed", "quick") and some.second_arms == some.arms
    assert (some.seeds, some.budgets, some.steps, some.products) == (CLAIMS.seeds, CLAIMS.budgets, CLAIMS.steps,
                                                                     CLAIMS.products)
    assert not some.beside and not some.curve and not some.lds_retrainings
    assert FULL.minutes < 60 and QUICK.minutes < 15 and just(FULL, ("cadc",)).minutes == inf


def test_arms_that_carry_a_claim_come_before_those_that_stand_beside_them():
    claims = [arm for arm in ARMS if arm in CLAIMS.arms and arm != "cadc-kept"]
    assert set(ARMS[:len(claims) + 4]) >= {*claims, "base", "full", "rounds", "design"}


def test_the_gap_is_counted_against_the_better_oracle(table):
    better = table[table["arm"] == "oracle"].assign(arm="oracle-rounds", accuracy=lambda own: own["accuracy"] + 0.1)
    found = comparison(at_budget(pd.concat([table, better]), 0.05))["gap_closed"]
    assert found["cadc-mixed"]["oracle"] == "oracle-rounds"
    assert found["cadc-mixed"]["mean"] == pytest.approx(0.15 / 0.3, abs=0.06)
    worse = better.assign(accuracy=0.1)
    assert comparison(at_budget(pd.concat([table, worse]), 0.05))["gap_closed"]["cadc-mixed"]["oracle"] == "oracle"


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_an_ablation_changes_settings_that_exist(name):
    for variant in ABLATIONS[name]:
        StudyConfig(pool="a", target="b", model="c", **variant.study)
        DiscoverySettings.from_dict(variant.discover)
        CurationSettings.from_dict(variant.curate)
        assert set(variant.arms) <= set(KNOWN)
    assert len({variant.name for variant in ABLATIONS[name]}) == len(ABLATIONS[name])
