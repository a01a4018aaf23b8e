"""Capabilities page: measured transfer beside the map (METHOD §3, intervention test).

M target units.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.discovery.transfer import aligned, silent, spearman_with, within_between
from cadc.discovery.transfer_job import measured
from cadc.views.prices import price_of

ROUNDS = 2000
"""Permutations behind a p."""


@dataclass(frozen=True, kw_only=True)
class TransferView:
    """Measured transfer of a study, or the offer to measure it."""

    ready: bool
    sentence: str
    """What it would take, or what was measured."""
    agreement: pd.DataFrame = field(default_factory=pd.DataFrame)
    """question, value: whether the map agrees with it."""
    silent: tuple[str, ...] = ()
    """Units whose own samples do not lower their own loss."""
    drawable: bool = False
    """Whether the map is drawn from something else."""
    area: float = float("nan")
    """Chance that a pair inside a capability transfers more than one between two; nan where there is none of either."""
    p: float = float("nan")
    """Of it by chance, one-sided."""
    payload: dict[str, Any] = field(default_factory=dict)
    """The `discover` decision that draws it from this."""


def transfer_view(bench: Workbench) -> TransferView:
    """Of a study with scores. Raises JobError where a file is damaged."""
    study = bench.study
    if not study.finished("transfer"):
        return TransferView(ready=False, sentence=f"Not measured yet: {price_of(study, 'transfer')}.")
    tr = unit_transfer(bench)
    quiet = tuple(np.array(bench.scores.units)[silent(tr)].tolist())
    now, labels = bench.discovery, np.array(bench.capabilities.of_unit)
    gap = within_between(np.clip(tr, -1, 1), labels, rounds=ROUNDS)
    return TransferView(
        ready=True, silent=quiet, p=gap[2], area=gap[3], drawable=now.signal != "transfer",
        payload=asdict(replace(now, signal="transfer", tau=None)),
        sentence=(f"Measured from the untrained base between {len(tr)} units. A transfer of 1: it helps as much as the "
                  "unit's own samples; 0: not at all; below 0: it harms." + (
                      f" Of {len(quiet)} units it is not known; they are named below." if quiet else "")),
        agreement=agreement_table(bench.similarity, tr, gap, itself=now.signal == "transfer"))


def unit_transfer(bench: Workbench) -> np.ndarray:
    """Tr float64 [M, M] in the order of the scores' units. Raises JobError before it was measured."""
    found = measured(bench.study)
    return aligned(found.matrix, found.units, bench.scores.units)


def agreement_table(similar: np.ndarray, tr: np.ndarray, gap: tuple[float, float, float, float], *, itself: bool
                    ) -> pd.DataFrame:
    """question, value. similar: S [M, M]; gap: `within_between` of the labelling; itself: S is made of Tr."""
    inside, outside, p, area = gap
    lines = [("transfer inside a capability / between two", f"{inside:.2f} / {outside:.2f}"),
             ("chance that a pair inside transfers more, permutation p", f"{area:.2f}, p {p:.3f}")]
    if not itself:
        rho, mantel, pairs = spearman_with(similar, tr, rounds=ROUNDS)
        lines.insert(0, ("Spearman of the similarity with transfer", f"{rho:.2f}, p {mantel:.3f}, {pairs:,} pairs"))
    return pd.DataFrame(lines, columns=["question", "value"])
