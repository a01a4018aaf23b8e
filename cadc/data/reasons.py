"""Why a row is not used, or used with a warning: always a short stable phrase, then a detail after a colon."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cadc.data.indices import FileIndex

TOO_LONG, PROCESSOR, NOT_FINITE = "too long", "refused by the model's processor", "not finite"
PICTURE, UNFIT = "picture cannot be opened", "does not fit the model"
LEFT_OUT = (TOO_LONG, PROCESSOR, NOT_FINITE, PICTURE, UNFIT)
"""Why a row that ingest accepted is left out in the run: kinds of `RowRefused`, and what losses and gradients say."""
PROBABLY_TOO_LONG = "probably too long"
"""Said of a row before the run, from estimated tokens."""
_EARLIER = (("more than max_tokens=", TOO_LONG), ("processor refuses it", PROCESSOR),
            ("not a finite number", NOT_FINITE), ("(image root ", PICTURE), ("Repair the file", PICTURE))
"""What reasons of earlier versions, which had no kind in front, say → their kind."""

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


def run_reason(text: str) -> str:
    """Why a row was left out in the run, kind first: reasons of earlier versions get theirs, the others stay."""
    if text.split(":", 1)[0] in LEFT_OUT:
        return text
    return f"{next((kind for words, kind in _EARLIER if words in text), UNFIT)}: {text}"


def counted(kinds: Iterable[str]) -> dict[str, int]:
    """Counts, most frequent first, ties by name."""
    return dict(sorted(Counter(kinds).items(), key=lambda item: (-item[1], item[0])))


def told(kinds: Mapping[str, int]) -> str:
    """`2 (too long: 1, not finite: 1)`; `none` where nothing is counted."""
    if not kinds:
        return "none"
    return f"{sum(kinds.values()):,} (" + ", ".join(f"{kind}: {count:,}" for kind, count in kinds.items()) + ")"


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
