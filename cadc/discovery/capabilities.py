"""Capabilities as a person shapes them: found by clustering, then named, moved and merged. Values, never changed in
place."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    locked: tuple[str, ...] = ()
    """Ids whose units stay together, and alone, until they are unlocked: also on a map that is found anew."""

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
        return replace(self, ids=("c1",), names=("all",), of_unit=tuple(min(k, 0) for k in self.of_unit),
                       locked=())

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
    """What `replay` needs of a decision: one of `ACTS` with its payload (docs/architecture.md, store)."""

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

    Raises DataError for an unknown unit or capability, or a locked one.
    """
    position = _unit(capabilities, unit)
    now = capabilities.of_unit[position]
    _unlocked(capabilities, *([capabilities.ids[now]] if now >= 0 else []), *([to] if to else []))
    if to == "new":
        fresh = f"c{capabilities.issued + 1}"
        capabilities = replace(capabilities, ids=(*capabilities.ids, fresh), names=(*capabilities.names, fresh),
                               issued=capabilities.issued + 1)
        to = fresh
    goal = -1 if to is None else capabilities.position(to)
    return _without_empty(replace(capabilities, of_unit=_put(capabilities.of_unit, position, goal)))


def merge(capabilities: Capabilities, merged: str, into: str) -> Capabilities:
    """Put all units of `merged` into `into`; the id `merged` is retired. A name that somebody typed stays: that of
    `into`, or where it has none that of `merged`. Raises DataError for unknown, equal or locked ids."""
    a, b = capabilities.position(merged), capabilities.position(into)
    if a == b:
        raise DataError(f"capability {merged!r} cannot be merged into itself.")
    _unlocked(capabilities, merged, into)
    names = capabilities.names
    if names[b] == into and names[a] != merged:
        names = _put(names, b, names[a])
    return _without_empty(replace(capabilities, names=names,
                                  of_unit=tuple(b if k == a else k for k in capabilities.of_unit)))


def lock(capabilities: Capabilities, capability: str, on: bool) -> Capabilities:
    """Keep the units of a capability as they are, or let go of them. Raises DataError for an unknown id."""
    capabilities.position(capability)
    held = {*capabilities.locked, capability} if on else {*capabilities.locked} - {capability}
    return replace(capabilities, locked=tuple(i for i in capabilities.ids if i in held))


def _unlocked(capabilities: Capabilities, *ids: str) -> None:
    """Raises DataError where one of these is locked."""
    for capability in ids:
        if capability in capabilities.locked:
            raise DataError(f"capability {capability!r} is locked. Unlock it first.")


def label(capabilities: Capabilities, groups: Sequence[Mapping[str, Any]], unassigned: Sequence[str] = ()
          ) -> Capabilities:
    """All units in other capabilities at once: groups of {id, name, units}, ids as they stand there.

    Raises DataError for an id that is none or comes twice, a name that `rename` refuses, a capability without units, a
    unit that is unknown, missing or named twice, and for a locked capability that would change.
    """
    ids = tuple(str(group["id"]) for group in groups)
    if wrong := [i for i in ids if not re.fullmatch(r"c[1-9]\d{0,8}", i) or ids.count(i) > 1]:
        raise DataError(f"{wrong[0]!r} is no id of its own. Ids are c1, c2, …, each once.")
    place: dict[str, int] = {}
    for k, units in [*((n, group["units"]) for n, group in enumerate(groups)), (-1, unassigned)]:
        if k >= 0 and not units:
            raise DataError(f"capability {ids[k]!r} has no units. Leave it out.")
        for unit in units:
            if capabilities.units[_unit(capabilities, str(unit))] in place:
                raise DataError(f"target unit {unit!r} is named twice.")
            place[unit] = k
    if missing := [unit for unit in capabilities.units if unit not in place]:
        raise DataError(f"nothing is said of target unit {missing[0]!r}. Put it into a capability or under unassigned.")
    made = replace(capabilities, ids=ids, names=ids, of_unit=tuple(place[unit] for unit in capabilities.units),
                   issued=max([capabilities.issued, *(int(i[1:]) for i in ids)]))
    for held in capabilities.locked:
        if held not in ids or made.members(held) != capabilities.members(held):
            raise DataError(f"capability {held!r} is locked. Unlock it first.")
    for capability, group in zip(ids, groups, strict=True):
        made = rename(made, capability, group.get("name") or capability)
    return made


ACTS: dict[str, Callable[[Capabilities, Any], Capabilities]] = {
    "rename": lambda now, about: rename(now, about["capability"], about["name"]),
    "move": lambda now, about: move(now, about["unit"], about["to"]),
    "merge": lambda now, about: merge(now, about["from"], about["into"]),
    "lock": lambda now, about: lock(now, about["capability"], bool(about["on"])),
    "label": lambda now, about: label(now, about["capabilities"], about.get("unassigned", ())),
}
"""What each kind of decision does to the capabilities, given its payload."""


def replay(start: Capabilities, events: Iterable[Event]) -> Capabilities:
    """Apply decisions of the kinds in `ACTS` in order; other kinds are none of its business.

    Total: an act that no longer applies (its unit or capability is gone, its payload is incomplete) is skipped and
    reported in `Capabilities.skipped`, never raised: a decision typed yesterday must not lock a study today.
    """
    now, skipped = start, list(start.skipped)
    for event in events:
        if event.kind not in ACTS:
            continue
        try:
            now = ACTS[event.kind](now, event.payload if isinstance(event.payload, dict) else {})
        except DataError as error:
            skipped.append(f"{event.kind} no longer applies: {error}")
        except KeyError as error:
            skipped.append(f"{event.kind} is incomplete: {error} is missing")
        except (TypeError, AttributeError) as error:
            skipped.append(f"{event.kind} cannot be read: {error}")
    return replace(now, skipped=tuple(skipped))


def keep_locked(before: Capabilities, after: Capabilities) -> Capabilities:
    """Put the units of every locked capability together again on a new clustering, locked; `inherit_names` names it."""
    for capability in before.locked:
        own = set(before.members(capability))
        heir = next((i for i in after.ids if set(after.members(i)) == own), "")
        if not heir:
            heir = f"c{after.issued + 1}"
            of_unit = tuple(after.k if unit in own else k for unit, k in zip(after.units, after.of_unit, strict=True))
            after = _without_empty(replace(after, ids=(*after.ids, heir), names=(*after.names, heir), of_unit=of_unit,
                                           issued=after.issued + 1))
        after = lock(after, heir, True)
    return after


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
