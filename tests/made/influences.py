"""The influence that a preset measures and the curriculum it gives, from scores alone."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cadc.curation import PRESETS, CurationSettings, Curriculum, curate
from cadc.curation.inputs import CurationInputs, aligned
from cadc.discovery.capabilities import Capabilities
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores


def capability_influence(scores: Scores, of_unit: Sequence[int], *, preset: str, signal: str = "plain",
                         scale: str = "unit") -> np.ndarray:
    """float32 [N, K]."""
    return PRESETS[preset].influence(InfluenceColumns(scores), of_unit, signal=signal, scale=scale)


def curated(scores: Scores, pool: pd.DataFrame, capabilities: Capabilities, settings: CurationSettings,
            targets: pd.DataFrame | None = None) -> Curriculum:
    """The curriculum; `pool`: rows that hold every scored index."""
    return curate(CurationInputs(columns=InfluenceColumns(scores), table=aligned(pool, scores.index, "pool"),
                                 targets=targets, capabilities=capabilities, settings=settings))
