"""Which pool rows a person looks at, in which order: one value that a page, an address and a kept view share."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from cadc.errors import DataError

Range = tuple[float | None, float | None]
"""Least and largest value, both included; None: no bound."""
OPEN: Range = (None, None)
NO_CAPABILITY = "none"
"""Stands for rows that no capability claims."""
SORTS: Mapping[str, str] = {
    "influence": "influence on the own capability", "file": "place in the pool file", "training": "place in training",
    "loss": "loss at the last checkpoint", "judge": "loss under the judges", "self": "self-influence",
    "answer": "length of the answer in characters", "near": "nearness to the target question"}
"""By what rows can be sorted: name → what it is."""


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """None and '' leave everything in."""

    source: str | None = None
    """As `rows.source_labels` shows it."""
    capability: str | None = None
    """Id of a capability, or `NO_CAPABILITY`."""
    unit: str | None = None
    """The unit to which a row is nearest."""
    format: str | None = None
    """Answer format."""
    status: str | None = None
    """`chosen`, `free`, or a key of `pool_rows.REASONS`."""
    mark: str | None = None
    """`tag:NAME`, or a key of `pool_rows.MARKS`."""
    words: str = ""
    """Part of the question, the answer or the id."""
    loss: Range = OPEN
    influence: Range = OPEN
    """On the own capability."""
    group: int | None = None
    """Pool row whose near-duplicates are meant."""
    area: str = ""
    """An area on the map of the pool (`pool_map.area_text`)."""
    target: int | None = None
    """Row of the target file whose nearest pool rows are meant."""
    sort: str = "influence"
    """A key of `SORTS`."""
    down: bool = True
    """Largest first."""

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise DataError(f"rows cannot be sorted by {self.sort!r}. Known: {', '.join(SORTS)}.")

    @property
    def narrows(self) -> bool:
        """Whether it leaves any row out."""
        return replace(self, **_ORDER) != RowFilter()

    def to_query(self) -> dict[str, str]:
        """As an address has it: only what is not as usual."""
        usual = asdict(RowFilter())
        return {key: _text(value) for key, value in asdict(self).items() if value != usual[key]}


_ORDER: dict[str, Any] = {"sort": "influence", "down": True}
LONGEST_INDEX = 18
"""Digits of a row's index: what is longer is none, and fits no array."""
KEYS = frozenset(f.name for f in fields(RowFilter))
"""What of an address belongs to a filter."""


def from_query(query: Mapping[str, str]) -> tuple[RowFilter, tuple[str, ...]]:
    """The filter of an address, and what of it could not be understood (sentences). Other keys are nobody's business
    here."""
    found, odd = RowFilter(), []
    for key in (key for key in query if key in KEYS):
        try:
            found = replace(found, **{key: _value(key, query[key])})
        except (ValueError, DataError):
            odd.append(f"{key}={query[key][:60]} in the address is not understood and left aside.")
    return found, tuple(odd)


def within(values: np.ndarray, bounds: Range) -> np.ndarray:
    """bool [N]: which values lie between these bounds; without a bound all do, with one NaN does not."""
    low, high = bounds
    with np.errstate(invalid="ignore"):
        keep = np.isfinite(values) if low is not None or high is not None else np.ones(len(values), bool)
        return keep & (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "..".join("" if end is None else f"{end:g}" for end in value)
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def _value(key: str, text: str) -> Any:
    """Raises ValueError."""
    if key in ("loss", "influence"):
        low, dots, high = text.partition("..")
        ends = tuple(float(end) if end.strip() else None for end in (low, high))
        if not dots or any(end is not None and not math.isfinite(end) for end in ends):
            raise ValueError(text)
        return ends
    if key in ("group", "target"):
        return int(text) if len(text) <= LONGEST_INDEX else _refuse(text)
    if key == "down":
        return {"1": True, "0": False}[text] if text in ("0", "1") else _refuse(text)
    return text


def _refuse(text: str) -> Any:
    raise ValueError(text)
