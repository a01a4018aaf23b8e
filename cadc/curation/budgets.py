"""How many rows each capability gets (METHOD §5): shares by a rule, rows by largest remainder, capped by its pool."""

import numpy as np

from cadc.arrays import largest_remainder
from cadc.curation.settings import CurationSettings
from cadc.discovery.capabilities import Capabilities


def shares(settings: CurationSettings, capabilities: Capabilities, assignment: np.ndarray,
           self_total: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """w_k with Σ w_k = 1 (METHOD §5) and sentences about what could not be followed: float64 [K].

    assignment: int [N], the capability of each row or -1; self_total: [N], Σ_t Inf^Self(z; t).
    """
    k, notes = capabilities.k, []
    if k == 0:
        return np.zeros(0), ["There is no capability, so no row can be chosen. Assign at least one target unit."]
    assigned = assignment[assignment >= 0]
    size = np.bincount(assigned, minlength=k)[:k].astype(np.float64)
    if settings.rule == "self-influence":
        total = np.bincount(assigned, self_total[assignment >= 0].astype(np.float64), minlength=k)[:k]
        weight = np.divide(total, size, out=np.zeros(k), where=size > 0)
    elif settings.rule == "pool-size":
        weight = size
    elif settings.rule == "target-share":
        weight = np.bincount([c for c in capabilities.of_unit if c >= 0], minlength=k).astype(np.float64)
    elif settings.rule == "manual":
        typed = dict(settings.shares)
        weight = np.array([typed.get(c, 0.0) for c in capabilities.ids])
        if gone := [c for c in typed if c not in capabilities.ids]:
            notes.append(f"Manual shares of {', '.join(gone)} are left aside: these capabilities are gone.")
    else:
        weight = np.ones(k)
    if not weight.sum() > 0:
        notes.append(f"The rule {settings.rule!r} gives every capability zero: equal shares instead.")
        weight = np.ones(k)
    return weight / weight.sum(), notes


def allocate(total: int, share: np.ndarray, capacity: np.ndarray, minimum: np.ndarray | None = None) -> np.ndarray:
    """Whole rows per capability by largest remainder, no more than its capacity: int64 [K] (METHOD §5).

    What a capped capability cannot use goes to the others by the same shares: n_k = clip(λ·w_k, minimum_k,
    capacity_k) with the one λ that makes the sum `total`; those between their bounds are rounded by largest
    remainder, ties to the earlier one. So the sum is `total`, or all that capabilities with a share can give where
    that is less. minimum: int [K], rows that are taken anyway (≤ capacity); they count inside the share.
    """
    share, high = np.asarray(share, np.float64), np.asarray(capacity, np.int64)
    low = np.zeros_like(high) if minimum is None else np.minimum(np.asarray(minimum, np.int64), high)
    positive = share > 1e-12 * share.sum()  # less than that is a rounding, not a wish
    high = np.where(positive, high, low)
    if total >= high.sum() or total <= low.sum():
        return high if total >= high.sum() else low
    below, above = 0.0, float(high.max() / share[positive].min()) + 1
    for _ in range(200):
        level = (below + above) / 2
        below, above = (level, above) if np.clip(level * share, low, high).sum() < total else (below, level)
    between = (above * share > low + 1e-6) & (above * share < high - 1e-6)
    rows = np.where(above * share >= high - 1e-6, high, low)
    rest = total - int(rows[~between].sum())
    ideal = rest * share[between] / share[between].sum() if between.any() else np.empty(0)
    rows[between] = largest_remainder(ideal, rest)
    return rows
