"""The linear datamodelling score: 0 for noise, high for a planted truth, worse for a poisoned truth."""

import numpy as np
import pytest

from benchmarks.lab.lds import half_pools, lds
from cadc.errors import DataError


@pytest.fixture(scope="module")
def planted():
    """Loss falls by the sum of a true influence over the half, plus noise: (truth [n, M], halves, loss)."""
    rng = np.random.default_rng(0)
    truth, halves = rng.normal(size=(200, 6)), half_pools(200, 40, seed=3)
    return truth, halves, 2.0 - halves @ truth / 100 + 0.01 * rng.normal(size=(40, 6))


def test_halves_are_halves_and_differ():
    halves = half_pools(30, 24)
    assert (halves.sum(1) == 15).all() and (halves.sum(0) > 2).all() and (halves.sum(0) < 22).all()
    assert len({row.tobytes() for row in halves}) == 24
    assert not np.array_equal(halves, half_pools(30, 24, seed=1))


def test_a_planted_truth_scores_high_and_its_opposite_low(planted):
    truth, halves, loss = planted
    found = lds(truth, halves, loss)
    assert found.mean > 0.9 and found.error < 0.1 and found.retrainings == 40
    assert lds(-truth, halves, loss).mean == pytest.approx(-found.mean)


def test_the_scale_of_an_influence_does_not_matter(planted):
    truth, halves, loss = planted
    assert lds(100 * truth, halves, loss).mean == pytest.approx(lds(truth, halves, loss).mean)


def test_noise_scores_about_nothing(planted):
    _, halves, loss = planted
    found = [lds(np.random.default_rng(100 + seed).normal(size=(200, 6)), halves, loss).mean for seed in range(20)]
    assert abs(np.mean(found)) < 0.06 and max(map(abs, found)) < 0.4


def test_a_noisier_influence_scores_lower(planted):
    truth, halves, loss = planted
    noisy = truth + 2 * np.random.default_rng(5).normal(size=truth.shape)
    assert 0.1 < lds(noisy, halves, loss).mean < 0.8 * lds(truth, halves, loss).mean


def test_a_constant_influence_has_no_score_and_is_not_taken_for_zero(planted):
    truth, halves, loss = planted
    assert np.isnan(lds(np.ones_like(truth), halves, loss).mean)


def test_shapes_that_do_not_fit_are_refused(planted):
    truth, halves, loss = planted
    with pytest.raises(DataError, match="do not fit"):
        lds(truth[:-1], halves, loss)
