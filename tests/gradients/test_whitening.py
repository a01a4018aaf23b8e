"""The metric of the target's own samples: against dense matrices in float64, and in the pool pass against autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference, slow_feature
from tiny_study import make_study, scored, work

from cadc.data import read_samples
from cadc.gradients.whitening import Whitening
from cadc.scores.scores import Scores
from cadc.signals.gradients import samples
from cadc.signals.similarity import whitened


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def metric(reference: np.ndarray, size: int, ridge: float) -> np.ndarray:
    """(C + μI)⁻¹, C over `size` rows of which these are given."""
    return np.linalg.inv(reference.T @ reference / size + ridge / size * np.eye(reference.shape[1]))


def cosines(a: np.ndarray, b: np.ndarray, inner: np.ndarray) -> np.ndarray:
    norm = [np.sqrt(np.einsum("ip,pq,iq->i", x, inner, x)) for x in (a, b)]
    return a @ inner @ b.T / (norm[0][:, None] * norm[1])


def drawn(seed: int, size: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Target samples and pool rows that share a direction, as gradients do."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=width)
    return tuple(unit(common + rng.normal(size=(n, width))) for n in (size, 7))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(3, 30), st.sampled_from([0.01, 0.1, 1.0]))
def test_kernel_is_the_cosine_in_the_dense_metric(seed, size, width, ridge):
    target, pool = drawn(seed, size, width)
    found = Whitening(torch.from_numpy(target @ target.T), ridge)
    inner = metric(target, size, ridge)
    assert np.allclose(found.kernel(torch.from_numpy(pool @ target.T)), cosines(pool, target, inner), atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 10), st.integers(3, 30), st.sampled_from([0.01, 0.1, 1.0]))
def test_a_sample_left_out_is_compared_in_the_metric_of_the_others(seed, size, width, ridge):
    target, _ = drawn(seed, size, width)
    found = Whitening(torch.from_numpy(target @ target.T), ridge).left_out().numpy()
    for row in range(size):
        others = np.delete(target, row, 0)
        truth = cosines(target[[row]], target, metric(others, size, ridge))[0]
        assert np.allclose(found[row], truth, atol=1e-6)


def test_a_row_without_a_gradient_is_like_nothing():
    target, _ = drawn(0, 5, 9)
    assert not Whitening(torch.from_numpy(target @ target.T), 0.1).kernel(torch.zeros(2, 5)).any()


def test_features_of_another_signal_are_whitened_by_the_same_rule():
    target, pool = drawn(1, 6, 20)
    found, inner = whitened(pool, target, 0.1), metric(target, 6, 0.1)
    truth = cosines(pool, target, inner)
    assert np.allclose(found.block(0, 7), truth, atol=1e-5)
    assert np.allclose(found.among(np.array([1, 4]), 2), truth[[1, 4], 2], atol=1e-5)
    assert np.allclose(found.samples[3], cosines(target[[3]], target, metric(np.delete(target, 3, 0), 6, 0.1))[0],
                       atol=1e-5)


@pytest.mark.parametrize("features", ["adam", "sgd"])
def test_whitened_scores_equal_one_sample_autograd(data, tmp_path, features):
    """h = g ⊙ √w, from one-sample float64 gradients, in dense metrics; nothing of the engine takes part."""
    study = make_study(data, tmp_path, features=features, lora_layers="last:1", ridge=0.2)
    scored(study)
    scores, truth = Scores.load(study, near="whitened"), Reference(study)
    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    singles = [target[i] for i in scores.sample_index]
    weights = scores.eta.astype(np.float64) / scores.eta.astype(np.float64).sum()
    kernel, left_out = 0, 0
    for t in range(2):
        both = []
        for rows in (singles, pool):
            gradients = np.stack([truth.gradient(s, t)[1] for s in rows])
            gamma = np.stack([slow_feature(truth, features, t, g) for g in gradients])
            both.append(unit(np.sign(gradients) * np.sqrt(np.abs(gradients * gamma))))
        reference, rows = both
        kernel = kernel + weights[t] * cosines(rows, reference, metric(reference, len(reference), 0.2))
        left_out = left_out + weights[t] * np.stack([
            cosines(reference[[j]], reference, metric(np.delete(reference, j, 0), len(reference), 0.2))[0]
            for j in range(len(reference))])
    for m in range(len(scores.units)):
        columns = np.flatnonzero(scores.sample_unit == m)
        assert np.allclose(scores.near[m], np.sort(kernel[:, columns], 1)[:, -2:].mean(1), atol=2e-4)
    order = np.argsort(-kernel, 0)[:5].T
    assert np.allclose(scores.best_value, np.take_along_axis(kernel.T, order, 1), atol=2e-4)
    assert np.allclose(samples(study, "whitened", scores.eta), left_out, atol=1e-3)


def test_sketched_products_are_whitened_in_the_space_of_the_sketch(data, tmp_path):
    exact, sketched = (make_study(data, tmp_path / mode, lora_layers="last:1", mode=mode, sketch_dim=512)
                       for mode in ("exact", "sketch"))
    near = [np.asarray(Scores.load(work(study, "scores"), near="whitened").near).ravel() for study in (exact, sketched)]
    assert np.corrcoef(*near)[0, 1] > 0.9 and np.abs(near[1]).max() <= 1 + 1e-5


def test_what_cannot_be_whitened_is_compared_plainly(data, tmp_path):
    study = make_study(data, tmp_path, features="less", lora_layers="last:1")
    assert not study.config.whitens
    with pytest.raises(Exception, match=r"near.whitened|whitened"):
        Scores.load(work(study, "scores"), near="whitened")
