"""Rows that a curriculum takes always or never, changed by many rows at once."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cadc.curation import CurationSettings
from cadc.errors import DataError

MOST = 50_000
"""Rows that can be named one by one: every decision lists them."""


def taken_or_not(settings: CurationSettings, rows: Iterable[int] | np.ndarray, word: str) -> CurationSettings:
    """These settings with pool rows taken always (`keep`), never (`drop`), or as filters say (''). Raises DataError
    when more than `MOST` rows would be named."""
    named = [int(row) for row in rows]
    inside = set(named)
    keep, drop = ([row for row in own if row not in inside] for own in (settings.keep, settings.drop))
    {"keep": keep, "drop": drop, "": []}[word].extend(named)
    if max(len(keep), len(drop)) > MOST:
        raise DataError(f"more than {MOST:,} rows cannot be named one by one as always or never taken. Narrow the "
                        "filter, or use the filters and caps of the Curriculum page.")
    return replace(settings, keep=tuple(keep), drop=tuple(drop))
