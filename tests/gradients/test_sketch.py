"""The count sketch: linear, unbiased, within its bound, the same for the same seed."""

from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.gradients.sketch import Sketch, balances, principal

SIZES = (90, 40, 170)


def layout():
    ends = np.cumsum(SIZES).tolist()
    return [SimpleNamespace(offset=e - s, end=e, size=s) for e, s in zip(ends, SIZES, strict=True)]


def vectors(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, sum(SIZES), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sketch(dim: int = 64, seed: int = 0, steps: int = 1, scales=None) -> Sketch:
    return Sketch(layout(), dim, (seed, 1), steps, scales=scales, kind=torch.float64)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(0, 1000), st.floats(-3, 3))
def test_sketch_is_linear_and_goes_linear_by_linear(dim, seed, factor):
    made, x = sketch(dim, seed), vectors(2, seed)
    whole = made.whole(0, x)
    assert whole.shape == (2, dim)
    assert torch.allclose(made.whole(0, x[:1] + factor * x[1:]), whole[:1] + factor * whole[1:])
    parts = sum(made.part(0, number, x[:, m.offset:m.end]) for number, m in enumerate(layout()))
    assert torch.allclose(parts, whole)


def test_every_coordinate_lands_on_one_number_and_numbers_share_evenly():
    made = sketch(64).whole(0, torch.eye(sum(SIZES), dtype=torch.float64))
    assert ((made != 0).sum(1) == 1).all() and (made.abs().sum(1) == 1).all()
    load = (made != 0).sum(0)
    assert load.max() - load.min() <= 1


def test_products_are_unbiased_and_within_the_bound():
    x, y = vectors(2, 3)
    dim, rounds = 64, 400
    found = torch.stack([a[0] @ a[1] for a in (sketch(dim, seed).whole(0, torch.stack([x, y]))
                                                for seed in range(rounds))])
    bound = (x.norm() * y.norm()).item() * np.sqrt(2 / dim)  # standard deviation at most
    assert found.std().item() <= 1.1 * bound
    assert abs(found.mean().item() - (x @ y).item()) <= 4 * bound / np.sqrt(rounds)


def test_anchors_make_their_directions_exact_and_leave_products_unbiased():
    x, y = vectors(2, 4)
    common = principal(vectors(3, 5), 3)
    assert torch.allclose(common @ common.t(), torch.eye(3, dtype=torch.float64), atol=1e-9)
    inside = torch.tensor([1.0, -2, 3], dtype=torch.float64) @ common
    made = sketch(64).anchor([common])
    assert torch.allclose(made.whole(0, torch.stack([inside, x])).prod(0).sum(), inside @ x)
    plain, anchored, shared = [], [], torch.stack([x + 20 * common[0], y + 30 * common[0]])
    for seed in range(300):
        plain.append(sketch(64, seed).whole(0, shared).prod(0).sum())
        anchored.append(sketch(64, seed).anchor([common]).whole(0, shared).prod(0).sum())
    error = torch.stack(anchored) - shared[0] @ shared[1]
    assert error.std() < torch.stack(plain).std() / 2
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(300)


def test_principal_leaves_directions_without_length_out():
    rows = torch.zeros(4, 9)
    rows[1, 2] = rows[2, 5] = 1
    assert principal(rows, 3).shape == (2, 9)


def test_seed_decides_and_checkpoints_differ_in_signs_alone():
    eye = torch.eye(sum(SIZES), dtype=torch.float64)
    one, again, other = sketch(64, 7, steps=2), sketch(64, 7, steps=2), sketch(64, 8, steps=2)
    assert torch.equal(one.whole(0, eye), again.whole(0, eye))
    assert not torch.equal(one.whole(0, eye), other.whole(0, eye))
    first, second = one.whole(0, eye), one.whole(1, eye)
    assert torch.equal(first.abs(), second.abs()) and not torch.equal(first, second)


def test_a_row_does_not_see_its_batch():
    x = vectors(9)
    made = sketch(50).anchor([principal(vectors(4, 2), 4)])
    alone = torch.cat([made.whole(0, row[None]) for row in x])
    assert torch.allclose(made.whole(0, x), alone, rtol=1e-12, atol=1e-12)


def test_balancing_cancels_in_products_and_lowers_their_error():
    v = torch.rand(sum(SIZES), generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 8
    scale = balances("adam", [v], [1], 0.0, 1e-8)
    x, y = vectors(2, 6) * v.sqrt()  # gradients whose second moments are v
    gamma = x / (v.sqrt() + 1e-8)
    assert torch.allclose((gamma * scale[0]) @ (y / scale[0]), gamma @ y)

    def errors(scales):
        left = None if scales is None else [1 / s for s in scales]
        return torch.stack([sketch(64, seed, scales=scales).whole(0, gamma[None])[0]
                            @ sketch(64, seed, scales=left).whole(0, y[None])[0] - gamma @ y for seed in range(200)])

    assert errors(scale).std() < 0.8 * errors(None).std()
    assert balances("sgd", [v], [1], 0.999, 1e-8) is None
