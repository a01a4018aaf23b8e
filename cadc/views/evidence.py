"""Capabilities page, second half: what speaks for and against the map.

M target units. Everything here is computed when asked for; pages remember it by the digest of the scores.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.discovery import Stability, hdbscan_umap, leiden, rivals
from cadc.discovery.partition import Partition
from cadc.discovery.similarities import Units
from cadc.discovery.stability import drawn_again
from cadc.errors import DataError
from cadc.views.pictures import opened_pictures

log = logging.getLogger(__name__)

ROUNDS = 20
RIVALS = {"answer format": "units whose answers have one form", "question words": "units that use the same words",
          "pictures": "units whose pictures look alike"}


StabilityKey = tuple[str, float | None, float | None, int | None, str]


def stability_key(bench: Workbench) -> StabilityKey:
    """What the stability of a map depends on besides the scores."""
    part = bench.partition
    return part.method, part.tau, part.gamma, part.min_size, bench.discovery.signal


def stability_of(bench: Workbench) -> Stability:
    """The map's method on target samples drawn again `ROUNDS` times. Raises DataError for a signal that has none."""
    return stability_by(bench.units(bench.discovery.signal), again(bench.partition), rounds=ROUNDS)


def stability_by(units: Units, method: Callable[[np.ndarray], Partition], *, rounds: int) -> Stability:
    """A method on the samples that a similarity of units is made of, drawn again. Raises DataError where it is made of
    none."""
    if units.unit is None or units.again is None:
        raise DataError("this similarity is not made of single samples, so they cannot be drawn again.")
    return drawn_again(units.unit, units.again, method, rounds=rounds)


def again(part: Partition) -> Callable[[np.ndarray], Partition]:
    """The method that made a partition, for another similarity."""
    if part.method == "hdbscan":
        return partial(hdbscan_umap, min_size=part.min_size or 2, seed=part.seed)
    return partial(leiden, tau=part.tau or 0.0, gamma=part.gamma or 1.0, seed=part.seed)


STABILITY_NOTES = {
    "grounded": "Computed from plain gradients of single samples: grounded ones exist for units only.",
    "transfer": "Held-out losses are drawn again, trainings are not: what hangs on the samples that were trained on is "
                "not in it."}
"""What a reader must know of a signal's stability."""


@dataclass(frozen=True, kw_only=True)
class StabilityView:
    """Stability in words."""

    facts: dict[str, str]
    note: str
    """What a reader must know of the signal; '' where there is nothing."""


def stability_view(found: Stability, signal: str) -> StabilityView:
    """`signal` of the map."""
    return StabilityView(
        facts={"mean adjusted Rand index": f"{found.mean_ari:.2f}",
               "lowest … highest": f"{min(found.aris):.2f} … {max(found.aris):.2f}",
               "K over the rounds": f"{min(found.ks)} … {max(found.ks)}"},
        note=STABILITY_NOTES.get(signal, ""))


def quick_rivals(bench: Workbench) -> dict[str, np.ndarray]:
    """Those of `rival_labels` that take no time."""
    units = bench.scores.units
    targets = bench.targets[bench.targets["unit"].isin(units)]
    unit = pd.Categorical(targets["unit"], categories=units).codes
    return {"answer format": rivals.by_format(targets["answer_format"].tolist(), unit, len(units)).labels}


def rival_labels(bench: Workbench) -> dict[str, np.ndarray]:
    """Group of each unit, int [M], by each of `RIVALS`."""
    units, targets = bench.scores.units, bench.targets[bench.targets["unit"].isin(bench.scores.units)]
    unit = pd.Categorical(targets["unit"], categories=units).codes
    features = np.stack([_look(bench, row) for row in targets.to_dict("records")])
    found = (rivals.by_format(targets["answer_format"].tolist(), unit, len(units)),
             rivals.by_words(targets["question"].tolist(), unit, len(units)),
             rivals.by_pictures(features, unit, len(units)))
    return {name: part.labels for name, part in zip(RIVALS, found, strict=True)}


def _look(bench: Workbench, row: dict) -> np.ndarray:
    """Features of a target row's first picture, [rivals.FEATURES]; nan where it has none or it is gone."""
    try:
        loaded = opened_pictures(bench.study, "target", {"index": row["index"], "id": "", "images": row["images"][:1]})
    except DataError:
        log.warning("target row %d: picture gone, counted as a row without one", row["index"])
        loaded = []
    return rivals.picture_features(loaded[0]) if loaded else np.full(rivals.FEATURES, np.nan)


def rival_agreement(bench: Workbench, labels: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Adjusted Rand index of the map in force with each of these groupings."""
    table = rivals.agreement(np.array(bench.capabilities.of_unit), labels)
    return dict(zip(table["rival"], table["ari"], strict=True))


def rival_table(of_unit: tuple[int, ...], labels: dict[str, np.ndarray]) -> pd.DataFrame:
    """rival, k, ari (agreement with the map), what it groups."""
    table = rivals.agreement(np.array(of_unit), labels)
    return table.assign(**{"what it groups": [RIVALS[name] for name in table["rival"]]})
