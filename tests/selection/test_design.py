"""Selection by design against a Gaussian process whose posterior is worked out anew at every step, in float64."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.selection.design import by_design, span


def kernels(seed, rows=40, samples=7, width=5):
    """k over rows and target samples in a space of few dimensions, so that the span holds all of it: cosines."""
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(rows + samples, width))
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    k = both @ both.T
    return k[:rows, :rows], k[:rows, rows:], k[rows:, rows:], rng.dirichlet(np.ones(samples))


def left_over(pool, with_target, target, taken, noise):
    """Posterior variances at the target samples after the rows taken were seen: [S]."""
    if not taken:
        return target.diagonal().copy()
    inner = pool[np.ix_(taken, taken)] + noise * np.eye(len(taken))
    seen = with_target[taken]
    return target.diagonal() - np.einsum("ts,ts->s", seen, np.linalg.solve(inner, seen))


def slow_design(pool, with_target, target, weight, inside, noise, count):
    taken, gains = [], []
    for _ in range(count):
        before = weight @ left_over(pool, with_target, target, taken, noise)
        gain = {z: before - weight @ left_over(pool, with_target, target, [*taken, z], noise)
                for z in np.flatnonzero(inside) if z not in taken}
        best = max(gain, key=lambda z: (gain[z], -z))
        taken.append(int(best))
        gains.append(gain[best])
    return taken, gains


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100), noise=st.sampled_from([0.1, 0.3, 1.0]), share=st.floats(0.4, 1))
def test_the_greedy_choice_is_that_of_the_posterior(seed, noise, share):
    pool, with_target, target, weight = kernels(seed)
    inside = np.random.default_rng(seed).random(40) < share
    count = min(12, int(inside.sum()))
    wanted, gains = slow_design(pool, with_target, target, weight, inside, noise, count)
    found = list(islice(by_design(span(with_target, target), weight, inside, noise=noise, again=1), count))
    assert [row for row, _ in found] == wanted
    assert [gain for _, gain in found] == pytest.approx(gains, rel=1e-6, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100), noise=st.sampled_from([0.1, 0.3, 1.0]))
def test_lazy_gains_leave_hardly_more_uncertainty(seed, noise):
    pool, with_target, target, weight = kernels(seed, rows=120, samples=12, width=8)
    rows, inside = span(with_target, target), np.ones(120, bool)
    exact, lazy = ([row for row, _ in islice(by_design(rows, weight, inside, noise=noise, again=again), 30)]
                   for again in (1, 10**6))
    first = weight @ target.diagonal()
    lowered = [first - weight @ left_over(pool, with_target, target, taken, noise) for taken in (exact, lazy)]
    assert lowered[1] >= 0.99 * lowered[0]


def test_every_row_inside_comes_once_and_gains_are_what_is_left(made):
    k = made.single.astype(np.float32)
    inside = np.arange(240) % 3 > 0
    among = np.corrcoef(made.samples[0])
    found = list(by_design(span(k, among), np.full(32, 1 / 32), inside, again=16))
    assert sorted(row for row, _ in found) == np.flatnonzero(inside).tolist()
    assert all(gain >= 0 for _, gain in found) and sum(gain for _, gain in found) <= among.trace() / 32


def test_a_copy_is_worth_less_than_the_first_and_a_served_sample_stops_pulling():
    target = np.eye(2)
    with_target = np.array([[.9, 0.], [.9, 0.], [0., .7]])
    found = [row for row, _ in by_design(span(with_target, target), np.array([.5, .5]), np.ones(3, bool), noise=0.1)]
    assert found == [0, 2, 1]


def test_what_is_no_covariance_is_left_aside():
    target = np.array([[1., .9, 0.], [.7, 1., 0.], [0., 0., -1.]])  # lopsided, and of negative variance in one place
    rows = span(np.full((4, 3), .5), target)
    assert rows.features.shape == (4, 2) and np.isfinite(rows.features).all() and (rows.own >= 0).all()
    np.testing.assert_allclose(rows.root @ rows.root.T, [[1., .8, 0.], [.8, 1., 0.], [0., 0., 0.]], atol=1e-12)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_pool_of_no_or_one_row(rows):
    found = list(by_design(span(np.full((rows, 2), .5), np.eye(2)), np.array([.5, .5]), np.ones(rows, bool)))
    assert [row for row, _ in found] == list(range(rows))
