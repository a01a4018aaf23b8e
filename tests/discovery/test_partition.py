"""Communities: planted ones are found, labels are stable, small targets work, modularity agrees with networkx."""

import sys

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from cadc.discovery.layout import classical_mds, layout, layout_method
from cadc.discovery.partition import apart, automatic, hdbscan_umap, leiden, modularity, ordered_labels, sweep
from cadc.discovery.similarity import distances, similarity
from cadc.errors import DataError


def planted(sizes, common=0.4, noise=0.03, seed=0):
    """Similarities with blocks 0.3 above a common level: what a shared mean direction looks like."""
    rng, label = np.random.default_rng(seed), np.repeat(np.arange(len(sizes)), sizes)
    similar = common + 0.3 * (label[:, None] == label[None, :]) + rng.normal(0, noise, (len(label), len(label)))
    similar = (similar + similar.T) / 2
    np.fill_diagonal(similar, 1)
    return similar, label


symmetric = st.integers(2, 9).flatmap(lambda m: st.lists(
    st.floats(-1, 1, width=16), min_size=m * m, max_size=m * m).map(lambda v: _symmetric(np.reshape(v, (m, m)))))


def _symmetric(values):
    values = np.triu(values, 1) + np.triu(values, 1).T
    np.fill_diagonal(values, 1)
    return values


@settings(max_examples=60, deadline=None)
@given(similar=symmetric, tau=st.floats(-0.5, 0.9), gamma=st.floats(0.2, 3))
def test_modularity_agrees_with_networkx(similar, tau, gamma):
    found = leiden(similar, tau, gamma)
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(similar)))
    for a, b in zip(*np.nonzero(np.triu(similar, 1) > max(tau, 0)), strict=True):
        graph.add_edge(int(a), int(b), weight=float(similar[a, b]))
    labels = apart(found.labels)
    groups = [set(np.flatnonzero(labels == g).tolist()) for g in np.unique(labels)]
    if graph.number_of_edges():
        wanted = networkx.community.modularity(graph, groups, weight="weight", resolution=gamma)
        assert found.modularity == pytest.approx(wanted, abs=1e-9)
    else:
        assert found.modularity == 0 and (found.labels == -1).all()


def test_leiden_finds_planted_communities_at_a_threshold_between():
    similar, label = planted([7, 5, 3])
    found = leiden(similar, tau=0.55)
    assert found.labels.tolist() == label.tolist() and found.k == 3
    assert modularity(similar, label, 0.55) == pytest.approx(found.modularity)


@pytest.mark.parametrize("seed", range(5))
def test_automatic_threshold_finds_planted_communities_under_a_common_direction(seed):
    similar, label = planted([7, 5, 4, 3], common=0.5, noise=0.06, seed=seed)
    found = automatic(similar)
    assert adjusted_rand_score(label, apart(found.labels)) > 0.9
    assert "automatically" in found.note
    again = leiden(similar, found.tau, found.gamma)
    assert again.labels.tolist() == found.labels.tolist()  # the τ on the slider gives the same map


def test_labels_go_by_size_then_first_unit_and_lone_units_are_unassigned():
    assert ordered_labels(np.array([5, 9, 9, 5, 1, 7, 7, 7, -1])).tolist() == [1, 2, 2, 1, -1, 0, 0, 0, -1]
    similar, _ = planted([3, 3])
    similar = np.pad(similar, ((0, 1), (0, 1)))
    similar[6, 6] = 1
    assert leiden(similar, 0.55).labels.tolist() == [0, 0, 0, 1, 1, 1, -1]


def test_the_same_seed_gives_the_same_partition_and_map():
    similar, _ = planted([5, 4, 4], noise=0.2)
    for find in (
        lambda: leiden(similar, 0.4, seed=3),
        lambda: hdbscan_umap(similar, 2, seed=3),
        lambda: automatic(similar),
    ):
        assert find().labels.tolist() == find().labels.tolist()
    np.testing.assert_array_equal(layout(similar, seed=4), layout(similar, seed=4))


def test_hdbscan_on_the_map_finds_clear_communities():
    similar, label = planted([8, 7, 6], common=0.0, noise=0.01)
    assert adjusted_rand_score(label, apart(hdbscan_umap(similar, 3).labels)) > 0.9


@pytest.mark.parametrize("units", range(1, 10))
def test_a_handful_of_units_never_fails(make_scores, units):
    made = make_scores(rows=5, units=units, per_unit=2, best=3)
    similar = similarity(made.scores.gram, made.scores.eta)
    for found in (leiden(similar, 0.2), hdbscan_umap(similar, 2), automatic(similar)):
        assert found.labels.shape == (units,) and np.isfinite(found.modularity)
    assert automatic(similar).k >= 1  # a first look always has something to curate for
    spots = layout(similar)
    assert spots.shape == (units, 2) and np.isfinite(spots).all()
    assert layout_method(units) == ("tsne" if units >= 8 else "mds")


def test_classical_scaling_keeps_the_distances_of_a_plane():
    points = np.random.default_rng(0).normal(size=(7, 2))
    far = np.linalg.norm(points[:, None] - points[None], axis=2)
    spots = classical_mds(far)
    np.testing.assert_allclose(np.linalg.norm(spots[:, None] - spots[None], axis=2), far, atol=1e-9)


def test_many_units_lie_together_too_and_no_map_waits_for_umap(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)  # to import it fails
    similar, label = planted([40, 40, 40], common=0.0, noise=0.01)
    spots = layout(similar)
    far = np.linalg.norm(spots[:, None] - spots[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert layout_method(120) == "tsne" and (label[far.argmin(1)] == label).all()
    np.testing.assert_array_equal(spots, layout(similar))


@pytest.mark.parametrize("units", [3, 9, 101])
def test_units_that_are_all_alike_have_places(units):
    assert np.isfinite(layout(np.ones((units, units)))).all()


def test_units_of_one_capability_lie_together_on_the_map():
    similar, label = planted([8, 8], common=0.0, noise=0.01)
    spots = layout(similar)
    far = np.linalg.norm(spots[:, None] - spots[None], axis=2)
    same = label[:, None] == label[None]
    assert far[same].max() < far[~same].min()
    assert distances(similar)[same].max() < distances(similar)[~same].min()


def test_sweep_shows_k_for_every_pair_of_threshold_and_resolution():
    similar, _ = planted([5, 4])
    table, _ = sweep(similar, np.array([0.0, 0.55, 0.95]), np.array([1.0, 2.0]))
    assert table[["tau", "gamma"]].to_numpy().tolist() == [[a, b] for a in (0, .55, .95) for b in (1, 2)]
    assert table.loc[2, "k"] == 2 and table.loc[4, "k"] == 0 and table.loc[4, "unassigned"] == 9


def test_settings_out_of_range_are_refused():
    similar, _ = planted([3, 3])
    for wrong in (lambda: leiden(similar, 1.5), lambda: leiden(similar, 0.5, 0), lambda: hdbscan_umap(similar, 1)):
        with pytest.raises(DataError):
            wrong()


def test_automatic_threshold_leaves_no_unit_alone_where_it_can():
    label = np.repeat([0, 1, 2], [4, 4, 2])
    similar = np.where(label[:, None] == label[None, :], 0.6, 0.05)
    similar[-1, :] = similar[:, -1] = 0.05  # the last unit is only faintly like its own
    similar[-1, 8] = similar[8, -1] = 0.1
    np.fill_diagonal(similar, 1.0)
    part = automatic(similar)
    assert (part.labels >= 0).all() and part.k >= 2
    assert "left alone (0)" in part.note
