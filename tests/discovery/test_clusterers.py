"""Methods by their name: the settings choose among them and reach them."""

import numpy as np
import pytest

from cadc.discovery import CLUSTERERS, Clusterer, DiscoverySettings, Partition, automatic, hdbscan_umap, leiden
from cadc.errors import DataError
from cadc.study.registry import Registry


@pytest.fixture(scope="module")
def similar() -> np.ndarray:
    """A block of four units and one of three: few enough for a map without UMAP, which takes long to load."""
    noise = np.random.default_rng(0).uniform(0, 0.2, (7, 7))
    found = 0.7 * np.kron(np.eye(2), np.ones((4, 4)))[:7, :7] + (noise + noise.T) / 2
    np.fill_diagonal(found, 1)
    return found


@pytest.mark.parametrize("settings, wanted", [
    (DiscoverySettings(), lambda s: automatic(s, 1.0, 0)),
    (DiscoverySettings(gamma=3.0, seed=2), lambda s: automatic(s, 3.0, 2)),
    (DiscoverySettings(tau=0.15, gamma=0.5, seed=1), lambda s: leiden(s, 0.15, 0.5, 1)),
    (DiscoverySettings(method="hdbscan", min_size=3, seed=4), lambda s: hdbscan_umap(s, 3, 4))])
def test_a_method_follows_its_settings(similar, settings, wanted):
    found, expected = CLUSTERERS[settings.method].cluster(similar, settings), wanted(similar)
    assert found.labels.tolist() == expected.labels.tolist()
    assert (found.method, found.tau, found.gamma, found.min_size, found.seed, found.note) == (
        expected.method, expected.tau, expected.gamma, expected.min_size, expected.seed, expected.note)


def test_what_a_method_reads_are_settings():
    for method in CLUSTERERS.values():
        assert method.about and set(method.reads) <= set(DiscoverySettings.__dataclass_fields__)


def test_an_unknown_method_is_one_clear_line():
    with pytest.raises(DataError, match="method='magic': expected one of leiden, hdbscan"):
        DiscoverySettings(method="magic")


def test_an_added_method_is_found_by_its_name(similar):
    def one(similar: np.ndarray, settings: DiscoverySettings) -> Partition:
        return Partition(labels=np.zeros(len(similar), np.int64), modularity=0.0, method="one", seed=settings.seed)

    table = Registry("clustering method", [*CLUSTERERS.values(), Clusterer(name="one", about="all", cluster=one)])
    assert table["one"].cluster(similar, DiscoverySettings(seed=5)).seed == 5
    with pytest.raises(DataError, match="is there already"):
        table.add(Clusterer(name="one", about="another", cluster=one))
