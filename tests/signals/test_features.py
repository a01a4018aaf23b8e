import numpy as np

from cadc.signals.embedding import centred
from cadc.signals.words import word_features


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
