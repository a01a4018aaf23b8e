"""What a file reader hands on for each row."""

import datetime
import math
from dataclasses import dataclass, field

from cadc.data.indices import FileIndex


@dataclass(frozen=True)
class RawRow:
    """One row as it stands in the file, before anybody asked what it means."""

    index: FileIndex
    """Position among the rows of the file."""
    value: object = None
    """The decoded JSON value; pictures embedded in parquet are `Embedded`."""
    raw: str = ""
    """Its JSON text in one line, embedded pictures replaced by the name of the file they are kept under."""
    problem: str = ""
    """Why it cannot be used, '' if it can be looked at."""
    columns: tuple[str, ...] = field(default=())
    """Columns with pictures (parquet), in order."""


@dataclass(frozen=True)
class Embedded:
    """A picture whose bytes are part of the row."""

    name: str
    """`ingest/images/<content hash>.<extension>`."""
    data: bytes = field(repr=False)


def plain(value: object) -> object:
    """A value as JSON can write it: names for pictures, null for NaN and stray bytes, text for dates and decimals."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Embedded):
        return value.name
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
