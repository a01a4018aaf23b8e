"""Influence against loops in float64, and what must not depend on how a grouping was reached."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influences import capability_influence
from sklearn.metrics.pairwise import cosine_similarity

from cadc.curation import PRESETS
from cadc.errors import DataError
from cadc.scores.influence import (
    InfluenceColumns,
    assign,
    flows,
    own_influence,
    self_by_capability,
    self_influence,
    served,
)

OF_UNIT = (0, 1, 1, -1, 0, 2, 1, 2)


def slow_paper(made, means, of_unit, scale):
    """METHOD §4, one sample and one capability at a time."""
    eta, k = made.scores.eta.astype(np.float64), max(of_unit) + 1
    out = np.zeros((made.features.shape[1], k))
    for c in range(k):
        for t in range(len(eta)):
            units = [means[t, m] for m in range(len(of_unit)) if of_unit[m] == c]
            if scale == "unit":
                units = [u / np.linalg.norm(u) for u in units]
            mean = np.mean(units, 0)
            out[:, c] += eta[t] * cosine_similarity(made.features[t], mean[None])[:, 0]
    return out


@pytest.mark.parametrize("scale", ["unit", "raw"])
def test_paper_influence_is_the_cosine_with_the_capability_mean(made, scale):
    fast = capability_influence(made.scores, OF_UNIT, preset="paper", scale=scale)
    slow = slow_paper(made, made.unit_means, OF_UNIT, scale)
    assert fast.shape == (240, 3) and fast.dtype == np.float32
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6 * np.abs(slow).max())


def test_grounded_signal_uses_the_grounded_means(made):
    means = made.unit_means - made.unit_means.mean(1, keepdims=True)
    fast = capability_influence(made.scores, OF_UNIT, preset="paper", signal="grounded")
    slow = slow_paper(made, means, OF_UNIT, "unit")
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6 * np.abs(slow).max())
    assert not np.allclose(fast, capability_influence(made.scores, OF_UNIT, preset="paper"))


def scaled(made):
    """The scores with two points for every unit, and their near(z, s) between these: float64 [M, N]."""
    rng = np.random.default_rng(4)
    middle, own = rng.normal(size=8), rng.normal(size=8) + 5
    near = (made.scores.near.astype(np.float64) - middle[:, None]) / (own - middle)[:, None]
    return dataclasses.replace(made.scores, middle=middle, own=own), near


@pytest.mark.parametrize("preset", ["quick", "studio"])
def test_influence_is_the_largest_calibrated_nearness_of_the_members(made, preset):
    scores, near = scaled(made)
    slow = np.stack([near[[m for m in range(8) if OF_UNIT[m] == c]].max(0) for c in range(3)], 1)
    np.testing.assert_allclose(capability_influence(scores, OF_UNIT, preset=preset), slow, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(InfluenceColumns(scores).nearest(), near.argmax(0))


def test_a_loud_unit_owns_its_capability_only_without_unit_scale(made):
    gram, dots = made.scores.gram.copy(), made.scores.dots.copy()
    gram[:, 0] *= 1000
    gram[:, :, 0] *= 1000
    dots[:, 0] *= 1000
    loud = dataclasses.replace(made.scores, gram=gram, dots=dots)
    together, alone = (0,) * 8, (0,) + (-1,) * 7
    quiet = capability_influence(made.scores, together, preset="paper")
    np.testing.assert_allclose(capability_influence(loud, together, preset="paper"), quiet, rtol=1e-4, atol=1e-7)
    raw = capability_influence(loud, together, preset="paper", scale="raw")
    np.testing.assert_allclose(raw, capability_influence(loud, alone, preset="paper"), rtol=0.05, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(0, 7), st.integers(-1, 3)), max_size=12),
       preset=st.sampled_from(["studio", "paper"]))
def test_any_sequence_of_moves_gives_exactly_the_fresh_result(made, moves, preset):
    columns, of_unit = InfluenceColumns(made.scores, keep=3), [0, 1, 2, 3, 0, 1, 2, 3]
    for unit, to in moves:
        of_unit[unit] = to
        now = PRESETS[preset].influence(columns, of_unit)
        np.testing.assert_array_equal(now, capability_influence(made.scores, of_unit, preset=preset))


def test_a_move_computes_two_columns_and_undo_none(made, monkeypatch):
    columns, counted = InfluenceColumns(made.scores), []
    inner = InfluenceColumns._mean
    monkeypatch.setattr(InfluenceColumns, "_mean", lambda self, members, *rest: counted.append(members)
                        or inner(self, members, *rest))
    before = [0, 1, 2, 3, 0, 1, 2, 3]
    first = columns.by_mean(before)
    assert len(counted) == 4
    columns.by_mean([1, 1, 2, 3, 0, 1, 2, 3])
    assert counted[4:] == [(4,), (0, 1, 5)]
    np.testing.assert_array_equal(columns.by_mean(before), first)
    assert len(counted) == 6


def test_chunks_do_not_change_the_result(made, monkeypatch):
    whole = capability_influence(made.scores, OF_UNIT, preset="paper")
    nearest = InfluenceColumns(made.scores).nearest()
    monkeypatch.setattr("cadc.scores.influence.CHUNK", 7)
    np.testing.assert_array_equal(capability_influence(made.scores, OF_UNIT, preset="paper"), whole)
    np.testing.assert_array_equal(InfluenceColumns(made.scores).nearest(), nearest)


def test_units_that_cancel_and_constant_columns_give_zero_and_no_nan(made):
    gram, dots, near = (a.copy() for a in (made.scores.gram, made.scores.dots, made.scores.near))
    gram[:, 1], dots[:, 1] = -gram[:, 0], -dots[:, 0]
    gram[:, :, 1] = -gram[:, :, 0]
    gram[:, 0, 0] = gram[:, 1, 1]
    near[2] = 0.25
    middle = np.where(np.arange(8) == 2, 0.25, 0.0)
    scores = dataclasses.replace(made.scores, gram=gram, dots=dots, near=near, middle=middle, own=middle + 1)
    assert not capability_influence(scores, (0, 0) + (-1,) * 6, preset="paper").any()
    assert not capability_influence(scores, (-1, -1, 0) + (-1,) * 5, preset="studio").any()


def test_self_influence_is_rate_times_squared_norm(made):
    slow = [[made.scores.eta[t] * float(made.scores.gradient_norm[n, t]) ** 2 for t in range(3)] for n in range(240)]
    np.testing.assert_allclose(self_influence(made.scores), slow, rtol=1e-6)


def test_pools_take_the_largest_influence_above_the_floor():
    influence = np.array([[1, 2, 2], [-1, -2, -3], [0, 0, 0], [3, 1, 2]], np.float32)
    assert assign(influence).tolist() == [1, -1, -1, 0]
    assert assign(influence, floor=-1.5).tolist() == [1, 0, 0, 0]
    assert assign(influence, floor=2.5).tolist() == [-1, -1, -1, 0]
    assert assign(np.empty((2, 0), np.float32)).tolist() == [-1, -1]
    assert own_influence(influence, assign(influence)).tolist() == [2, -1, 0, 3]


def test_flows_count_every_row_once(made):
    influence = capability_influence(made.scores, OF_UNIT, preset="studio")
    pool = assign(influence, floor=float(np.median(influence.max(1))))
    source = np.random.default_rng(1).choice(["a", "b", ""], 240)
    table = flows(source, pool, influence, ["c1", "c2", "c3"])
    assert table["rows"].sum() == 240 and (table["k"] == -1).any()
    for row in table.itertuples():
        there = (source == row.source) & (pool == row.k)
        own = influence[there, row.k] if row.k >= 0 else influence[there].max(1)
        assert row.rows == there.sum() and row.capability == ["unattributed", "c1", "c2", "c3"][row.k + 1]
        assert row.influence == pytest.approx(np.maximum(own, 0).sum(), rel=1e-5)
        assert row.mean == pytest.approx(own.mean(), rel=1e-5)


def test_self_influence_by_capability_is_the_mean_over_its_pool(made):
    pool = assign(capability_influence(made.scores, OF_UNIT, preset="studio"))
    inf = self_influence(made.scores)
    means = self_by_capability(inf, pool, 4)
    for c in range(3):
        np.testing.assert_allclose(means[c], inf[pool == c].astype(np.float64).mean(0), rtol=1e-6)
    assert np.isnan(means[3]).all()


def test_served_names_the_winner_in_the_best_allowed_unit(made):
    scores, z = scaled(made)
    rows = np.array([5, 200, 17])
    for capability in (None, np.array([2, 1, -1])):
        table = served(scores, rows, OF_UNIT, capability=capability, top=2)
        for i, row in enumerate(rows):
            wanted = -1 if capability is None else capability[i]
            units = [m for m in range(8) if OF_UNIT[m] >= 0 and wanted in (-1, OF_UNIT[m])]
            best = sorted(units, key=lambda m: -z[m, row])[:2]
            part = table[table["position"] == row]
            assert part["unit"].tolist() == best and part["rank"].tolist() == list(range(len(best)))
            for unit, target, index, value in part[["unit", "target", "target_index", "value"]].to_numpy():
                single = made.single[row, made.scores.sample_unit == unit]
                assert made.single[row, int(target)] == single.max() and index == 3 * target
                assert value == pytest.approx(np.sort(single)[-2:].mean(), rel=1e-5)


def test_a_row_whose_winner_nobody_knows_serves_no_target_sample(made):
    winner = made.scores.winner.copy()
    winner[:, 5] = -1
    table = served(dataclasses.replace(made.scores, winner=winner), np.array([4, 5]), OF_UNIT)
    assert table["target"].tolist()[1] == table["target_index"].tolist()[1] == -1
    assert table["target_index"].tolist()[0] == 3 * table["target"].tolist()[0]


def test_rows_without_a_loss_are_the_last_of_their_unit(made):
    loss = made.scores.loss.copy()
    loss[::3, -1] = np.nan
    columns = InfluenceColumns(dataclasses.replace(made.scores, loss=loss))
    rank, nearest, known = columns.loss_rank(), columns.nearest(), np.isfinite(loss[:, -1])
    for unit in range(8):
        rows = nearest == unit
        if (rows & known).any() and (rows & ~known).any():
            assert rank[rows & known].max() < rank[rows & ~known].min()


def test_loss_rank_orders_rows_inside_their_nearest_unit(made):
    columns = InfluenceColumns(made.scores)
    nearest, rank, loss = columns.nearest(), columns.loss_rank(), made.scores.loss[:, -1]
    for unit in range(8):
        rows = np.flatnonzero(nearest == unit)
        assert sorted(rank[rows]) == list(range(len(rows)))
        assert (np.diff(loss[rows[np.argsort(rank[rows])]]) <= 0).all()


def test_wrong_choices_are_refused(made):
    for wrong in ({"preset": "best"}, {"preset": "paper", "signal": "x"}, {"preset": "paper", "scale": "x"}):
        with pytest.raises(DataError):
            capability_influence(made.scores, OF_UNIT, **wrong)
    with pytest.raises(DataError, match="8 target units"):
        capability_influence(made.scores, (0, 1), preset="paper")
    plain = dataclasses.replace(made.scores, dots_grounded=made.scores.dots_grounded[:0])
    with pytest.raises(DataError, match="grounded=true"):
        capability_influence(plain, OF_UNIT, preset="paper", signal="grounded")
