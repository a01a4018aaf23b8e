"""Rows that are left out before anything is chosen: likely wrong answers and repetitions (METHOD §5)."""

import numpy as np
import pandas as pd

from cadc.scores.influence import InfluenceColumns

SHARED = 16
"""How many target samples the losses of all units together count for in the bound of one."""


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


def looks_wrong(columns: InfluenceColumns, quantile: float) -> np.ndarray:
    """Rows whose loss under the judges lies beyond what right answers of their nearest unit cost, and to whose whole
    answer the judges give no more than even odds: bool [N] (METHOD §5, decision 0031). Rows without such a loss do not
    look wrong: nobody can say.

    Target answers are taken to be right, and their losses are those of judges that did not train on them: so a row
    beyond `wrong_bounds` is more likely wrong. Of an answer that is likelier than all others together nobody can say
    that it looks wrong, however certain the judges are of other answers of its unit.
    """
    scores = columns.scores
    loss, bound = np.asarray(scores.judge_loss, np.float64), wrong_bounds(
        np.asarray(scores.judge_target), np.asarray(scores.sample_unit), len(scores.units), quantile)
    with np.errstate(invalid="ignore"):
        return (loss > bound[columns.nearest()]) & (loss * np.asarray(scores.tokens) > np.log(2))


def wrong_bounds(target: np.ndarray, unit: np.ndarray, units: int, quantile: float) -> np.ndarray:
    """float64 [M]: this quantile of right answers' losses in each unit, drawn towards that of all units together, as if
    `SHARED` samples more had been seen there: ln b = (n ln b_unit + SHARED ln b_all) / (n + SHARED).

    target: float [S], losses of single target samples under judges that did not train on them, NaN where there is none;
    unit: int [S]. Without any loss at all nothing looks wrong: infinity.
    """
    known = np.isfinite(target)
    if not known.any():
        return np.full(units, np.inf)
    tiny = np.finfo(np.float32).tiny
    everyone = np.log(max(np.quantile(target[known], quantile), tiny))
    found = np.empty(units)
    for one in range(units):
        own = target[known & (unit == one)]
        mean = np.log(max(np.quantile(own, quantile), tiny)) if len(own) else 0.0
        found[one] = np.exp((len(own) * mean + SHARED * everyone) / (len(own) + SHARED))
    return found


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
