"""How capabilities are found: the table of methods and the settings of the one that is chosen (METHOD §3)."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cadc.discovery.partition import Partition, automatic, hdbscan_umap, leiden
from cadc.discovery.similarities import SIMILARITIES
from cadc.errors import DataError
from cadc.study.registry import Registry


@dataclass(frozen=True, kw_only=True)
class DiscoverySettings:
    """How capabilities are found (METHOD §3); the payload of a `discover` decision."""

    method: str = "leiden"
    """One of `CLUSTERERS`."""
    tau: float | None = None
    """Similarity threshold τ; None: chosen automatically (`discovery.partition.automatic`)."""
    gamma: float = 1.0
    """Leiden's resolution γ."""
    min_size: int = 2
    """HDBSCAN's smallest community."""
    signal: str = "plain"
    """What units are compared by: one of `cadc.discovery.similarities.SIMILARITIES`."""
    seed: int = 0
    """Seed of the method."""

    def __post_init__(self) -> None:
        tables: dict[str, Mapping[str, object]] = {"method": CLUSTERERS, "signal": SIMILARITIES}
        for name, allowed in tables.items():
            if getattr(self, name) not in allowed:
                raise DataError(
                    f"discovery setting {name}={getattr(self, name)!r}: expected one of {', '.join(allowed)}."
                )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DiscoverySettings":
        """Read a payload. Raises DataError for an unknown key."""
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise DataError(f"unknown discovery setting {unknown[0]!r}. Known: {', '.join(sorted(known))}")
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Clusterer:
    """A method that divides target units into communities. A new one is one line in the table below."""

    name: str
    about: str
    """One line for a person."""
    cluster: Callable[[np.ndarray, DiscoverySettings], Partition]
    """From S, float64 [M, M], under these settings; the same call gives the same partition."""
    reads: tuple[str, ...] = ()
    """The settings that it reads, besides the seed."""


def _leiden(similar: np.ndarray, settings: DiscoverySettings) -> Partition:
    if settings.tau is None:
        return automatic(similar, settings.gamma, settings.seed)
    return leiden(similar, settings.tau, settings.gamma, settings.seed)


def _hdbscan(similar: np.ndarray, settings: DiscoverySettings) -> Partition:
    return hdbscan_umap(similar, settings.min_size, settings.seed)


CLUSTERERS: Registry[Clusterer] = Registry("clustering method", (
    Clusterer(name="leiden", about="Leiden: communities of the similarity graph", cluster=_leiden,
              reads=("tau", "gamma")),
    Clusterer(name="hdbscan", about="HDBSCAN: dense places of the map", cluster=_hdbscan, reads=("min_size",)),
))
"""Every known method."""
