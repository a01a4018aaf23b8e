"""Cluster-proportional selection takes what it is allowed to and follows its shares."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.evaluation.arms.coincide import coincide


def unit_rows(rng: np.random.Generator, count: int, width: int = 8) -> np.ndarray:
    rows = rng.normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(3, 300), share=st.floats(0.3, 1), budget=st.integers(1, 320))
def test_it_takes_as_many_different_allowed_rows_as_asked(seed, count, share, budget):
    rng = np.random.default_rng(seed)
    rows, allowed = unit_rows(rng, count), rng.random(count) < share
    found = coincide(rows, allowed, budget, seed)
    assert len(found) == len(set(found.tolist())) == min(budget, int(allowed.sum()))
    assert allowed[found].all()
    assert np.array_equal(found, coincide(rows, allowed, budget, seed))


def test_a_wide_cluster_gives_more_rows_than_a_dense_one_of_the_same_size():
    rng = np.random.default_rng(0)
    wide, dense = unit_rows(rng, 100), unit_rows(rng, 1) + 0.01 * rng.normal(size=(100, 8))
    wide[:, 0] = np.abs(wide[:, 0]) + 1
    dense[:, 0] = -np.abs(dense[:, 0]) - 1
    rows = np.concatenate([wide, dense])
    found = coincide(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.ones(200, bool), 40, 0)
    assert (found < 100).sum() > (found >= 100).sum()
