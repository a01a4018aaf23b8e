"""Rounds against a naive reference: unit by unit, a target sample takes its best row not yet taken."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.selection.rounds import by_influence, round_robin


def slow_rounds(single, of, members, inside, count):
    """By the full table of influences: every unit in turn, the r-th round is its sample r modulo its samples."""
    units = [unit for unit in members if (of == unit).any()]
    free, out, turn = set(np.flatnonzero(inside).tolist()), [], 0
    while units and free and len(out) < count:
        own = np.flatnonzero(of == units[turn % len(units)])
        sample = int(own[turn // len(units) % len(own)])
        best = min(free, key=lambda row: (-np.float32(single[row, sample]), row))
        free.discard(best)
        out.append((best, sample))
        turn += 1
    return out


def fewer(made, left):
    """The same scores with only the first `left[unit]` target samples of each unit, and their influences."""
    of = np.asarray(made.scores.sample_unit)
    keep = np.concatenate([np.flatnonzero(of == unit)[:count] for unit, count in enumerate(left)]).astype(int)
    back = np.full(len(of), 0)
    back[keep] = np.arange(len(keep))
    scores = replace(made.scores, sample_unit=of[keep], sample_index=np.asarray(made.scores.sample_index)[keep],
                     best_index=made.scores.best_index[keep], best_value=made.scores.best_value[keep],
                     winner=back[made.scores.winner])
    return scores, made.single[:, keep]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 50), count=st.integers(1, 60), share=st.floats(0.2, 1),
       left=st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_rounds_equal_the_naive_reference_while_lists_last(make_scores, seed, count, share, left):
    made = make_scores(rows=60, units=4, per_unit=3, best=60, seed=seed)
    scores, single = fewer(made, left)
    inside = np.random.default_rng(seed).random(60) < share
    found = list(islice(round_robin(scores, np.array([0, 2, 3]), inside), count))
    assert [(row, sample) for row, sample, *_ in found] == slow_rounds(
        single, np.asarray(scores.sample_unit), [0, 2, 3], inside, count)
    assert all(reason == "rounds" for *_, reason in found)
    for row, sample, value, _ in found:
        assert value == pytest.approx(single[row, sample], rel=1e-5, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 200), left=st.lists(st.integers(1, 4), min_size=8, max_size=8), seed=st.integers(0, 9))
def test_units_get_equally_many_rows_wherever_the_ranking_is_cut(made, count, left, seed):
    scores, _ = fewer(made, left)
    inside = np.random.default_rng(seed).random(240) < 0.9
    found = list(islice(round_robin(scores, np.arange(8), inside), count))
    by_sample = [sample for _, sample, _, reason in found if reason == "rounds"]
    assert all(scores.sample_unit[sample] == place % 8 for place, (_, sample, _, reason) in enumerate(found)
               if reason == "rounds")
    if len(by_sample) == len(found):
        for unit in range(8):
            turns = np.bincount([s for s in by_sample if scores.sample_unit[s] == unit], minlength=sum(left))
            turns = turns[np.asarray(scores.sample_unit) == unit]
            assert turns.max() - turns.min() <= 1, "samples of a unit take turns"


def test_no_pick_is_worse_than_a_free_row_of_the_list(made):
    free = set(range(240))
    for row, sample, value, reason in islice(round_robin(made.scores, np.arange(8), np.ones(240, bool)), 150):
        listed = [r for r in made.scores.best_index[sample].tolist() if r in free]
        if reason == "rounds":
            assert row == listed[0] and value == pytest.approx(made.single[row, sample], rel=1e-5)
        free.discard(row)


def test_a_used_up_list_goes_on_with_near_until_the_pool_is_empty(make_scores):
    made = make_scores(rows=5000, units=3, per_unit=2, best=4)
    inside = np.random.default_rng(0).random(5000) < 0.95  # more than one piece of the sorted rest
    free = set(np.flatnonzero(inside).tolist())
    found = list(round_robin(made.scores, np.array([0, 1, 2]), inside))
    assert sorted(row for row, *_ in found) == sorted(free)
    near = made.scores.near
    for place, (row, target, value, reason) in enumerate(found[:400]):
        if reason == "near":
            unit = place % 3
            best = max(near[unit, list(free)])
            assert near[unit, row] == best == np.float32(value) and target == made.scores.winner[unit, row]
        free.discard(row)
    assert sum(reason == "near" for *_, reason in found) >= len(found) - 24


def test_top_influence_takes_the_highest_and_of_equals_the_earlier():
    influence = np.array([.1, .5, .5, .9, -1, .5], np.float32)
    assert [row for row, *_ in by_influence(influence, np.array([0, 2, 3, 4, 5]))] == [3, 2, 5, 0, 4]
