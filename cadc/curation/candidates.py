"""Which rows of each pool may be taken, and which may not for what reason (METHOD §5)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.settings import CurationSettings
from cadc.scores.influence import InfluenceColumns
from cadc.selection.filters import highest_loss, looks_wrong, repeated

UNATTRIBUTED, DROPPED, BELOW, WRONG, HIGH, REPEATED = (
    "unattributed", "tagged drop", "influence below the minimum", "loss under the judges too high for its unit",
    "highest loss of its unit", "near-duplicate")
"""Why a row is left out, in the order in which it is asked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidates:
    """What selection may choose from. N scored rows, K capabilities."""

    assignment: np.ndarray
    """int32 [N]: capability of each row, -1 unattributed; rows tagged keep always have one."""
    open: np.ndarray
    """bool [N]: may be taken (attributed and through every filter), or is tagged keep."""
    kept: np.ndarray
    """int64: positions that are taken anyway, ascending."""
    left_out: dict[str, int]
    """Rows left out per reason; each row is counted once, under the first reason that holds."""
    fate: np.ndarray
    """int8 [N]: position in `left_out` of the reason why a row is left out; -1: it is not."""
    unjudged: int = 0
    """Free rows that stay though the judges could not read them."""


def find_candidates(columns: InfluenceColumns, table: pd.DataFrame, influence: np.ndarray, assignment: np.ndarray,
                    settings: CurationSettings) -> Candidates:
    """Apply tags and filters. table: rows in the order of the scores (columns index, group); influence: [N, K];
    assignment: int32 [N], capability of each row or -1."""
    index, rows = table["index"].to_numpy(), len(table)
    kept = np.flatnonzero(np.isin(index, np.array(settings.keep, np.int64))) if settings.keep else np.empty(0, np.int64)
    if influence.shape[1] == 0:
        kept = kept[:0]
    assignment = assignment.copy()
    lost = kept[assignment[kept] < 0]
    assignment[lost] = influence[lost].argmax(1) if len(lost) else assignment[lost]
    free, left_out = assignment >= 0, {}
    left_out[UNATTRIBUTED] = int(rows - free.sum())
    fate = np.where(free, -1, 0).astype(np.int8)
    always = np.zeros(rows, bool)
    always[kept] = True

    def leave_out(reason: str, mask: np.ndarray) -> None:
        mask = mask & free & ~always
        fate[mask] = len(left_out)
        left_out[reason] = int(mask.sum())
        free[mask] = False

    if settings.drop:
        leave_out(DROPPED, np.isin(index, np.array(settings.drop, np.int64)))
    if settings.minimum_influence is not None:
        own = influence[np.arange(rows), np.maximum(assignment, 0)] if influence.shape[1] else np.zeros(rows)
        leave_out(BELOW, own < settings.minimum_influence)
    unjudged = 0
    if settings.loss_quantile < 1 and columns.scores.has_judge:
        leave_out(WRONG, looks_wrong(columns, settings.loss_quantile))
        unjudged = int((free & np.isnan(columns.scores.judge_loss)).sum())
    elif settings.drop_loss_share > 0:
        leave_out(HIGH, highest_loss(columns, settings.drop_loss_share))
    if settings.drop_duplicates:
        leave_out(REPEATED, repeated(table["group"].to_numpy(), free, always))
    return Candidates(assignment=assignment, open=free, kept=kept, left_out=left_out, fate=fate, unjudged=unjudged)
