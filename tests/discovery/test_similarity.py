"""Similarity against a loop over gradients, and unit means from block sums."""

import numpy as np
import pytest

from cadc.discovery.similarity import distances, similarity, unit_gram
from cadc.errors import DataError


def test_similarity_is_the_rate_weighted_mean_cosine(made):
    eta, mean = made.scores.eta.astype(np.float64), made.unit_means
    slow = np.zeros((8, 8))
    for a in range(8):
        for b in range(8):
            for t in range(3):
                slow[a, b] += eta[t] * mean[t, a] @ mean[t, b] / np.linalg.norm(mean[t, a]) / np.linalg.norm(mean[t, b])
    found = similarity(made.scores.gram, eta)
    np.testing.assert_allclose(found, slow / eta.sum(), atol=1e-6)
    assert (found == found.T).all() and (np.diag(found) == 1).all()


def test_similarity_does_not_depend_on_how_loud_a_unit_is(made):
    loud = np.array([1, 10, 1, 0.1, 1, 3, 1, 1])
    scaled = made.scores.gram * loud[:, None] * loud[None, :]
    np.testing.assert_allclose(
        similarity(scaled, made.scores.eta), similarity(made.scores.gram, made.scores.eta), atol=1e-6
    )


def test_a_vanishing_gradient_is_similar_to_nothing(made):
    gram = made.scores.gram.copy()
    gram[:, 2] = gram[:, :, 2] = 0
    found = similarity(gram, made.scores.eta)
    assert found[2, 2] == 1 and not np.delete(found[2], 2).any() and np.isfinite(found).all()


def test_distances_are_a_metric_table(made):
    far = distances(similarity(made.scores.gram, made.scores.eta))
    assert (far >= 0).all() and (far == far.T).all() and not np.diag(far).any()


def test_block_sums_equal_the_gram_of_weighted_means(made):
    weight = np.random.default_rng(3).integers(0, 3, 32) / 4
    single = made.samples / np.linalg.norm(made.samples, axis=2, keepdims=True)
    of = made.scores.sample_unit
    mean = np.stack([(weight[of == m, None] * single[:, of == m]).sum(1) for m in range(8)], 1)
    found = unit_gram(made.scores.sample_gram, of, weight, 8)
    np.testing.assert_allclose(found, np.einsum("tap,tbp->tab", mean, mean), atol=1e-6)


def test_shapes_and_rates_that_do_not_fit_are_refused(made):
    for gram, eta in ((made.scores.gram, [1, 1]), (made.scores.gram[0], [1]), (made.scores.gram, [0, 0, 0]),
                      (made.scores.gram, [1, 1, -1])):
        with pytest.raises(DataError):
            similarity(gram, np.array(eta))
