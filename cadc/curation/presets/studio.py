"""`studio`: what our evidence supports (METHOD §3–§5)."""

from collections.abc import Iterator, Sequence

import numpy as np

from cadc.curation.preset import CALIBRATED, CapabilityRows, Preset
from cadc.scores.influence import InfluenceColumns
from cadc.selection.ranking import Pick
from cadc.selection.rounds import round_robin


def influence(columns: InfluenceColumns, of_unit: Sequence[int], *, signal: str = "plain",
              scale: str = "unit") -> np.ndarray:
    """max over s ∈ c_k of the calibrated near(z, s); signal and scale do not enter."""
    return columns.by_near(of_unit)


def pick(rows: CapabilityRows) -> Iterator[Pick]:
    """In rounds every unit of the capability takes a row, its target samples in turn their best one not yet taken."""
    return round_robin(rows.scores, rows.units, rows.inside)


PRESET = Preset(
    name="studio", near="joined", influence=influence, pick=pick,
    about="in rounds every target question takes its best row not yet taken; duplicates and rows that look wrong are "
          "left out; one mixed stage",
    measures="against single target questions, the best of a capability's units", value=CALIBRATED,
    settings={"rule": "target-share", "staging": "mix", "replay": 0.6, "inside": "random", "drop_duplicates": True,
              "drop_loss_share": 0.12, "loss_quantile": 0.95})
