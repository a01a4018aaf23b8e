"""Functions over arrays that several rooms share, against their definitions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from cadc.arrays import highest, largest_remainder, spearman, standardise, top_mean


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.integers(0, 200))
def test_parts_sum_to_the_total_and_are_at_most_one_from_their_share(sizes, total):
    ideal = np.array(sizes) / sum(sizes) * total
    parts = largest_remainder(ideal, total)
    assert parts.sum() == total and (np.abs(parts - ideal) < 1 + 1e-6).all()
    rounded_up = parts > ideal + 1e-9
    if rounded_up.any() and not rounded_up.all():
        rest = ideal - np.floor(ideal + 1e-9)
        assert rest[rounded_up].min() >= rest[~rounded_up].max() - 1e-6


def test_equal_remainders_go_to_the_earlier_part_whatever_rounding_does():
    assert largest_remainder(np.array([10 / 3] * 3), 10).tolist() == [4, 3, 3]
    assert largest_remainder(np.array([0.1 + 0.2, 0.3, 0.4]) * 5, 5).tolist() == [2, 1, 2]


def test_standardised_columns_have_mean_0_and_spread_1_and_constant_ones_are_0():
    values = np.random.default_rng(0).normal(3, 7, (5, 40)).astype(np.float32)
    values[2] = 4.5
    found = standardise(values, 1)
    assert found.dtype == np.float64 and np.allclose(found.mean(1), 0, atol=1e-12) and not found[2].any()
    assert np.allclose(np.delete(found.std(1), 2), 1)
    assert np.array_equal(standardise(values.T, 0), found.T)


def test_rank_correlation_is_that_of_scipy_with_ties_and_the_given_one_where_constant():
    draw = np.random.default_rng(1)
    one, other = draw.integers(0, 6, (30, 4)), draw.normal(size=(30, 4))
    assert np.allclose(spearman(one, other), [spearmanr(one[:, c], other[:, c])[0] for c in range(4)])
    one[:, 1] = 2
    assert spearman(one, other)[1] == 0 and spearman(one, other, constant=1.0)[1] == 1


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 99))
def test_top_mean_is_the_mean_of_the_largest(q, width, seed):
    values = np.random.default_rng(seed).normal(size=(3, width)).astype(np.float32)
    found = top_mean(values, q)
    assert found.dtype == np.float32 and np.allclose(found, np.sort(values, 1)[:, -q:].mean(1), atol=1e-6)


@given(st.integers(0, 4), st.integers(0, 30), st.integers(0, 35), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_highest_are_those_of_a_stable_sort_with_ties_and_values_that_are_no_numbers(rows, columns, keep, kinds, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, kinds, (rows, columns)).astype(np.float32)
    values[rng.random(values.shape) < 0.02 * (seed % 3)] = np.nan
    truth = np.argsort(-values, axis=1, kind="stable")[:, :keep]
    assert np.array_equal(highest(values, keep), truth)
