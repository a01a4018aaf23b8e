"""Selection by gradients: what others make of the same influences.

Where a paper leaves a choice open, the docstring says which was made. N pool rows, M units.
"""

import numpy as np

from cadc.arrays import standardise
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows, with_gradients


def _less(context: SelectionContext) -> TrainingRows:
    """Highest influence on the mean gradient of the whole target (LESS, Xia et al. 2024)."""
    return TrainingRows(positions=context.best(context.known.target_influence))


def _icons(context: SelectionContext) -> TrainingRows:
    """Every unit votes for its top x %, x the budget's share of the pool; most votes first (ICONS, Wu et al. 2024).

    Rows of equal votes by their mean influence in standard deviations of each unit.
    """
    influence = context.known.unit_influence
    rows = np.flatnonzero(context.allowed)
    top = max(1, min(len(rows), context.budget))
    votes = np.zeros(len(influence))
    for unit in range(influence.shape[1]):
        order = rows[np.argsort(-influence[rows, unit], kind="stable")]
        votes[order[:top]] += 1
    tie = standardise(influence, 0).mean(1)
    return TrainingRows(positions=context.best(votes + 0.5 * (np.argsort(np.argsort(tie)) / max(len(tie), 1))))


def _bids(context: SelectionContext) -> TrainingRows:
    """Per-unit balanced greedy (after BIDS, Dai et al. 2025): influence normalised per unit over the pool, then always
    the row of highest influence on the unit that the rows chosen so far serve least."""
    influence = standardise(context.known.unit_influence, 0)
    ranked = [iter(order) for order in np.argsort(-influence, axis=0, kind="stable").T.tolist()]
    free, served, chosen = context.allowed.copy(), np.zeros(influence.shape[1]), []
    for _ in range(min(context.budget, int(free.sum()))):
        unit = int(served.argmin())
        row = next(r for r in ranked[unit] if free[r])
        free[row] = False
        served += influence[row]
        chosen.append(row)
    return TrainingRows(positions=np.array(chosen, np.int64))


def _self_influence(context: SelectionContext) -> TrainingRows:
    """Highest Σ_t Inf^Self: what the model finds hardest."""
    return TrainingRows(positions=context.best(context.known.inputs.self_total))


LESS = Arm(name="less", about="highest influence on the mean gradient of the whole target", select=_less,
           available=with_gradients)
ICONS = Arm(name="icons", about="every unit votes for its top rows; most votes", select=_icons,
            available=with_gradients)
BIDS = Arm(name="bids", about="greedy: always the unit that is served least", select=_bids, available=with_gradients)
SELF_INFLUENCE = Arm(name="self-influence", about="highest self-influence", select=_self_influence,
                     available=with_gradients)
