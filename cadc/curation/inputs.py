"""What a curriculum is made from: scores, capabilities and settings, and what follows from them for every pool row."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cadc.arrays import digest
from cadc.curation.candidates import Candidates, find_candidates
from cadc.curation.preset import CapabilityRows
from cadc.curation.presets import PRESETS
from cadc.curation.settings import CurationSettings
from cadc.discovery.capabilities import Capabilities
from cadc.errors import DataError
from cadc.scores.influence import InfluenceColumns, assign, self_by_capability
from cadc.scores.scores import Scores
from cadc.selection.ranking import Ranking

AFTERWARDS: dict[str, Any] = {"budget": 0.05, "rule": "uniform", "shares": (), "order": (), "staging": "mix",
                              "replay": 0.0, "inside": "random", "source_cap": 0, "source_caps": (),
                              "random_share": 0.0, "seed": 0}
"""Settings that act only when it is known which rows may be taken, each at some value: those of one candidate set may
differ in them."""
LATELY = 6
"""Groupings, filters and presets whose pools, candidates and rankings stay."""


@dataclass(frozen=True, kw_only=True)
class CurationInputs:
    """Inputs of one curriculum; N scored rows, K capabilities, T checkpoints. The rest is computed when asked for, and
    what no budget, share or order changes is remembered with the scores, under what it was made from."""

    columns: InfluenceColumns
    """Influence columns of the scores."""
    table: pd.DataFrame
    """Pool rows in the order of the scores: index, id, source, group."""
    targets: pd.DataFrame | None
    """Target rows (index, id), or None: then target ids stay ''."""
    capabilities: Capabilities
    settings: CurationSettings

    @property
    def scores(self) -> Scores:
        """The scores of the study."""
        return self.columns.scores

    @cached_property
    def influence(self) -> np.ndarray:
        """Inf^Traj, float32 [N, K]."""
        s = self.settings
        return PRESETS[s.preset].influence(self.columns, self.capabilities.of_unit, signal=s.signal, scale=s.scale)

    @cached_property
    def assignment(self) -> np.ndarray:
        """D_train^(k) of each row, int32 [N], -1 unattributed (METHOD §4)."""
        return self.columns.remember(("assignment", *self._pools),
                                     lambda: assign(self.influence, self.settings.floor), most=LATELY)

    @cached_property
    def self_influence(self) -> np.ndarray:
        """Inf^Self, float32 [N, T]."""
        return self.columns.self_influence()

    @cached_property
    def self_total(self) -> np.ndarray:
        """Σ_t Inf^Self(z; t), float32 [N]: what is called difficulty; NaN without gradients."""
        if not self.scores.has_gradients:
            return np.full(len(self.scores.index), np.nan, np.float32)
        return self.columns.remember("self total", lambda: self.self_influence.sum(1))

    @cached_property
    def self_mean(self) -> np.ndarray:
        """Mean self-influence of each pool at each checkpoint, float64 [K, T]; NaN for an empty pool."""
        return self.columns.remember(
            ("self mean", *self._pools),
            lambda: self_by_capability(self.self_influence, self.assignment, self.capabilities.k), most=LATELY)

    @cached_property
    def candidates(self) -> Candidates:
        """Which rows may be taken."""
        return self.columns.remember(("candidates", *self._filters(self.settings)),
                                     lambda: self._found(self.settings), most=LATELY)

    def left_out_at(self, loss_quantile: float) -> dict[str, int]:
        """Rows left out per reason, were the bound of the judges another one. Only the counts are remembered."""
        other = replace(self.settings, loss_quantile=loss_quantile)
        return self.columns.remember(("left out", *self._filters(other)), lambda: self._found(other).left_out,
                                     most=8 * LATELY)

    def _found(self, settings: CurationSettings) -> Candidates:
        return find_candidates(self.columns, self.table, self.influence, self.assignment, settings)

    def _filters(self, settings: CurationSettings) -> tuple[object, ...]:
        """What candidates follow from, besides the scores."""
        return *self._pools, replace(settings, **AFTERWARDS), self._groups

    def ranking(self, k: int) -> Ranking:
        """The rows of one capability in the order in which it takes them, by the preset's rule (METHOD §5)."""
        inside = self.candidates.open & (self.candidates.assignment == k)
        units = np.flatnonzero(np.asarray(self.capabilities.of_unit) == k)
        preset = PRESETS[self.settings.preset]
        influence = self.influence[:, k]
        rows = CapabilityRows(scores=self.scores, influence=influence, inside=inside, units=units)
        key = ("ranking", preset.name, tuple(units.tolist()), *self._way, digest(inside))
        return self.columns.remember(key, lambda: Ranking(lambda: preset.pick(rows)), most=LATELY * self.capabilities.k)

    @property
    def _way(self) -> tuple[str, str]:
        """How influence is measured, besides the preset."""
        return self.settings.signal, self.settings.scale

    @property
    def _pools(self) -> tuple[object, ...]:
        """What the pools follow from, besides the scores."""
        return self.settings.preset, tuple(self.capabilities.of_unit), *self._way, self.settings.floor

    @cached_property
    def _groups(self) -> bytes:
        """Tells near-duplicate groups apart."""
        return digest(pd.util.hash_array(self.table["group"].to_numpy()))


def aligned(table: pd.DataFrame, index: np.ndarray, role: str) -> pd.DataFrame:
    """The rows of `table` whose column `index` is in `index`, in that order. Raises DataError when one is missing."""
    have = table["index"].to_numpy()
    if len(have) == len(index) and np.array_equal(have, index):
        return table
    place = pd.Index(have).get_indexer(pd.Index(np.asarray(index)))
    if (place < 0).any():
        missing = int(np.asarray(index)[place < 0][0])
        raise DataError(
            f"{role} row {missing} has scores but is not in the {role} table: they belong to different files. "
            "Run the study's jobs again."
        )
    return table.iloc[place].reset_index(drop=True)
