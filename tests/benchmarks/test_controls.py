import numpy as np
import pytest
from scipy.sparse import csr_array

from benchmarks.lab.controls import best_unit, near_columns
from cadc.signals.embedding import centred
from cadc.signals.words import word_features


@pytest.mark.parametrize("sparse", [False, True])
def test_near_is_the_mean_of_the_best_cosines_of_a_unit(sparse):
    rng = np.random.default_rng(0)
    pool, target, unit = rng.normal(size=(1500, 6)), rng.normal(size=(9, 6)), np.repeat([0, 1, 2], 3)
    found = near_columns(*(csr_array(a) if sparse else a for a in (pool, target)), unit, 3, 2)
    wanted = np.stack([np.sort(pool @ target[unit == m].T, axis=1)[:, -2:].mean(1) for m in range(3)])
    assert np.allclose(found, wanted, atol=1e-5)


def test_a_unit_with_few_samples_uses_all_of_them():
    assert near_columns(np.ones((1, 2)), np.array([[1.0, 0.0]]), np.zeros(1, int), 1, 5).tolist() == [[1.0]]


def test_z_scores_keep_a_loud_unit_from_owning_every_row():
    near = np.array([[10.0, 11.0, 12.0, 10.0], [0.0, 0.0, 0.0, 0.3]])
    assert best_unit(near).argmax() == 3
    assert best_unit(near, standardise=False).argmax() == 2


def test_words_that_are_shared_make_rows_near():
    pool, target = word_features(["How many dots? 3", "Spell the word dog."], ["How many dots are there? 4"])
    cosine = (pool @ target.T).toarray().ravel()
    assert cosine[0] > 0.3 and cosine[1] == 0


def test_embeddings_are_compared_without_what_all_share():
    rng = np.random.default_rng(0)
    shift = 100 * np.ones(5)
    pool, target = rng.normal(size=(50, 5)), rng.normal(size=(8, 5))
    for plain, moved in zip(centred(pool, target), centred(pool + shift, target + shift), strict=True):
        assert np.allclose(plain, moved) and np.allclose(np.linalg.norm(plain, axis=1), 1)
