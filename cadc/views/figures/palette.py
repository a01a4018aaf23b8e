"""One colour and one mark per capability on every page, and dataset text made safe for a plot."""

import html
import re
from collections.abc import Iterable

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#A6761D", "#B2A800", "#4D7C8A")
"""Okabe-Ito and neighbours: told apart with the common colour-vision deficiencies and on light and dark inputs."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
"""After ten capabilities the colours begin again with another mark, so colour alone never has to carry the meaning."""

UNASSIGNED = "#8A8F98"
"""Units and rows that belong to no capability."""

UNASSIGNED_NAME = "unassigned"


def place(capability: str) -> int:
    """Number in an id like `c12`, from 0 (ids are never reused, so a colour never moves to another capability)."""
    found = re.fullmatch(r"\D*(\d+)", capability)
    return int(found.group(1)) - 1 if found else 0


def colour(capability: str | None) -> str:
    """Colour of a capability id; None or '' is unassigned."""
    return COLOURS[place(capability) % len(COLOURS)] if capability else UNASSIGNED


def symbol(capability: str | None) -> str:
    """Plot mark of a capability id."""
    return SYMBOLS[place(capability) // len(COLOURS) % len(SYMBOLS)] if capability else "circle-open"


def colours(capabilities: Iterable[str | None]) -> list[str]:
    """Colours of several ids."""
    return [colour(c) for c in capabilities]


def plain(text: str, limit: int = 60) -> str:
    """Dataset text for a plot: cut, and with `<`, `&` and `$` written so that plotly reads no markup in it."""
    text = " ".join(str(text).split())
    text = text if len(text) <= limit else text[:limit - 1] + "…"
    return html.escape(text, quote=False).replace("$", "&#36;")


_MARKS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "cross": "✚", "star": "★",
          "circle-open": "○"}


def mark(capability: str | None) -> str:
    """The capability's plot mark as a character, for text beside a plot."""
    return _MARKS[symbol(capability)]
