import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from cadc.discovery.transfer import (
    aligned,
    auc,
    relative,
    silent,
    similarity_of,
    spearman_with,
    standardised,
    symmetric,
    within_between,
)


def blocks(units: int, groups: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(units) % groups
    return (labels[:, None] == labels) + rng.normal(0, noise, (units, units)), labels


def test_spearman_equals_scipy_over_unordered_pairs():
    rng = np.random.default_rng(0)
    transfer, similarity = rng.normal(size=(9, 9)), rng.normal(size=(9, 9))
    similarity += similarity.T
    first, second = np.triu_indices(9, 1)
    wanted = spearmanr(similarity[first, second], symmetric(transfer)[first, second]).statistic
    found, p, pairs = spearman_with(similarity, transfer, rounds=50)
    assert found == pytest.approx(wanted)
    assert pairs == 36 and 0 < p <= 1


def test_one_missing_direction_uses_the_other():
    transfer = np.array([[1.0, np.nan], [0.4, 1.0]])
    assert symmetric(transfer)[0, 1] == symmetric(transfer)[1, 0] == 0.4


def test_planted_groups_are_told_from_shuffled_ones():
    transfer, labels = blocks(16, 4, 0.3)
    within, between, p, area = within_between(transfer, labels, rounds=500)
    assert area > 0.9 and p < 0.01 and within > between
    assert spearman_with(transfer, transfer, rounds=10)[0] == pytest.approx(1)
    rng = np.random.default_rng(1)
    shuffled = [within_between(transfer, rng.permutation(labels), rounds=200)[2] for _ in range(20)]
    assert np.mean(np.array(shuffled) < 0.05) < 0.3


def test_unassigned_units_are_in_no_pair():
    transfer, labels = blocks(8, 2, 0.0)
    labels[0] = -1
    transfer[0, :] = transfer[:, 0] = 99.0
    assert within_between(transfer, labels, rounds=10)[:2] == (1.0, 0.0)


def test_one_group_alone_gives_no_comparison():
    transfer, _ = blocks(6, 2, 0.1)
    within, between, p, area = within_between(transfer, np.zeros(6, int), rounds=10)
    assert np.isfinite(within) and np.isnan([between, p, area]).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(5, 60), st.integers(0, 10_000))
def test_auc_equals_scikit_learn_with_ties(n, seed):
    rng = np.random.default_rng(seed)
    values, positive = rng.integers(0, 6, n).astype(float), np.arange(n) < n // 2
    assert auc(values, positive) == pytest.approx(roc_auc_score(positive, values))


def test_auc_of_a_missing_class_is_not_a_number():
    assert np.isnan(auc(np.arange(3.0), np.zeros(3, bool)))


def test_the_similarity_is_blind_to_how_much_a_unit_learns_and_to_its_own_drop():
    rng = np.random.default_rng(0)
    drop = rng.normal(size=(9, 9))
    similar = similarity_of(drop)
    scaled = drop * rng.uniform(0.1, 10, 9) + rng.normal(size=9)
    np.fill_diagonal(scaled, -5)
    assert np.allclose(similar, similarity_of(scaled))
    assert np.array_equal(similar, similar.T) and (np.abs(similar) <= 1).all() and (np.diag(similar) == 1).all()


def test_rows_and_columns_are_standardised_over_the_other_units():
    rng = np.random.default_rng(1)
    helps = rng.normal(size=(12, 1))  # a unit that teaches everybody a little is no reason to put it with anybody
    found = standardised(rng.normal(size=(12, 12)) + 3 * helps)
    assert np.isnan(np.diag(found)).all()
    for axis in (0, 1):
        assert np.allclose(np.nanmean(found, axis), 0, atol=0.02) and np.allclose(np.nanstd(found, axis), 1, atol=0.02)
    similar = similarity_of(found)
    assert similar[2, 5] == pytest.approx(np.clip([found[2, 5] / 3, found[5, 2] / 3], -1, 1).mean(), abs=0.01)
    assert similarity_of(np.ones((4, 4))).tolist() == np.eye(4).tolist(), "nobody helps more than others"


def test_planted_groups_come_back_from_drops_of_any_scale():
    from sklearn.metrics import adjusted_rand_score

    from cadc.discovery.partition import apart, automatic

    drop, labels = blocks(15, 3, 0.3)
    drop = drop * np.random.default_rng(3).uniform(0.05, 5, 15)  # columns learn more or less
    drop[4, 4] = -2  # one of them overfits
    assert adjusted_rand_score(labels, apart(automatic(similarity_of(drop)).labels)) > 0.9


def test_a_unit_without_a_sample_is_similar_to_nothing():
    drop = np.random.default_rng(0).normal(size=(6, 6))
    drop[1], drop[:, 1] = np.nan, np.nan
    similar = similarity_of(drop)
    assert similar[1].tolist() == similar[:, 1].tolist() == [0, 1, 0, 0, 0, 0]
    others = np.delete(np.delete(np.arange(36).reshape(6, 6), 1, 0), 1, 1)
    alone = np.delete(np.delete(drop, 1, 0), 1, 1)
    assert np.allclose(similar.ravel()[others], similarity_of(alone)) and similar[0, 2] != 0, "and the rest as without"


def test_units_are_marked_and_put_in_the_order_of_others():
    tr = relative(np.array([[1.0, 0.2], [0.5, 0.001]]))
    assert silent(tr).tolist() == [False, True]
    found = aligned(tr, ("a", "b"), ("b", "new", "a"))
    assert found[2].tolist() == pytest.approx([np.nan, np.nan, 1.0], nan_ok=True)
    assert silent(found).tolist() == [True, True, False] and found[0, 2] == 0.5
