"""`paper`: what the paper states (CADC §4, §5)."""

from collections.abc import Iterator, Sequence

import numpy as np

from cadc.curation.preset import CapabilityRows, Preset
from cadc.scores.influence import InfluenceColumns
from cadc.selection.ranking import Pick
from cadc.selection.rounds import by_influence


def influence(columns: InfluenceColumns, of_unit: Sequence[int], *, signal: str = "plain",
              scale: str = "unit") -> np.ndarray:
    """Σ_t η_t cos(Γ_t(z), ḡ_t(c_k)): against the mean gradient of the capability."""
    return columns.by_mean(of_unit, signal=signal, scale=scale)


def pick(rows: CapabilityRows) -> Iterator[Pick]:
    """Highest influence first."""
    return by_influence(rows.influence, np.flatnonzero(rows.inside))


PRESET = Preset(
    name="paper", near="joined", influence=influence, pick=pick, signals=("plain", "grounded"),
    needs_gradients=True,
    about="highest influence first, nothing left out, hard stages",
    measures="against the mean gradient of each capability", value="a cosine: 0 is no influence at all",
    settings={"rule": "self-influence", "staging": "hard", "replay": 0.3, "inside": "easy-first",
              "drop_duplicates": False, "drop_loss_share": 0.0, "loss_quantile": 1.0})
