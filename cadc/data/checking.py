"""A look at a file before there is a study."""

from pathlib import Path
from typing import Any

import numpy as np

from cadc.data.duplicates import duplicate_groups
from cadc.data.ingestion import Ingest, ingest, listed
from cadc.data.limits import USUAL, PictureLimits
from cadc.data.rows import Reading


def check(path: Path | str, images_root: Path | str | None = None, unit_column: str = "",
          limits: PictureLimits = USUAL, *, neutralise: bool = False) -> dict[str, Any]:
    """What `ingest` would find, as JSON values; nothing is kept. Raises DataError when the file cannot be read, or no
    row of it has a form that is known; a file whose rows are all set aside for other reasons is reported on."""
    return checked(ingest(path, images_root, limits=limits,
                          reading=Reading(unit_column=unit_column, neutralise=neutralise)))


def checked(found: Ingest) -> dict[str, Any]:
    """{"samples" (rows in the file), "format", "accepted", "set_aside": [{index, id, reason}], "warnings", "keys": what
    became of the columns and of the keys of turns and blocks (`KeyCounts.told`), "near_duplicates": [{index, id,
    first: the row that it repeats}], "passed_over": {file that is no data: how many}}. `found.raw` is let go of."""
    found.raw.clear()  # memory: nobody asks for the rows' own text here
    groups = duplicate_groups(found)
    again = np.flatnonzero(groups != np.arange(len(groups)))
    repeats = [{"index": found.samples[i].index, "id": found.samples[i].id, "first": found.samples[groups[i]].index}
               for i in again]
    return {"samples": found.rows, "format": found.format, "accepted": len(found.samples),
            "set_aside": listed(found.set_aside), "warnings": listed(found.warnings), "keys": found.keys,
            "near_duplicates": repeats, "passed_over": found.passed_over}
