"""Other signals in the form of scores: against plain numpy, whatever the chunks."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cadc.signals import similarity as signals
from cadc.signals.similarity import cosines, with_similarity
from cadc.signals.words import word_features


@pytest.fixture
def features(made):
    rng = np.random.default_rng(3)
    return rng.normal(size=(len(made.scores.index), 7)), rng.normal(size=(len(made.scores.sample_unit), 7))


@pytest.mark.parametrize("chunk", [7, 100, 5000])
@pytest.mark.parametrize("sparse", [False, True])
def test_near_winner_and_best_rows_are_those_of_the_whole_matrix(made, features, chunk, sparse, monkeypatch):
    monkeypatch.setattr(signals, "CHUNK", chunk)
    pool, target = features
    found = with_similarity(made.scores, cosines(*(csr_array(a) if sparse else a for a in features)), q=2)
    whole, of = (pool @ target.T).astype(np.float32), made.scores.sample_unit
    for unit in range(len(made.scores.units)):
        own = np.flatnonzero(of == unit)
        assert np.allclose(found.near[unit], np.sort(whole[:, own], 1)[:, -2:].mean(1), atol=1e-5)
        assert np.array_equal(found.winner[unit], own[whole[:, own].argmax(1)])
    keep = made.scores.best_index.shape[1]
    assert found.best_index.shape == made.scores.best_index.shape
    for sample in range(len(of)):
        order = np.argsort(-whole[:, sample], kind="stable")[:keep]
        assert np.allclose(found.best_value[sample], whole[order, sample], atol=1e-5)
        assert np.allclose(whole[found.best_index[sample], sample], found.best_value[sample], atol=1e-5)
    assert found.dots is made.scores.dots and np.array_equal(found.loss, made.scores.loss)


def test_texts_without_a_word_are_no_error():
    pool, target = word_features(["", "?"], ["!"])
    assert pool.shape[0] == 2 and target.shape[0] == 1 and pool.nnz == 0
