"""Pure functions of the pool pass."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.gradients import products


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 4), st.integers(0, 10_000))
def test_near_is_the_mean_of_the_largest_values_of_each_unit(sample_unit, q, seed):
    influence = torch.randn(5, len(sample_unit), generator=torch.Generator().manual_seed(seed))
    near, winner = products.near(influence, products.members(torch.tensor(sample_unit), 4), q)
    for unit in range(4):
        columns = [i for i, u in enumerate(sample_unit) if u == unit]
        if not columns:
            assert (near[:, unit] == 0).all() and (winner[:, unit] == -1).all()
            continue
        values = influence[:, columns].numpy()
        assert np.allclose(near[:, unit], np.sort(values, 1)[:, -q:].mean(1), atol=1e-6)
        assert (winner[:, unit].numpy() == np.array(columns)[values.argmax(1)]).all()


def test_a_sample_without_gradient_has_no_influence():
    found = products.cosine(torch.zeros(2, 3), torch.tensor([0.0, 2.0]))
    assert torch.equal(found, torch.zeros(2, 3))


def test_best_rows_of_equal_value_keep_their_order():
    value, row = products.best(torch.tensor([[1.0], [3.0], [1.0], [3.0]]), 3)
    assert row.tolist() == [[1, 3, 0]] and value.tolist() == [[3, 3, 1]]
