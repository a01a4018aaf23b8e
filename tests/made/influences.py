"""The influence that a preset measures, from scores alone."""

from collections.abc import Sequence

import numpy as np

from cadc.curation import PRESETS
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores


def capability_influence(scores: Scores, of_unit: Sequence[int], *, preset: str, signal: str = "plain",
                         scale: str = "unit") -> np.ndarray:
    """float32 [N, K]."""
    return PRESETS[preset].influence(InfluenceColumns(scores), of_unit, signal=signal, scale=scale)
