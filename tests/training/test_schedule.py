import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.training.schedule import plan, rate


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 30), st.integers(1, 9), st.booleans(),
       st.integers(0, 99))
def test_every_arm_draws_the_same_number_of_samples(sizes, steps, batch, staged, seed):
    stages = np.repeat(np.arange(len(sizes)), sizes)
    drawn = plan(len(stages), stages if staged else None, steps=steps, batch=batch, seed=seed)
    assert drawn.shape == (steps, batch)
    assert drawn.min() >= 0 and drawn.max() < len(stages)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 30), st.integers(1, 9))
def test_stage_order_survives_several_passes(sizes, steps, batch):
    stages = np.repeat(np.arange(len(sizes))[::-1], sizes)
    seen = stages[plan(len(stages), stages, steps=steps, batch=batch, seed=0).ravel()]
    assert (np.diff(seen) <= 0).all()


def test_several_passes_repeat_a_stage_before_the_next_begins():
    stages = np.array([0, 0, 0, 1, 1])
    drawn = plan(5, stages, steps=5, batch=2, seed=0).ravel()
    assert drawn.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 3, 4]


def test_whole_passes_in_order_begin_again_at_the_first_row():
    assert plan(3, None, steps=2, batch=4, seed=9, shuffled=False).ravel().tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_less_than_one_pass_keeps_order_and_spread():
    drawn = plan(10, np.zeros(10, int), steps=1, batch=5, seed=0).ravel()
    assert drawn.tolist() == [0, 2, 4, 6, 8]


def test_mixed_passes_use_every_row_before_repeating_one():
    drawn = plan(7, None, steps=3, batch=7, seed=5)
    assert all(sorted(row) == list(range(7)) for row in drawn.tolist())
    assert drawn.tolist() != plan(7, None, steps=3, batch=7, seed=6).tolist()


def test_rate_rises_then_stays():
    assert [rate(step, 1.0, 4) for step in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
