"""A table of named entries that other packages can add to: jobs, signals, presets, arms, export formats.

An entry is one file and one line in its table. A file outside this package adds its own with `TABLE.add(entry)`; it is
imported, once per process, when a table is first read: modules named in `$CADC_PLUGINS` (separated by commas), and
entry points of the group `cadc.plugins` of installed packages.
"""

import importlib
import importlib.metadata
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from cadc.errors import DataError

VARIABLE, GROUP = "CADC_PLUGINS", "cadc.plugins"


class Named(Protocol):
    """What an entry must have."""

    @property
    def name(self) -> str:
        """How commands, pages and files call it."""

    @property
    def about(self) -> str:
        """One line for a person."""


E = TypeVar("E", bound=Named)


class Registry(Mapping[str, E], Generic[E]):
    """Entries by their name, in the order they were added."""

    def __init__(self, what: str, entries: Iterable[E] = (), *, derived: Callable[[], Iterable[E]] = tuple) -> None:
        """`what`: how a person calls an entry (`job`, `export format`), for messages; `derived`: entries that follow
        from another table, behind this one's own; one whose name is taken is left out."""
        self._what, self._derived = what, derived
        self._entries: dict[str, E] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: E) -> E:
        """Add an entry and return it. Raises DataError where the name is taken by another one."""
        if self._entries.get(entry.name, entry) != entry:
            raise DataError(f"{self._what} {entry.name!r} is there already. Give the new one another name.")
        self._entries[entry.name] = entry
        return entry

    def _all(self) -> dict[str, E]:
        load_plugins()
        return self._entries | {entry.name: entry for entry in self._derived() if entry.name not in self._entries}

    def __getitem__(self, name: str) -> E:
        """The entry. Raises DataError that lists the known names."""
        found = self._all()
        if name not in found:
            raise DataError(f"unknown {self._what} {name!r}. Known: {', '.join(found)}")
        return found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


_loaded: set[str] = set()
"""Plugins of this process, also those that are being imported now: a plugin may read tables itself."""


def load_plugins() -> None:
    """Import every plugin that was not yet. Raises DataError for one that cannot be imported."""
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if "entry points" not in _loaded:
        _loaded.add("entry points")
        names += [point.value.partition(":")[0] for point in importlib.metadata.entry_points(group=GROUP)]
    for name in names:
        if name not in _loaded:
            _loaded.add(name)
            try:
                importlib.import_module(name)
            except ImportError as error:
                raise DataError(f"the plugin {name!r} cannot be imported ({error}). Mend it, or take it out of "
                                f"${VARIABLE}.") from error
