"""Order of stages and rows: every chosen row once, whatever the staging."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.curation import CurationSettings
from cadc.curation.sequence import earliness, evenly_merged, inside_order, sequence, stage_order

sizes = st.lists(st.integers(0, 40), min_size=1, max_size=5)


def chosen_of(counts):
    """Capability k owns rows 1000·k, 1000·k + 1, …, in inside order."""
    return [1000 * k + np.arange(n) for k, n in enumerate(counts)]


@given(counts=sizes, staging=st.sampled_from(["soft", "hard", "mix"]), replay=st.floats(0, 0.9), seed=st.integers(0, 9))
def test_the_sequence_is_a_permutation_of_the_selection(counts, staging, replay, seed):
    chosen, order = chosen_of(counts), np.random.default_rng(seed).permutation(len(counts)).tolist()
    rows, stage = sequence(chosen, order, CurationSettings(staging=staging, replay=replay, seed=seed))
    assert sorted(rows.tolist()) == sorted(np.concatenate(chosen).tolist())
    assert (np.diff(stage) >= 0).all() and len(stage) == len(rows)
    again, _ = sequence(chosen, order, CurationSettings(staging=staging, replay=replay, seed=seed))
    assert rows.tolist() == again.tolist()


@given(counts=sizes, replay=st.floats(0, 0.9))
def test_soft_stages_keep_back_the_replay_share_and_never_look_ahead(counts, replay):
    order = list(range(len(counts)))[::-1]
    rows, stage = sequence(chosen_of(counts), order, CurationSettings(staging="soft", replay=replay))
    for place, k in enumerate(order):
        own = stage[rows // 1000 == k]
        assert (own >= place + 1).all()
        later = int((own > place + 1).sum())
        assert later == (0 if place == len(order) - 1 else int(replay * counts[k] + 0.5))
        spread = np.bincount(own, minlength=len(order) + 1)[place + 2:]
        assert len(spread) == 0 or spread.max() - spread.min() <= 1


def test_each_capability_keeps_its_inside_order_within_a_stage():
    rows, stage = sequence(chosen_of([30, 20, 25]), [2, 0, 1], CurationSettings(staging="soft"))
    for s in (1, 2, 3):
        for k in range(3):
            own = rows[(stage == s) & (rows // 1000 == k)]
            assert (np.diff(own) > 0).all()
    first, last = np.array_split(rows[stage == 3] // 1000, 2)
    counts = np.array([np.bincount(first, minlength=3), np.bincount(last, minlength=3)])
    assert np.abs(np.diff(counts, axis=0)).max() <= 1  # replayed rows are spread over the stage


def test_hard_stages_hold_one_capability_each():
    rows, stage = sequence(chosen_of([3, 2]), [1, 0], CurationSettings(staging="hard"))
    assert rows.tolist() == [1000, 1001, 0, 1, 2] and stage.tolist() == [1, 1, 2, 2, 2]


def test_mixed_rows_are_one_stage_and_shuffled_by_the_seed():
    chosen = chosen_of([30, 30])
    first, other = (sequence(chosen, [0, 1], CurationSettings(seed=seed)) for seed in (0, 1))
    assert set(first[1].tolist()) == {1} and sorted(first[0]) == sorted(other[0]) and (first[0] != other[0]).any()
    halves = [np.count_nonzero(half < 1000) for half in np.array_split(first[0], 2)]
    assert min(halves) > 5, "capabilities are mixed"
    turned, _ = sequence(chosen[::-1], [1, 0], CurationSettings())
    assert turned.tolist() == first[0].tolist(), "neither the order of capabilities nor of picks shows"
    assert [len(part) for part in sequence([], [], CurationSettings())] == [0, 0]


def test_earliness_is_the_weighted_mean_time_of_the_decrease():
    means = np.array([[10, 4, 3, 3], [10, 9, 8, 2], [1, 2, 3, 4], [np.nan] * 4])
    assert earliness(means)[:2].tolist() == pytest.approx([(2 * 6 + 3) / 7, (2 + 3 + 4 * 6) / 8])
    assert np.isinf(earliness(means)[2:]).all()
    ids = ("c1", "c2", "c3", "c4")
    assert stage_order(means, ids, ()) == [0, 1, 2, 3]
    assert stage_order(means, ids, ("c3", "gone", "c2", "c3")) == [2, 1, 0, 3]


def test_equally_early_capabilities_go_by_lower_final_self_influence():
    assert stage_order(np.array([[9, 5, 5], [7, 3, 3], [5, 1, 1], [5, 1, 1]]), ("c1", "c2", "c3", "c4"), ()) == [
        2,
        3,
        1,
        0,
    ]
    assert stage_order(np.array([[9.], [7.]]), ("c1", "c2"), ()) == [1, 0]  # one checkpoint: nothing falls


def test_inside_orders():
    rows, hard, influence = np.array([4, 7, 9, 2]), np.array([3, 1, 3, 2]), np.array([.1, .9, .5, .9])
    rng = np.random.default_rng(0)
    assert rows[inside_order(rows, hard, influence, "easy-first", rng)].tolist() == [7, 2, 4, 9]
    assert rows[inside_order(rows, hard, influence, "influence-first", rng)].tolist() == [2, 7, 9, 4]
    assert sorted(rows[inside_order(rows, hard, influence, "random", rng)].tolist()) == [2, 4, 7, 9]


@given(counts=st.lists(st.integers(0, 30), max_size=6))
def test_merged_pieces_keep_their_order_and_are_spread_evenly(counts):
    order, total = evenly_merged(counts), sum(counts)
    assert sorted(order) == list(range(total))
    owner = np.repeat(np.arange(len(counts)), counts)[order]
    for piece, size in enumerate(counts):
        own = order[owner == piece]
        assert (np.diff(own) == 1).all(), "each piece keeps its order"
        before = np.cumsum(owner == piece)
        fair = size * np.arange(1, total + 1) / max(total, 1)
        assert (np.abs(before - fair) <= 1 + size / max(total, 1) * len(counts) / 2).all()
