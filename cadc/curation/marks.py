"""What a person said of pool rows: tags, notes, what was looked at, and filters kept under a name.

Pool rows are named by their index in the pool file, which no new scores move. Decisions of the scope `rows` say it
(docs/schema.md); nothing of it changes what a curriculum takes.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cadc.arrays import numbers_of, spans
from cadc.discovery.capabilities import Event
from cadc.errors import DataError

LONGEST_TAG, LONGEST_NOTE = 40, 4000
"""Characters."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Marks:
    """All marks in force."""

    tags: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Pool rows (int64, ascending) of each tag, in the order in which tags were first used; tags without a row are not
    in it."""
    checked: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """Pool rows that somebody looked at, ascending."""
    notes: Mapping[int, str] = field(default_factory=dict)
    """Pool row → what is noted."""
    views: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name → a filter as the address has it."""
    skipped: tuple[str, ...] = ()
    """Decisions that could not be read, and why."""

    def of(self, row: int) -> tuple[str, ...]:
        """Tags of a pool row."""
        return tuple(tag for tag, rows in self.tags.items() if _holds(rows, row))

    def is_checked(self, row: int) -> bool:
        """Whether somebody looked at it."""
        return _holds(self.checked, row)


def _holds(rows: np.ndarray, row: int) -> bool:
    place = int(np.searchsorted(rows, row))
    return place < len(rows) and int(rows[place]) == row


def tag_payload(tag: str, rows: Iterable[int] | np.ndarray, *, on: bool = True) -> dict[str, Any]:
    """A `tag` decision. Raises DataError for a tag that is no line of 1 to 40 characters, or for no rows."""
    return {"tag": one_line(tag, "a tag", LONGEST_TAG), "rows": _some(rows), "on": on}


def check_payload(rows: Iterable[int] | np.ndarray, *, on: bool = True) -> dict[str, Any]:
    """A `check` decision. Raises DataError for no rows."""
    return {"rows": _some(rows), "on": on}


def note_payload(row: int, text: str) -> dict[str, Any]:
    """A `note` decision; an empty text takes the note away. Raises DataError for a text that is too long."""
    if len(text) > LONGEST_NOTE:
        raise DataError(f"a note has at most {LONGEST_NOTE:,} characters, this one has {len(text):,}.")
    return {"row": int(row), "text": text.strip()}


def view_payload(name: str, query: Mapping[str, str]) -> dict[str, Any]:
    """A `view` decision; an empty query forgets the view. Raises DataError for a name that is no line."""
    return {"name": one_line(name, "the name of a view", LONGEST_TAG), "query": dict(query)}


def one_line(text: str, what: str, longest: int) -> str:
    """Trimmed. Raises DataError when it is empty, too long, or has control characters."""
    typed = text.strip()
    if not 1 <= len(typed) <= longest or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in typed):
        raise DataError(f"{what} is one line of 1 to {longest} characters, without control characters.")
    return typed


def _some(rows: Iterable[int] | np.ndarray) -> str:
    text = spans(rows)
    if not text:
        raise DataError("no row is chosen.")
    return text


def marks_of(events: Iterable[Event]) -> Marks:
    """Replay decisions in force; other kinds are none of its business. Total: a decision that cannot be read is skipped
    and reported, never raised."""
    tags: dict[str, np.ndarray] = {}
    checked, skipped = np.empty(0, np.int64), []
    notes: dict[int, str] = {}
    views: dict[str, Mapping[str, str]] = {}
    for event in events:
        about: dict[str, Any] = event.payload if isinstance(event.payload, dict) else {}
        try:
            if event.kind == "tag":
                tag = str(about["tag"])
                tags[tag] = _changed(tags.get(tag, np.empty(0, np.int64)), about)
            elif event.kind == "check":
                checked = _changed(checked, about)
            elif event.kind == "note":
                notes[int(about["row"])] = str(about["text"])
            elif event.kind == "view":
                views[str(about["name"])] = {str(k): str(v) for k, v in dict(about["query"]).items()}
        except (DataError, KeyError, TypeError, ValueError) as error:
            skipped.append(f"{event.kind} could not be read: {error}")
    return Marks(tags={tag: rows for tag, rows in tags.items() if len(rows)}, checked=checked,
                 notes={row: text for row, text in notes.items() if text},
                 views={name: query for name, query in views.items() if query}, skipped=tuple(skipped))


def _changed(rows: np.ndarray, about: Mapping[str, Any]) -> np.ndarray:
    named = numbers_of(str(about["rows"]))
    return np.union1d(rows, named) if about.get("on", True) else np.setdiff1d(rows, named, assume_unique=True)
