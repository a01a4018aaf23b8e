"""The intervention test on a real, tiny, from-config model."""

import numpy as np
import pytest

from cadc.discovery.intervention import TransferSettings, measure_transfer, relative
from cadc.errors import DataError, JobError

QUICK = TransferSettings(steps=8, batch=8, learning_rate=5e-3)


def test_training_on_a_unit_lowers_its_own_held_out_loss(finished_study):
    found = measure_transfer(finished_study, QUICK)
    assert found.units == ("name", "is_red", "option")
    assert (np.diag(found.drop) > 0).all()
    assert np.allclose(np.diag(found.matrix), 1)
    assert (found.before > 0).all()


def test_the_matrix_is_the_same_for_the_same_seed_and_another_for_another(finished_study):
    other = TransferSettings(steps=8, batch=8, learning_rate=5e-3, seed=1)
    first, again, another = (measure_transfer(finished_study, settings).matrix for settings in (QUICK, QUICK, other))
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, another, equal_nan=True)


def test_the_start_is_the_checkpoint(finished_study):
    base, warm = (measure_transfer(finished_study, TransferSettings(steps=1, checkpoint=t)).before for t in (0, 2))
    assert (warm < base).all()


def test_repeats_average(finished_study):
    found = measure_transfer(finished_study, TransferSettings(steps=2, repeats=2))
    assert np.isfinite(found.drop).all() and found.before.shape == (3,)


def test_a_unit_that_learns_nothing_gives_no_scale():
    drop = np.array([[1.0, 0.001], [0.5, 0.001]])
    found = relative(drop)
    assert found[:, 0].tolist() == [1.0, 0.5] and np.isnan(found[:, 1]).all()


def test_a_missing_checkpoint_and_a_bad_setting_are_one_clear_line(finished_study):
    with pytest.raises(JobError, match="no checkpoint 9"):
        measure_transfer(finished_study, TransferSettings(checkpoint=9))
    with pytest.raises(DataError, match="steps=0"):
        TransferSettings(steps=0)
