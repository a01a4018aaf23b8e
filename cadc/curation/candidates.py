"""Which rows of each pool may be taken, and which may not for what reason (METHOD §5)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.settings import CurationSettings
from cadc.influence import InfluenceColumns

FEW = 8
"""Single target samples below which a unit's quantile says nothing."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What selection may choose from. N scored rows, K capabilities."""

    pool: np.ndarray
    """int32 [N]: capability of each row, -1 unattributed; rows tagged keep always have one."""
    open: np.ndarray
    """bool [N]: may be taken (attributed and through every filter), or is tagged keep."""
    kept: np.ndarray
    """int64: positions that are taken anyway, ascending."""
    left_out: dict[str, int]
    """Rows left out per reason; each row is counted once, under the first reason that holds."""


def candidates(columns: InfluenceColumns, table: pd.DataFrame, influence: np.ndarray, pool: np.ndarray,
               settings: CurationSettings) -> Candidates:
    """Apply tags and filters. table: rows in the order of the scores (columns index, group); influence: [N, K]."""
    index, rows = table["index"].to_numpy(), len(table)
    kept = np.flatnonzero(np.isin(index, np.array(settings.keep, np.int64))) if settings.keep else np.empty(0, np.int64)
    if influence.shape[1] == 0:
        kept = kept[:0]
    pool = pool.copy()
    lost = kept[pool[kept] < 0]
    pool[lost] = influence[lost].argmax(1) if len(lost) else pool[lost]
    free, left_out = pool >= 0, {}
    left_out["unattributed"] = int(rows - free.sum())
    always = np.zeros(rows, bool)
    always[kept] = True

    def leave_out(reason: str, mask: np.ndarray) -> None:
        mask = mask & free & ~always
        left_out[reason] = int(mask.sum())
        free[mask] = False

    if settings.drop:
        leave_out("tagged drop", np.isin(index, np.array(settings.drop, np.int64)))
    if settings.minimum_influence is not None:
        own = influence[np.arange(rows), np.maximum(pool, 0)] if influence.shape[1] else np.zeros(rows)
        leave_out("influence below the minimum", own < settings.minimum_influence)
    if settings.loss_quantile < 1 and columns.scores.has_crossfit:
        scores = columns.scores
        leave_out("held-out loss too high for its unit", looks_wrong(
            columns, scores.crossfit_loss, scores.crossfit_target, settings.loss_quantile))
    elif settings.drop_loss_share > 0:
        leave_out("highest loss of its unit", highest_loss(columns, settings.drop_loss_share))
    if settings.drop_duplicates:
        leave_out("near-duplicate", repeated(table["group"].to_numpy(), free, always))
    return Candidates(pool=pool, open=free, kept=kept, left_out=left_out)


def highest_loss(columns: InfluenceColumns, share: float) -> np.ndarray:
    """The ⌊share · n⌋ rows of highest last-checkpoint loss among the n rows nearest to a unit: bool [N] (METHOD §5).

    Nearest by z-scored near(z, s) over all units, assigned or not, so that the mask does not change with the
    capabilities. Such rows are the ones most likely to be answered wrongly. Of equal losses the later row goes first.
    """
    nearest = columns.nearest()
    size = np.bincount(nearest, minlength=len(columns.scores.units))
    return columns.loss_rank() < np.floor(share * size + 1e-9).astype(np.int32)[nearest]


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
