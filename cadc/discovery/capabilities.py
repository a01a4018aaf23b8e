"""Capabilities as a person shapes them: found by clustering, then named, moved and merged. Values, never changed in
place."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, TypeVar

from cadc.discovery.partition import Partition
from cadc.errors import DataError

T = TypeVar("T")

LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """K capabilities over M target units. Every capability has at least one unit; an emptied one leaves, its id is
    retired."""

    ids: tuple[str, ...]
    """K ids `c1`, `c2`, …: stable under every act, never used again."""
    names: tuple[str, ...]
    """K names, as typed; the id until somebody types one."""
    of_unit: tuple[int, ...]
    """M positions in `ids`; -1 for an unassigned unit."""
    units: tuple[str, ...]
    """M names of the target units."""
    issued: int
    """How many ids were ever given out."""
    skipped: tuple[str, ...] = ()
    """Sentences about acts that no longer applied when they were replayed."""

    @property
    def k(self) -> int:
        """K."""
        return len(self.ids)

    @property
    def unassigned(self) -> tuple[str, ...]:
        """Names of the units that belong to no capability."""
        return tuple(unit for unit, k in zip(self.units, self.of_unit, strict=True) if k < 0)

    def position(self, capability: str) -> int:
        """Position of an id in `ids`. Raises DataError when there is no such capability (any more)."""
        if capability not in self.ids:
            raise DataError(f"there is no capability {capability!r}. There are: {', '.join(self.ids) or 'none'}.")
        return self.ids.index(capability)

    def members(self, capability: str) -> tuple[str, ...]:
        """Names of the units of a capability, in target order. Raises DataError for an unknown id."""
        wanted = self.position(capability)
        return tuple(unit for unit, k in zip(self.units, self.of_unit, strict=True) if k == wanted)

    def name_of(self, capability: str) -> str:
        """The name of an id. Raises DataError for an unknown id."""
        return self.names[self.position(capability)]

    def as_one(self) -> "Capabilities":
        """All assigned units as one capability."""
        return replace(self, ids=("c1",), names=("all",), of_unit=tuple(min(k, 0) for k in self.of_unit))

    def describe(self) -> list[dict[str, Any]]:
        """JSON value: [{"id", "name", "units"}], in order."""
        return [{"id": i, "name": n, "units": list(self.members(i))} for i, n in zip(self.ids, self.names, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """JSON value; `from_dict` reads it back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Capabilities":
        """Read a JSON value."""
        kept: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                                for key, value in values.items()}
        return cls(**kept)


class Event(Protocol):
    """What `replay` needs of a decision: `rename`, `move` or `merge` with its payload (docs/architecture.md, store)."""

    @property
    def kind(self) -> str: ...

    @property
    def payload(self) -> Any: ...


def found(partition: Partition, units: Sequence[str]) -> Capabilities:
    """Capabilities as a partition found them: ids c1 … cK by size. Raises DataError when labels and units do not fit.
    """
    labels = tuple(int(label) for label in partition.labels)
    if len(labels) != len(units):
        raise DataError(f"{len(labels)} labels for {len(units)} target units: they belong to different targets.")
    ids = tuple(f"c{k + 1}" for k in range(partition.k))
    return Capabilities(ids=ids, names=ids, of_unit=labels, units=tuple(units), issued=len(ids))


def rename(capabilities: Capabilities, capability: str, name: str) -> Capabilities:
    """Give a capability the name a person typed: any script, trimmed, 1–80 characters.

    Raises DataError for an unknown id, an empty or too long name, control characters, or a name (or id) that another
    capability already has (compared without case): two equal names could not be told apart on any page or in the
    manifest.
    """
    position, typed = capabilities.position(capability), _checked_name(name)
    others = {
        _folded(text)
        for i, pair in enumerate(zip(capabilities.ids, capabilities.names, strict=True))
        if i != position
        for text in pair
    }
    if _folded(typed) in others:
        raise DataError(f"another capability is already called {typed!r}. Choose a different name, or merge the two.")
    return replace(capabilities, names=_put(capabilities.names, position, typed))


def _checked_name(name: str) -> str:
    """The trimmed name. Raises DataError."""
    typed = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(typed) <= LONGEST_NAME:
        raise DataError(f"a capability's name has 1 to {LONGEST_NAME} characters, this one has {len(typed)}.")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in typed):
        raise DataError("a capability's name is one line of text without control characters.")
    return typed


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _put(values: tuple[T, ...], position: int, value: T) -> tuple[T, ...]:
    return (*values[:position], value, *values[position + 1:])


def _unit(capabilities: Capabilities, unit: str | int) -> int:
    """Position of a unit given by name (or position). Raises DataError."""
    if isinstance(unit, str) and unit in capabilities.units:
        return capabilities.units.index(unit)
    if isinstance(unit, int) and not isinstance(unit, bool) and 0 <= unit < len(capabilities.units):
        return unit
    raise DataError(f"there is no target unit {unit!r}.")


def _without_empty(capabilities: Capabilities) -> Capabilities:
    """Drop capabilities without a unit; their ids stay retired because `issued` does not shrink."""
    kept = [k for k in range(capabilities.k) if k in capabilities.of_unit]
    renumber = {k: i for i, k in enumerate(kept)} | {-1: -1}
    return replace(capabilities, ids=tuple(capabilities.ids[k] for k in kept),
                   names=tuple(capabilities.names[k] for k in kept),
                   of_unit=tuple(renumber[k] for k in capabilities.of_unit))


def move(capabilities: Capabilities, unit: str | int, to: str | None) -> Capabilities:
    """Move a unit (by name) to the capability `to`, to a new one (`"new"`), or to none (`None`: unassigned).

    Raises DataError for an unknown unit or capability.
    """
    position = _unit(capabilities, unit)
    if to == "new":
        fresh = f"c{capabilities.issued + 1}"
        capabilities = replace(capabilities, ids=(*capabilities.ids, fresh), names=(*capabilities.names, fresh),
                               issued=capabilities.issued + 1)
        to = fresh
    goal = -1 if to is None else capabilities.position(to)
    return _without_empty(replace(capabilities, of_unit=_put(capabilities.of_unit, position, goal)))


def merge(capabilities: Capabilities, merged: str, into: str) -> Capabilities:
    """Put all units of `merged` into `into`; the id `merged` is retired. A name that somebody typed stays: that of
    `into`, or where it has none that of `merged`. Raises DataError for unknown or equal ids."""
    a, b = capabilities.position(merged), capabilities.position(into)
    if a == b:
        raise DataError(f"capability {merged!r} cannot be merged into itself.")
    names = capabilities.names
    if names[b] == into and names[a] != merged:
        names = _put(names, b, names[a])
    return _without_empty(replace(capabilities, names=names,
                                  of_unit=tuple(b if k == a else k for k in capabilities.of_unit)))


def replay(start: Capabilities, events: Iterable[Event]) -> Capabilities:
    """Apply `rename`, `move` and `merge` decisions in order; other kinds are none of its business.

    Total: an act that no longer applies (its unit or capability is gone, its payload is incomplete) is skipped and
    reported in `Capabilities.skipped`, never raised: a decision typed yesterday must not lock a study today.
    """
    now, skipped = start, list(start.skipped)
    for event in events:
        payload = event.payload if isinstance(event.payload, dict) else {}
        try:
            if event.kind == "rename":
                now = rename(now, payload["capability"], payload["name"])
            elif event.kind == "move":
                now = move(now, payload["unit"], payload["to"])
            elif event.kind == "merge":
                now = merge(now, payload["from"], payload["into"])
        except DataError as error:
            skipped.append(f"{event.kind} no longer applies: {error}")
        except KeyError as error:
            skipped.append(f"{event.kind} is incomplete: {error} is missing")
    return replace(now, skipped=tuple(skipped))


def inherit_names(before: Capabilities, after: Capabilities) -> Capabilities:
    """Carry typed names over a new clustering: a capability keeps its name when it shares more than half of all units
    involved (Jaccard > ½, so at most one heir exists). Ids start anew: moves and merges belonged to the old map."""
    for capability, name in zip(before.ids, before.names, strict=True):
        if name == capability:
            continue
        old = set(before.members(capability))
        for heir in after.ids:
            new = set(after.members(heir))
            if 2 * len(old & new) > len(old | new):
                after = replay(after, [_Rename({"capability": heir, "name": name})])
    return after


@dataclass(frozen=True)
class _Rename:
    payload: dict[str, str]
    kind: str = "rename"
