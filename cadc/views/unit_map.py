"""The map of target units as a browser draws it: places, looks, and what is said of each unit. M units."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cadc.views.palette import colour, symbol

LONGEST, ASKED = 26, 160
"""Characters of a unit's name beside its point, and of a question in what is said of it."""


def map_data(table: pd.DataFrame, spots: np.ndarray, chosen: Sequence[str], *, questions: Mapping[str, str], note: str,
             file: str, height: int) -> dict[str, Any]:
    """JSON value. table: `views.capabilities.unit_table`; spots: [M, 2]; chosen: units that stand out; questions: one
    of each unit, where it is known. `points` are the units in order, `groups` the capabilities with their centroids."""
    ids = [one for one in dict.fromkeys(table["capability"]) if one]
    own = {one: table["position"].to_numpy()[(table["capability"] == one).to_numpy()] for one in ids}
    names = table.drop_duplicates("capability").set_index("capability")["name"]
    groups = [{"name": _cut(names[one], 30), "colour": colour(one), "x": float(spots[own[one], 0].mean()),
               "y": float(spots[own[one], 1].mean())} for one in ids]
    place = {one: number for number, one in enumerate(ids)}
    points = [{"x": float(spots[row.position, 0]), "y": float(spots[row.position, 1]), "label": _cut(row.unit, LONGEST),
               "group": place.get(row.capability, -1), "colour": colour(row.capability),
               "shape": symbol(row.capability), "spoken": f"{row.unit}, in {row.name}",
               "lines": [_cut(row.unit, ASKED), f"{row.name} · answers: {row.answer_format} · {row.samples:,} samples",
                         *([f"asks: {_cut(questions[row.unit], ASKED)}"] if questions.get(row.unit) else [])]}
              for row in _rows(table)]
    picked = set(chosen)
    return {"points": points, "groups": groups, "chosen": [n for n, u in enumerate(table["unit"]) if u in picked],
            "note": note, "file": file, "height": height}


def _rows(table: pd.DataFrame) -> list[Any]:
    # A namedtuple keeps a column called `name` as it is.
    return list(table[["position", "unit", "capability", "name", "answer_format", "samples"]].itertuples(index=False))


def _cut(text: object, limit: int) -> str:
    plain = " ".join(str(text).split())
    return plain if len(plain) <= limit else plain[:limit - 1] + "…"
