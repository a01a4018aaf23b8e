"""Numbers as a person says them, and names that can be told apart."""

import re
from collections.abc import Hashable, Iterable
from typing import TypeVar

Option = TypeVar("Option", bound=Hashable)


def duration(seconds: float | None) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`; a dash when unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def counted(number: int, what: str, more: str = "") -> str:
    """`no exports`, `1 export`, `1,200 exports`; `more` behind it."""
    return " ".join(filter(None, [f"{number:,}" if number else "no", what if number == 1 else f"{what}s", more]))


def unbroken(text: str) -> str:
    """The same with spaces at which no line ends: a number stays with its unit in a narrow cell."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def numbers_whole(text: str) -> str:
    """The same, with no line that ends between a number and what follows it."""
    return re.sub(r"(?<=\d) (?=\S)", "\N{NO-BREAK SPACE}", text)


def drawn(shown: int, of: int, what: str) -> str:
    """How much of what there is a figure shows."""
    return f"drawn {shown:,} of {of:,} {what}"


def told_apart(options: Iterable[tuple[Option, str]]) -> dict[Option, str]:
    """{option: name} in which no two names are equal: a browser answers with the name. The first keeps its own, another
    one is put into quotes."""
    found: dict[Option, str] = {}
    taken: set[str] = set()
    for option, name in options:
        while name in taken:
            name = f"“{name}”"
        found[option] = name
        taken.add(name)
    return found
