"""Budgets: whole rows, exact sums, caps redistributed by the same shares; checked against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cadc.curation import CurationSettings, allocate, read_budget
from cadc.curation.budgets import shares
from cadc.discovery.capabilities import Capabilities
from cadc.errors import DataError


def slow_allocate(total, share, capacity):
    """METHOD §5 with exact fractions: give what is left by the shares, cap, give what the capped could not use, …"""
    share, rows, open_ = [Fraction(s) for s in share], [0] * len(share), [k for k in range(len(share)) if share[k] > 0]
    while open_:
        rest = total - sum(rows)
        ideal = {k: rest * share[k] / sum(share[j] for j in open_) for k in open_}
        full = [k for k in open_ if ideal[k] >= capacity[k]]
        if not full:
            for k in open_:
                rows[k] = int(ideal[k])
            missing = total - sum(rows)
            for k in sorted(open_, key=lambda k: (-(ideal[k] - int(ideal[k])), k))[:missing]:
                rows[k] += 1
            return rows
        for k in full:
            rows[k] = capacity[k]
        open_ = [k for k in open_ if k not in full]
    return rows


weights = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), min_size=1, max_size=6)


@given(cells=weights, total=st.integers(0, 200))
@example(cells=[(1, 1), (1, 1), (4, 2), (5, 0)], total=2)  # remainders of one third each, equal but for their last bits
def test_allocation_equals_exact_fractions(cells, total):
    share, capacity = np.array([c[0] for c in cells]), np.array([c[1] for c in cells])
    assume(share.sum() > 0)
    assert allocate(total, share / share.sum(), capacity).tolist() == slow_allocate(
        total, share.tolist(), capacity.tolist()
    )


cell = st.tuples(st.just(0.0) | st.floats(1e-9, 1), st.integers(0, 500), st.integers(0, 40))
shares_of = st.lists(cell, min_size=1, max_size=9)


@given(cells=shares_of, total=st.integers(0, 2000))
def test_sum_caps_and_minimum_always_hold(cells, total):
    share, capacity = np.array([c[0] for c in cells]), np.array([c[1] for c in cells])
    assume(share.sum() > 1e-3)
    least = np.minimum([c[2] for c in cells], capacity)
    rows = allocate(total, share / share.sum(), capacity, least)
    can = np.where(share > 0, capacity, least)
    assert (rows <= can).all() and (rows >= least).all()
    assert rows.sum() == max(min(total, can.sum()), least.sum())


@given(share=st.lists(st.integers(1, 50), min_size=2, max_size=6), total=st.integers(1, 500))
def test_larger_shares_never_get_fewer_rows_and_all_stay_within_one_row_of_theirs(share, total):
    share = np.array(share)
    rows = allocate(total, share / share.sum(), np.full(len(share), 10**6))
    assert (np.abs(rows - total * share / share.sum()) < 1).all()
    assert all(rows[a] >= rows[b] for a in range(len(share)) for b in range(len(share)) if share[a] > share[b])


def test_what_a_small_pool_cannot_use_goes_to_the_others_by_the_same_shares():
    assert allocate(100, np.array([.5, .3, .2]), np.array([20, 1000, 1000])).tolist() == [20, 48, 32]


def capabilities(of_unit=(0, 0, 0, 1, -1)):
    k = max(of_unit) + 1
    return Capabilities(ids=tuple(f"c{i + 1}" for i in range(k)), names=tuple(f"c{i + 1}" for i in range(k)),
                        of_unit=of_unit, units=tuple("abcde"[:len(of_unit)]), issued=k)


POOL = np.array([0] * 6 + [1] * 2 + [-1] * 4)
SELF = np.array([1.0] * 6 + [3.0] * 2 + [100.0] * 4)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("self-influence", [0.25, 0.75]),
        ("uniform", [0.5, 0.5]),
        ("pool-size", [0.75, 0.25]),
        ("target-share", [0.75, 0.25]),
    ],
)
def test_rules_give_the_shares_of_the_method(rule, wanted):
    share, notes = shares(CurationSettings(rule=rule), capabilities(), POOL, SELF)
    np.testing.assert_allclose(share, wanted)
    assert not notes


def test_manual_shares_are_scaled_and_gone_capabilities_reported():
    share, notes = shares(
        CurationSettings(rule="manual", shares={"c1": 3, "c2": 1, "c7": 5}), capabilities(), POOL, SELF
    )
    np.testing.assert_allclose(share, [.75, .25])
    assert "c7" in notes[0]
    share, notes = shares(CurationSettings(rule="manual"), capabilities(), POOL, SELF)
    np.testing.assert_allclose(share, [.5, .5])
    assert "equal shares" in notes[0]


def test_budgets_are_read_as_share_or_rows():
    assert read_budget("5%") == 0.05 and read_budget(" 0.2 ") == 0.2 and read_budget("2000") == 2000
    assert CurationSettings(budget=0.05).rows(8001) == 400 and CurationSettings(budget=2000).rows(500) == 500
    assert CurationSettings(budget=0.001).rows(10) == 1 and CurationSettings(budget=1).rows(10) == 10
    for wrong in ("", "x", "-5%", "0", "120%", "nan", "inf"):
        with pytest.raises(DataError):
            read_budget(wrong)


def test_settings_survive_json_and_wrong_ones_are_refused():
    chosen = CurationSettings(
        shares={"c1": 0.4, "c2": 0.6}, order=["c2"], keep=[3], drop=[4, 5], minimum_influence=-0.5
    )
    assert CurationSettings.from_dict(chosen.to_dict()) == chosen and hash(chosen)
    for wrong in (
        {"preset": "x"},
        {"rule": "x"},
        {"budget": 0},
        {"budget": "x"},
        {"replay": 1},
        {"unknown": 1},
        {"keep": ["x"]},
        {"keep": [1], "drop": [1]},
        {"shares": {"c1": -1}},
        {"drop_loss_share": 1},
        {"floor": float("nan")},
        {"order": 5},
        {"budget": None},
    ):
        with pytest.raises(DataError):
            CurationSettings.from_dict(wrong)


def test_the_paper_preset_leaves_nothing_out_and_cuts_over():
    paper, studio = CurationSettings.of_preset("paper"), CurationSettings.of_preset("studio", budget=0.1)
    assert (paper.staging, paper.drop_duplicates, paper.drop_loss_share) == ("hard", False, 0)
    assert (studio.staging, studio.drop_duplicates, studio.drop_loss_share, studio.budget) == ("mix", True, 0.12, 0.1)
