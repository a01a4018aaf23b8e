"""What a preset is: a way to measure influence, to pick rows by it, and the choices that go with them.

One is one file in `cadc/curation/presets` and one line in its table, `PRESETS`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cadc.arrays import spearman
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.selection.ranking import Pick

CALIBRATED = ("1 is as near to a unit as its own samples are to each other, 0 as near as any row; so a floor of 0.5 "
              "means half as near as the unit's own samples are to each other")
"""What a number of calibrated near(z, s) says (METHOD §4)."""


class Influence(Protocol):
    """How Inf^Traj(z, c_k) is measured."""

    def __call__(self, columns: InfluenceColumns, of_unit: Sequence[int], *, signal: str = "plain",
                 scale: str = "unit") -> np.ndarray:
        """float32 [N, K]. of_unit: M positions 0…K-1, -1 unassigned; signal, scale: as in `CurationSettings`. Raises
        DataError for a signal that was not computed."""


@dataclass(frozen=True, kw_only=True)
class CapabilityRows:
    """What the rows of one capability are picked from. N scored rows, M units."""

    scores: Scores
    influence: np.ndarray
    """float32 [N]: on this capability."""
    units: np.ndarray
    """int64: positions (0…M-1) of its units."""
    inside: np.ndarray
    """bool [N]: rows of its pool that passed every filter."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A consistent set of choices from influence to order (METHOD §3)."""

    name: str
    about: str
    """How it makes a curriculum, in a line."""
    near: str
    """The column of near(z, s) that it reads."""
    influence: Influence
    pick: Callable[[CapabilityRows], Iterator[Pick]]
    """Its ranking: every row of `inside` once, in the order in which the capability takes them. A function of
    `CapabilityRows` alone, since it is remembered; the budget says how far it is read, and rows that are tagged or
    drawn at random are passed over."""
    settings: Mapping[str, object]
    """Its curation choices: fields of `CurationSettings`."""
    measures: str = ""
    """How it measures the influence of a row, in a line."""
    value: str = ""
    """What a number of that influence says, so that a floor can be set in words."""
    signals: tuple[str, ...] = ("plain",)
    """Target gradients that its influence can be measured against: `plain`, `grounded`."""
    needs_gradients: bool = False
    """Whether a study without gradients cannot have it."""

    def held_out(self, columns: InfluenceColumns, predicted: Scores, of_unit: Sequence[int], *, signal: str = "plain",
                 scale: str = "unit") -> np.ndarray:
        """How well predicted rows are ranked on each capability: float64 [K], Spearman between the influence of
        measured rows and the same from what was predicted for them unseen (METHOD §4; `Scores.held_out`)."""
        known = self.influence(columns, of_unit, signal=signal, scale=scale)[columns.scores.measured]
        return spearman(known, self.influence(InfluenceColumns(predicted), of_unit, signal=signal, scale=scale))
