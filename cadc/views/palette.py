"""One colour and one mark per capability on every page, one colour per arm, and dataset text made safe for a plot."""

import html
import re
from collections.abc import Sequence

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#A6761D", "#B2A800", "#4D7C8A")
"""Okabe-Ito and neighbours: told apart with the common colour-vision deficiencies and on light and dark ground."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
"""After ten capabilities the colours begin again with another mark, so colour alone never has to carry the meaning."""

UNASSIGNED = "#8A8F98"
"""Units and rows that belong to no capability."""

UNASSIGNED_NAME = "unassigned"

POOL, TARGET = "#56789A", "#C98A2B"
"""Pool and target: two tones that no capability has."""

POOL_GREY, CHOSEN = "#8a9099", "#0b7a75"
"""The whole pool, and what a curriculum takes of it."""

ARM_COLOURS = {"base": "#c3c7cc", "random": "#8a9099", "random-no-duplicates": "#a7adb5",
               "random-filtered": "#74808c", "full": "#5f6b7a",
               "cadc": "#0b7a75", "cadc-mixed": "#6cc5bf", "cadc-staged": "#2f9f99", "oracle": "#8fa8c4"}
"""Greys and teals, never taken for a capability's colour; each is seen on light and on dark ground."""
_OTHERS = ("#b08968", "#7f5539", "#d4a373", "#a98467", "#9c6644", "#6f5e53", "#c9ada7", "#8d7b68", "#b5838d", "#6d6875",
           "#a5a58d", "#84a98c", "#52796f", "#997b66")


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


def colours(ids: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The colour of each capability, by its name; both in one order."""
    return {name: colour(capability) for capability, name in zip(ids, names, strict=True)}


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """A colour for each arm; arms without a fixed one get browns, in order."""
    free = iter(_OTHERS * (1 + len(arms)))
    return {arm: ARM_COLOURS.get(arm) or next(free) for arm in arms}


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
