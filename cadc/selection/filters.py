"""Rows that are left out before anything is chosen: likely wrong answers and repetitions (METHOD §5)."""

import numpy as np
import pandas as pd

from cadc.scores.influence import InfluenceColumns

FEW = 8
"""Single target samples below which a unit's quantile says nothing."""


def highest_loss(columns: InfluenceColumns, share: float) -> np.ndarray:
    """The ⌊share · n⌋ rows of highest loss (`Scores.last_loss`) among the n rows nearest to a unit: bool [N] (METHOD
    §5).

    Nearest by calibrated near(z, s) over all units, assigned or not, so that the mask does not change with the
    capabilities. Such rows are the ones most likely to be answered wrongly. Of equal losses the later row goes first;
    a row whose loss nobody knows stays.
    """
    nearest = columns.nearest()
    size = np.bincount(nearest, minlength=len(columns.scores.units))
    known = np.isfinite(columns.scores.last_loss)
    return known & (columns.loss_rank() < np.floor(share * size + 1e-9).astype(np.int32)[nearest])


def looks_wrong(columns: InfluenceColumns, loss: np.ndarray, target: np.ndarray, quantile: float = 0.9) -> np.ndarray:
    """Rows whose loss exceeds this quantile of the target samples' losses in the row's nearest unit, and to whose whole
    answer the models give no more than even odds: bool [N] (docs/decisions/0016, 0018).

    loss [N], target [S]: mean over answer tokens, under models that trained on neither. Target answers are taken to be
    right, so a row beyond what right answers of its unit cost is more likely wrong; where the models have not learnt
    the unit, right answers cost much too and few rows go. Where they have, the quantile is tiny and a right answer may
    well cost more; but of an answer that is likelier than all others together nobody can say that it looks wrong. A
    unit of fewer than `FEW` samples takes the quantile over all of them.
    """
    of, everyone = np.asarray(columns.scores.sample_unit), np.quantile(target, quantile)
    bound = np.array([np.quantile(own, quantile) if len(own := target[of == unit]) >= FEW else everyone
                      for unit in range(len(columns.scores.units))])
    loss = np.asarray(loss)
    return (loss > bound[columns.nearest()]) & (loss * np.asarray(columns.scores.tokens) > np.log(2))


def repeated(group: np.ndarray, free: np.ndarray, always: np.ndarray) -> np.ndarray:
    """All but one row of each near-duplicate group among the free rows: bool [N].

    The one that stays is the first row tagged keep, else the first in the file; so the number of rows to choose from
    is known before the selection, and no pair of copies can be taken from two pools.
    """
    positions = np.flatnonzero(free)
    positions = positions[np.argsort(~always[positions], kind="stable")]
    mask = np.zeros(len(free), bool)
    mask[positions] = pd.Index(group[positions]).duplicated()
    return mask
