"""Why a row is not used, or used with a warning: always a short stable phrase, then a detail after a colon."""

from dataclasses import dataclass

from cadc.data.indices import FileIndex

ID_LENGTH = 200
"""Ids are cut to this many characters in reports."""


@dataclass(frozen=True)
class Reason:
    """One row that was set aside or warned about."""

    index: FileIndex
    """Position among the rows of the file, counted from 0."""
    id: str
    """The row's id, '' when it has none."""
    reason: str

    @property
    def kind(self) -> str:
        """The stable phrase without its detail, for counting."""
        return self.reason.split(":", 1)[0]


class SetAside(Exception):
    """Raised while one row is read; its text is the reason. Never leaves `cadc.data`."""


def printable(text: object, limit: int = ID_LENGTH) -> str:
    """A text that every encoder and terminal takes: no unpaired surrogates, no control characters, cut to `limit`."""
    if isinstance(text, str) and len(text) <= limit and text.isascii() and text.isprintable():
        return text
    clean = str(text).encode("utf-8", "replace").decode("utf-8")
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in clean[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def kind_of(value: object) -> str:
    """JSON's word for the type of a value, for messages."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
