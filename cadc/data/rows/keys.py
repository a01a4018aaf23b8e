"""What becomes of every key of a row: none that is not understood passes in silence.

A column of the row is *read* (it became words, pictures, the id, …) or *kept* (it comes out again in exports, and
nothing is learnt from it). A key of a turn or of a content block is read or *ignored*.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from cadc.data.reasons import printable

Place = Literal["column", "turn", "block"]
Fate = Literal["read", "kept", "ignored"]
Key = tuple[Place, str, Fate]

NAMES = 400
"""So many different keys are counted by name in one file; more are counted together (rows with numbers for keys)."""
OTHERS = "… and other keys"


class Account:
    """The keys of one row, while it is read."""

    def __init__(self, row: dict[str, object]) -> None:
        self.row = row
        self.notes: list[str] = []
        """Warnings: the row is used, and this was seen."""
        self.named: set[str] = set()
        """Columns that a note speaks of already."""
        self._read: set[str] = set()
        self._inner: dict[Key, None] = {}

    def get(self, name: str) -> object:
        """A column's value, and note it as read."""
        self._read.add(name)
        return self.row.get(name)

    def first(self, names: Iterable[str]) -> tuple[str, object]:
        """The first of these columns that holds something, noted as read; ('', None) where there is none."""
        for name in names:
            if self.row.get(name) not in (None, "", [], {}):
                return name, self.get(name)
        return "", None

    def inside(self, place: Place, keys: Iterable[str], read: Iterable[str]) -> None:
        """Note the keys of one turn or block, of which `read` were understood."""
        known = set(read)
        for key in keys:
            self._inner[place, key, "read" if key in known else "ignored"] = None

    def note(self, text: str) -> None:
        """Warn of something, once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def left(self) -> list[str]:
        """Columns that nothing read, in their order."""
        return [name for name in self.row if name not in self._read]

    def keys(self) -> list[Key]:
        """What became of each key."""
        columns: list[Key] = [("column", name, "read" if name in self._read else "kept") for name in self.row]
        return columns + list(self._inner)


class KeyCounts:
    """Keys of all used rows of a file."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._named: set[tuple[Place, str]] = set()

    def add(self, keys: Iterable[Key]) -> None:
        """Count the keys of one row."""
        for place, name, fate in keys:
            if (place, name) not in self._named:
                if len(self._named) < NAMES:
                    self._named.add((place, name))
                else:
                    name = OTHERS
            self._counts[place, name, fate] += 1

    def told(self) -> dict[str, dict[str, dict[str, int]]]:
        """{place: {fate: {key: rows}}}, most frequent first; a key that was read in some rows and not in others stands
        under both."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for (place, name, fate), number in sorted(self._counts.items(), key=lambda one: (-one[1], one[0])):
            names = found.setdefault(place, {}).setdefault(fate, {})
            shown = printable(name, 60)
            names[shown] = names.get(shown, 0) + number
        return found


def told_keys(keys: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    """One line for each place and fate: `columns kept: licence (12), model (3)`."""
    return [f"{place}s {fate}: " + ", ".join(f"{name} ({rows})" for name, rows in names.items())
            for place in ("column", "turn", "block") for fate in ("read", "kept", "ignored")
            if (names := keys.get(place, {}).get(fate))]
