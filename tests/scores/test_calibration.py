"""The scale of a signal: its two points against plain loops, and what becomes of units that have no second point."""

import numpy as np
import pytest

from cadc.scores.calibration import SHRINK, Scale, own_near, scale_of


@pytest.fixture
def signal():
    """near [M, N], samples [S, S] of three units of 4, 3 and 2 samples."""
    rng = np.random.default_rng(5)
    of = np.array([0, 0, 1, 0, 2, 1, 0, 1, 2])
    return rng.normal(size=(3, 50)), rng.uniform(2, 4, size=(9, 9)), of


def test_a_units_own_nearness_leaves_each_sample_itself_out(signal):
    _, samples, of = signal
    found = own_near(samples, of, 2, 3)
    for unit in range(3):
        means = []
        for row in np.flatnonzero(of == unit):
            others = sorted((samples[row, other] for other in np.flatnonzero(of == unit) if other != row), reverse=True)
            means.append(np.mean(others[:2]))
        assert found[unit] == pytest.approx(np.median(means))


def test_points_are_half_the_units_own_and_half_the_median_units(signal):
    near, samples, of = signal
    found = scale_of(near, samples, of, 2)
    middle, own = np.median(near, 1), own_near(samples, of, 2, 3)
    assert SHRINK == 0.5
    assert np.allclose(found.middle, (middle + np.median(middle)) / 2)
    assert np.allclose(found.own, (own + np.median(own)) / 2)
    assert np.allclose(found.of(near), (near - found.middle[:, None]) / (found.own - found.middle)[:, None], atol=1e-5)


def test_a_unit_of_one_sample_takes_the_second_point_of_the_others(signal):
    near, samples, of = signal
    keep = np.flatnonzero((of != 2) | (np.arange(9) == 4))
    found = scale_of(near, samples[np.ix_(keep, keep)], of[keep], 2)
    own = own_near(samples[np.ix_(keep, keep)], of[keep], 2, 3)
    assert np.isnan(own[2]) and found.own[2] == pytest.approx(np.nanmedian(own))


def test_units_of_one_sample_each_end_at_the_pools_nearest_row(signal):
    near = signal[0]
    found = scale_of(near, np.zeros((3, 3)), np.arange(3), 5)
    assert np.allclose(found.own, near.max(1)) and np.allclose(found.of(near).max(1), 1, atol=1e-5)


def test_a_unit_that_is_less_like_itself_than_any_row_is_never_turned_round(signal):
    near, samples, of = signal
    found = scale_of(near, samples - 100, of, 2)
    assert (found.own > found.middle).all()
    order = np.argsort(near[0])
    assert (np.diff(found.of(near)[0][order]) >= 0).all()


def test_equal_columns_are_nothing_and_no_error():
    found = scale_of(np.ones((2, 7)), np.ones((4, 4)), np.array([0, 0, 1, 1]), 2)
    assert not Scale.same(2).of(np.zeros((2, 7))).any() and np.isfinite(found.of(np.ones((2, 7)))).all()
