"""Budgets and shares as sliders show them: whole parts that always sum to the total."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from cadc.arrays import largest_remainder

PARTS = 1000
"""Shares on the page are whole thousandths, so that sliders sum to exactly 100.0 %."""


def parts_of(shares: Mapping[str, float], total: int = PARTS) -> dict[str, int]:
    """Non-negative shares as whole parts of `total`, by largest remainder; equal parts when all shares are 0."""
    weights = np.array(list(shares.values()), np.float64)
    if not len(weights):
        return {}
    weights = weights if weights.sum() > 0 else np.ones_like(weights)
    return dict(zip(shares, largest_remainder(total * (weights / weights.sum()), total).tolist(), strict=True))


def rebalance(parts: Mapping[str, int], changed: str, value: int, locked: Collection[str] = (),
              total: int = PARTS) -> dict[str, int]:
    """Parts after the slider `changed` was moved to `value`: the others keep their proportions, and all sum to `total`.

    Locked ones stay; so `changed` gets at most what they leave, and exactly that when there is nobody else to give to.
    """
    fixed = {name: part for name, part in parts.items() if name in locked and name != changed}
    free = {name: part for name, part in parts.items() if name not in fixed and name != changed}
    room = total - sum(fixed.values())
    mine = room if not free else min(max(int(value), 0), room)
    moved = fixed | {changed: mine} | parts_of(free, room - mine)
    return {name: moved[name] for name in parts}


def share_of(percent: float) -> float:
    """A slider's % as a budget."""
    return round(percent / 100, 6)


def rows_budget(rows: int) -> float:
    """A typed number of rows as a budget; a budget of exactly 1 would mean the whole pool."""
    return max(float(rows), 1.0 + 1e-9)


def budget_text(budget: float) -> str:
    """A budget as the command line takes it: `5%`, or a number of rows."""
    return f"{100 * budget:g}%" if budget <= 1 else f"{budget:.0f}"


def parts_shown(parts: int) -> float:
    """Parts as the % of a slider, to its one digit: what it has then equals what it is told to show."""
    return round(parts / PARTS * 100, 1)


def parts_from(percent: float) -> int:
    """A slider's % as parts."""
    return round(percent / 100 * PARTS)


def moved(order: Sequence[str], item: str, by: int) -> list[str]:
    """The order after moving one item up (-1) or down (+1); the ends stop it."""
    rest = [other for other in order if other != item]
    place = min(max(list(order).index(item) + by, 0), len(rest))
    return [*rest[:place], item, *rest[place:]]
