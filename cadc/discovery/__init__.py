"""From target gradients to capabilities (CADC §3, METHOD §3): similarity, communities, map, and what speaks against
them."""

from cadc.discovery.capabilities import Capabilities, found, merge, move, rename, replay
from cadc.discovery.clusterers import CLUSTERERS, Clusterer, DiscoverySettings
from cadc.discovery.layout import layout, layout_method
from cadc.discovery.partition import Partition, automatic, hdbscan_umap, leiden, modularity, sweep
from cadc.discovery.similarity import similarity
from cadc.discovery.stability import Stability, stability

__all__ = [
    "CLUSTERERS",
    "Capabilities",
    "Clusterer",
    "DiscoverySettings",
    "Partition",
    "Stability",
    "automatic",
    "found",
    "hdbscan_umap",
    "layout",
    "layout_method",
    "leiden",
    "merge",
    "modularity",
    "move",
    "rename",
    "replay",
    "similarity",
    "stability",
    "sweep",
]
