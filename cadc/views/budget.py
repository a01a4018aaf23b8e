"""A budget as a person says it: on a logarithmic scale in % of the pool, or as a share, rows or tokens to type."""

import math
from collections.abc import Callable

import numpy as np

from cadc.curation import CurationSettings
from cadc.curation.workbench import Workbench
from cadc.views import shares
from cadc.views.training import pool_tokens, rows_of_tokens

UNITS = ("share", "rows", "tokens")
"""What a budget may be typed in: % of the pool, rows, training tokens."""
LEAST, MOST = 0.1, 100.0
"""Ends of the scale, in % of the pool."""
STEPS_OF_10 = 40
"""Steps of the scale from one power of ten to the next."""


def scale() -> list[float]:
    """% of the pool from 0.1 to 100, each a little larger than the one before by about the same factor; round numbers,
    1, 2 and 5 among them."""
    fine = np.logspace(math.log10(LEAST), math.log10(MOST), 3 * STEPS_OF_10 + 1)
    rounded = {float(f"{value:.2g}") for value in fine}
    return sorted(rounded | {digit * 10.0**power for power in (-1, 0, 1) for digit in (1, 2, 5)} | {MOST})


def on_scale(budget: float, pool: int) -> float:
    """The place on `scale` that is nearest to a budget (share up to 1, else rows)."""
    percent = min(MOST, max(LEAST, 100 * (budget if budget <= 1 else budget / max(pool, 1))))
    return min(scale(), key=lambda place: abs(math.log(place / percent)))


def place_text(percent: float) -> str:
    """A place of the scale in words."""
    return f"{percent:g} %"


def typed(unit: str, settings: CurationSettings, pool: int, tokens: float | None) -> float:
    """A budget in one of `UNITS`, as its field shows it; tokens: those of the chosen rows."""
    if unit == "share":
        own = settings.budget if settings.budget <= 1 else settings.rows(pool) / max(pool, 1)
        return max(0.001, round(100 * own, 3))
    return float(max(1, settings.rows(pool) if unit == "rows" else round(tokens or 0)))


def most(unit: str, bench: Workbench) -> float:
    """The largest budget that can be typed in a unit."""
    if unit == "tokens":
        found = pool_tokens(bench)
        return float(math.ceil(found.each.sum())) if found else 1.0
    return 100.0 if unit == "share" else float(max(len(bench.table), 1))


def read(unit: str, bench: Workbench, draft: CurationSettings) -> Callable[[float], float]:
    """How a typed number becomes a budget: tokens as the rows that have so many under this draft, now."""
    if unit == "share":
        return lambda value: round(value / 100, 8)
    if unit == "rows":
        return lambda value: shares.rows_budget(int(value))

    def of_tokens(value: float) -> float:
        found = pool_tokens(bench)
        return shares.rows_budget(rows_of_tokens(bench, draft, found, value)) if found else draft.budget

    return of_tokens
