import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cadc.evaluation.statistics import holm, paired


def test_one_seed_is_the_paired_t_test_over_units():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=12), rng.normal(size=12)
    found, wanted = paired(ours, theirs), stats.ttest_rel(ours, theirs)
    low, high = wanted.confidence_interval(0.95)
    assert found.p == pytest.approx(wanted.pvalue)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_unit_is_the_paired_t_test_over_seeds():
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(size=(5, 1)), rng.normal(size=(5, 1))
    assert paired(ours, theirs).p == pytest.approx(float(stats.ttest_rel(ours, theirs).pvalue[0]))


def test_an_arm_without_seeds_is_compared_with_every_seed():
    ours = np.array([[0.5, 0.6, 0.7], [0.6, 0.8, 0.6]])
    assert paired(ours, np.array([[0.1, 0.2, 0.3]])).mean == pytest.approx(ours.mean() - 0.2)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(2, 8), st.integers(0, 10_000))
def test_two_sources_of_chance_are_never_surer_than_one(seeds, units, seed):
    rng = np.random.default_rng(seed)
    gaps = rng.normal(size=(1, units)) + rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, units))
    found = paired(gaps, np.zeros_like(gaps))
    assert found.error >= stats.sem(gaps.mean(axis=0)) - 1e-12
    assert found.error >= stats.sem(gaps.mean(axis=1)) - 1e-12
    assert paired(-gaps, np.zeros_like(gaps)).p == pytest.approx(found.p)


def test_no_difference_is_called_one_in_twenty_times_only():
    rng = np.random.default_rng(3)
    draws = [rng.normal(size=(1, 16)) + rng.normal(size=(3, 1)) * 0.3 + rng.normal(size=(3, 16)) for _ in range(600)]
    called = np.mean([paired(gaps, np.zeros_like(gaps)).p < 0.05 for gaps in draws])
    assert called < 0.075


def test_a_single_cell_gives_no_certainty():
    found = paired(np.array([[0.9]]), np.array([[0.1]]))
    assert found.p == 1.0 and np.isnan(found.low)


def test_holm_keeps_order_and_multiplies():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
