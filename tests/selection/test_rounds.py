"""Selection against a naive reference: every target sample takes its best row not yet taken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.selection.rounds import Taken, by_influence, round_robin


def taken_of(open_):
    return Taken(np.asarray(open_, bool), np.zeros(len(open_), np.int64), 0)


def draw(picks, taken, count):
    out = []
    for pick in picks:
        taken.take(pick[0])
        out.append(pick)
        if len(out) == count:
            break
    return out


def slow_rounds(made, members, inside, count):
    """One round after the other, by the full table of influences; sample j of every unit before sample j + 1 of any."""
    of = made.scores.sample_unit
    order = sorted(
        (j for j in range(len(of)) if of[j] in members), key=lambda j: (j - np.flatnonzero(of == of[j])[0], of[j])
    )
    free, out = set(np.flatnonzero(inside).tolist()), []
    while free and len(out) < count:
        for sample in order:
            if not free or len(out) == count:
                break
            best = min(free, key=lambda row: (-np.float32(made.single[row, sample]), row))
            free.discard(best)
            out.append((best, sample))
    return out


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 50), count=st.integers(1, 60), share=st.floats(0.2, 1))
def test_rounds_equal_the_naive_reference_while_lists_last(make_scores, seed, count, share):
    made = make_scores(rows=60, units=4, per_unit=3, best=60, seed=seed)
    inside = np.random.default_rng(seed).random(60) < share
    taken = taken_of(inside)
    found = draw(round_robin(made.scores, np.array([0, 2]), inside, taken), taken, count)
    assert [(row, sample) for row, sample, _, _ in found] == slow_rounds(made, {0, 2}, inside, count)
    assert all(reason == "rounds" for *_, reason in found)
    for row, sample, value, _ in found:
        assert value == pytest.approx(made.single[row, sample], rel=1e-5, abs=1e-6)


def test_no_pick_is_worse_than_a_free_row_of_the_list(made):
    inside = np.ones(240, bool)
    taken = taken_of(inside)
    free = set(range(240))
    for row, sample, value, reason in draw(round_robin(made.scores, np.arange(8), inside, taken), taken, 150):
        listed = [r for r in made.scores.best_index[sample].tolist() if r in free]
        if reason == "rounds":
            assert row == listed[0] and value == pytest.approx(made.single[row, sample], rel=1e-5)
        free.discard(row)


def test_a_used_up_list_goes_on_with_near_until_the_pool_is_empty(make_scores):
    made = make_scores(rows=5000, units=3, per_unit=2, best=4)
    inside = np.random.default_rng(0).random(5000) < 0.95  # more than one piece of the sorted rest
    taken, free = taken_of(inside), set(np.flatnonzero(inside).tolist())
    found = draw(round_robin(made.scores, np.array([0, 1, 2]), inside, taken), taken, 10**6)
    assert sorted(row for row, *_ in found) == sorted(free)
    near = made.scores.near
    turns = [0, 2, 4, 1, 3, 5]
    for place, (row, target, value, reason) in enumerate(found[:400]):
        if reason == "near":
            unit = made.scores.sample_unit[turns[place % 6]]
            best = max(near[unit, list(free)])
            assert near[unit, row] == best == np.float32(value) and target == made.scores.winner[unit, row]
        free.discard(row)
    assert sum(reason == "near" for *_, reason in found) >= len(found) - 24


def test_a_round_is_spread_over_the_units(made):
    taken = taken_of(np.ones(240))
    found = draw(round_robin(made.scores, np.arange(8), np.ones(240, bool), taken), taken, 20)
    units = made.scores.sample_unit[[sample for _, sample, _, _ in found]]
    assert np.bincount(units, minlength=8).tolist() == [3, 3, 3, 3, 2, 2, 2, 2]


def test_top_influence_takes_the_highest_and_of_equals_the_earlier():
    influence = np.array([.1, .5, .5, .9, -1, .5], np.float32)
    assert [row for row, *_ in by_influence(influence, np.array([0, 2, 3, 4, 5]))] == [3, 2, 5, 0, 4]


def test_a_source_cap_counts_every_taken_row():
    taken = Taken(np.ones(6, bool), np.array([0, 0, 0, 1, 1, 1]), 2)
    for row in (0, 1, 3):
        assert taken.free(row)
        taken.take(row)
    assert [taken.free(row) for row in range(6)] == [False, False, False, False, True, True]
