"""Which other columns of the pool's rows (`Sample.kept`) come along, and which are left, with the reason.

Readers built on `datasets` or pyarrow know one type a column and guess it from the first rows: a column that is text in
one row and a list in another stops them. For them only columns of one type are written, null where a row has none.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cadc.data.sample import Sample
from cadc.export.shapes import Json, kept

STAGE, CAPABILITY = "cadc_stage", "cadc_capability"
"""Columns of ours in every row."""
LICENCES = ("license", "licence", "licenses")
GUESSED_FROM = 1 << 20
"""Characters of other columns by which a reader has surely guessed a column's type (`datasets` takes 10 MB)."""
_NAMES = {str: "text", bool: "a truth value", int: "a whole number", float: "a number", list: "a list",
          dict: "an object"}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The other columns of one export."""

    taken: tuple[str, ...]
    left: dict[str, str]
    """Column → why it is not written."""
    licences: dict[str, dict[str, int]]
    """Licence column → rows of each value, over all rows of the curriculum."""
    filled: bool
    """Whether a row without a column gets a null."""

    def of(self, sample: Sample) -> Sample:
        """The sample with these columns alone."""
        if not (sample.kept or self.filled):
            return sample
        own = kept(sample)
        chosen = {name: own.get(name) for name in self.taken if self.filled or name in own}
        return replace(sample, kept=json.dumps(chosen, ensure_ascii=False) if chosen else "")


def columns(samples: Sequence[Sample], *, typed: bool, read: Collection[str] = ()) -> Columns:
    """What of the samples' other columns is written. typed: for readers that know one type a column; read: names that
    the trainer takes for columns of its own."""
    rows = [kept(sample) for sample in samples]
    names = dict.fromkeys(name for row in rows for name in row)
    left = {STAGE: "this export writes its own", CAPABILITY: "this export writes its own"}
    left |= {name: "the trainer reads a column of that name for something else" for name in read}
    left = {name: why for name, why in left.items() if name in names}
    if typed:
        left |= {name: why for name in names if name not in left and (why := _unlike(rows, name))}
    licences = {name: dict(Counter(str(row[name]) for row in rows if row.get(name) is not None))
                for name in names if name.lower() in LICENCES}
    return Columns(taken=tuple(name for name in names if name not in left), left=left, filled=typed,
                   licences={name: dict(sorted(found.items())) for name, found in licences.items()})


def untouched(samples: Sequence[Sample], *, written: bool) -> Columns:
    """Of rows that are the pool's own (`written`: every column is there), or ids alone (none is)."""
    found = columns(samples, typed=False)
    names = tuple(dict.fromkeys((*found.taken, *found.left)))
    left = {} if written else dict.fromkeys(names, "rows are named by their ids alone")
    return replace(found, taken=names if written else (), left=left)


def _unlike(rows: Sequence[Json], name: str) -> str:
    """Why a column is not of one type, '' where it is."""
    values = [row.get(name) for row in rows]
    kinds = sorted({_NAMES[type(value)] for value in values if value is not None})
    if not kinds:
        return "null in every row"
    if len(kinds) > 1:
        return f"{' in some rows, '.join(kinds)} in others"
    types = {_type(value) for value in values if value is not None}
    if len(types) > 1 or None in types:
        return f"{kinds[0]} whose content is not of one type"
    if any(value is None for value in values):
        if isinstance(next(v for v in values if v is not None), list | dict):
            return f"{kinds[0]} that some rows lack"
        if not _early(rows, name):
            return "its first value comes too late for a reader to guess its type"
    return ""


def _early(rows: Sequence[Json], name: str) -> bool:
    """Whether a value comes early enough."""
    seen = 0
    for row in rows:
        if row.get(name) is not None:
            return True
        seen += len(json.dumps(row, ensure_ascii=False)) + 100
        if seen > GUESSED_FROM:
            return False
    return False


def _type(value: object) -> object:
    """The type of a value, what is inside it included; None where that is not of one type (or cannot be told)."""
    if isinstance(value, dict):
        inner = {key: _type(one) for key, one in value.items()}
        return None if None in inner.values() or not inner else tuple(sorted(inner.items(), key=lambda item: item[0]))
    if isinstance(value, list):
        found = {_type(one) for one in value}
        return None if len(found) != 1 or None in found else ("list", found.pop())
    return None if value is None else type(value).__name__
