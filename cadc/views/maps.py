"""All maps of a study beside each other: signal × clusterer, each with how stable it is, whether it agrees with
measured transfer, and what else would have given it (METHOD §3).

M target units.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.discovery.clusterers import CLUSTERERS, DiscoverySettings
from cadc.discovery.partition import Partition, apart
from cadc.discovery.similarities import Units
from cadc.discovery.transfer import silent, spearman_with, within_between
from cadc.errors import DataError, JobError
from cadc.views.capabilities import SignalLine, signal_lines
from cadc.views.evidence import RIVALS, again, rival_labels, stability_by
from cadc.views.measured import ROUNDS, unit_transfer

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What `maps_of` found."""

    table: pd.DataFrame
    """One line per map: signal, clusterer, k, alone, modularity, stability, spearman, spearman_p (of the similarity
    with transfer), inside, outside, p, auc (transfer inside and between its groups), and the agreement with each of
    `RIVALS`; nan where nothing is known."""
    labels: tuple[tuple[int, ...], ...]
    """Group of each unit by each map, −1 unassigned."""
    units: tuple[str, ...]
    """M names."""
    lacking: tuple[SignalLine, ...]
    """Signals that are not ready, with the reason."""
    marked: tuple[str, ...]
    """Units of which it is not known what others do for them; () before transfer was measured."""


def maps_of(bench: Workbench, *, rounds: int = 10) -> Maps:
    """rounds: how often samples are drawn again for the stability of each map; 0: not at all."""
    lines, scores = signal_lines(bench), bench.scores
    transfer = unit_transfer(bench) if bench.study.finished("transfer") else None
    rivals = rival_labels(bench)
    rows, labels = [], []
    missing = [line for line in lines if not line.ready]
    for line in (line for line in lines if line.ready):
        try:
            units = bench.units(line.name)
        except (DataError, JobError) as error:
            missing.append(replace(line, ready=False, why=str(error)))
            continue
        for name, clusterer in CLUSTERERS.items():
            part = clusterer.cluster(units.whole, DiscoverySettings(method=name, signal=line.name))
            labels.append(tuple(int(label) for label in part.labels))
            rows.append({"signal": line.name, "clusterer": name, "k": part.k,
                         "alone": int((part.labels < 0).sum()), "modularity": part.modularity,
                         "stability": _stability(units, part, rounds),
                         **_transfer(units.whole, part.labels, transfer, itself=line.name == "transfer"),
                         **_agreement(part.labels, rivals)})
            log.info("map by %s, %s: %d groups", line.name, name, part.k)
    return Maps(table=pd.DataFrame(rows), labels=tuple(labels), units=scores.units,
                lacking=tuple(missing),
                marked=tuple(np.array(scores.units)[silent(transfer)].tolist()) if transfer is not None else ())


def _stability(units: Units, part: Partition, rounds: int) -> float:
    """Mean adjusted Rand index over samples drawn again; nan where it is not defined or not asked for."""
    if not rounds:
        return float("nan")
    try:
        return stability_by(units, again(part), rounds=rounds).mean_ari
    except DataError:
        return float("nan")


def _transfer(similar: np.ndarray, labels: np.ndarray, transfer: np.ndarray | None, *, itself: bool
              ) -> dict[str, float]:
    """itself: the similarity is made of transfer, so that comparing the two says nothing."""
    if transfer is None:
        return dict.fromkeys(("spearman", "spearman_p", "inside", "outside", "p", "auc"), float("nan"))
    rho, mantel, _ = (float("nan"), float("nan"), 0) if itself else spearman_with(similar, transfer, rounds=ROUNDS)
    inside, outside, p, area = within_between(np.clip(transfer, -1, 1), labels, rounds=ROUNDS)
    return {"spearman": rho, "spearman_p": mantel, "inside": inside, "outside": outside, "p": p, "auc": area}


def _agreement(labels: np.ndarray, rivals: dict[str, np.ndarray]) -> dict[str, float]:
    from sklearn.metrics import adjusted_rand_score

    return {name: float(adjusted_rand_score(apart(rivals[name]), apart(labels))) for name in RIVALS}
