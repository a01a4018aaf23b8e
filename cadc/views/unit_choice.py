"""Which target units a person has picked, as an address says it: names, so that a link means the same elsewhere."""

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from cadc.arrays import numbers_of, spans
from cadc.discovery import Capabilities
from cadc.errors import DataError

KEYS = frozenset({"units", "numbered", "capability"})
"""What of an address belongs to the units that are picked: names; places in the list of units, where the names are too
long; a capability, which stands for its units as they are now."""
LONGEST = 1500
"""Characters of names in an address; browsers and mail programs cut longer ones."""
TOLD = 3
"""Unknown names that are told one by one."""


def to_query(chosen: Sequence[str], known: Sequence[str]) -> dict[str, str | list[str]]:
    """As an address has it. known: M names of the study's units, in order."""
    if sum(len(quote(unit)) + len("&units=") for unit in chosen) <= LONGEST:
        return {"units": list(chosen)} if chosen else {}
    picked = set(chosen)
    return {"numbered": f"{_mark(known)}:{spans([place for place, unit in enumerate(known) if unit in picked])}"}


def from_query(asked: Mapping[str, Sequence[str]], found: Capabilities) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The units of an address in the order in which they were picked, each once, and what of it could not be understood
    (sentences). asked: key → all values that the address has for it; other keys are nobody's business here."""
    named = list(dict.fromkeys(asked.get("units", ())))
    odd = [f"No unit is called {unit[:60]!r} here." for unit in named if unit not in found.units]
    if len(odd) > TOLD:
        odd = [*odd[:TOLD], f"And {len(odd) - TOLD:,} more units that are not here."]
    chosen = [unit for unit in named if unit in found.units]
    for text in asked.get("numbered", ())[:1]:
        try:
            chosen += [found.units[place] for place in _places(text, found.units)]
        except DataError as error:
            odd.append(f"numbered={text[:60]} in the address is left aside: {error}")
    for capability in asked.get("capability", ())[:1]:
        if capability in found.ids:
            chosen += found.members(capability)
        else:
            odd.append(f"No capability is called {capability[:60]!r} here.")
    return tuple(dict.fromkeys(chosen)), tuple(odd)


def paired(first: int, second: int, chosen: Sequence[str], known: Sequence[str]) -> list[str]:
    """What a click on a cell of the similarity leaves picked: its two units, or the one of the diagonal; nothing where
    just these were picked before. first, second: places in `known`."""
    units = list(dict.fromkeys((known[first], known[second])))
    return [] if set(units) == set(chosen) else units


def _places(text: str, known: Sequence[str]) -> list[int]:
    mark, _, numbers = text.partition(":")
    if mark != _mark(known):
        raise DataError("it is about other units than this study has.")
    places = numbers_of(numbers, len(known)).tolist()
    if places and not 0 <= places[0] <= places[-1] < len(known):
        raise DataError(f"there are {len(known):,} units.")
    return places


def _mark(known: Sequence[str]) -> str:
    """Other units, another mark: a place in one list means nothing in another."""
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]
