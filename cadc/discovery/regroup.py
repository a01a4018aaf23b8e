"""From the capabilities in force to those of a file: the moves and names that lead from one to the other."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cadc.discovery.capabilities import Capabilities, move, rename
from cadc.errors import DataError

Part = tuple[str, dict[str, Any]]
"""Kind and payload of one decision."""
FORMAT = "cadc-capabilities-1"
"""What a file of capabilities says it is."""


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Capabilities that somebody wrote down: every unit once."""

    names: tuple[str, ...]
    """K names; '' for one that has none but its id."""
    units: tuple[tuple[str, ...], ...]
    """The units of each."""
    unassigned: tuple[str, ...] = ()


def read_grouping(values: object, units: tuple[str, ...]) -> Grouping:
    """`{"capabilities": [{"name", "units"}], "unassigned": […]}`, as `written` has it, for a study with these M units.

    A name equal to the `id` beside it is none. Raises DataError for another shape, a unit that the study has not, one
    that stands twice or nowhere.
    """
    try:
        listed = values["capabilities"]  # type: ignore[index]
        groups = [(str(one.get("name", "")), str(one.get("id", "")), _texts(one["units"])) for one in listed]
        unassigned = _texts(values.get("unassigned", []))  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError('these are no capabilities. Expected {"capabilities": [{"name": …, "units": […]}, …], '
                        '"unassigned": […]}, as `cadc capabilities STUDY --out FILE` writes it.') from error
    named = Counter([*(unit for *_, members in groups for unit in members), *unassigned])
    for unit, count in named.items():
        if unit not in units:
            raise DataError(f"the study has no target unit {unit!r}. The file belongs to another target.")
        if count > 1:
            raise DataError(f"target unit {unit!r} stands {count} times. A unit belongs to one capability.")
    if missing := [unit for unit in units if unit not in named]:
        raise DataError(f"target unit {missing[0]!r} stands nowhere. Put it into a capability or into `unassigned`.")
    kept = [(("" if name == own else name), members) for name, own, members in groups if members]
    return Grouping(names=tuple(name for name, _ in kept), units=tuple(members for _, members in kept),
                    unassigned=unassigned)


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("no list of texts")
    return tuple(values)


def regroup(now: Capabilities, wanted: Grouping) -> list[Part]:
    """Decisions that bring every unit of `now` where it is wanted, and every name; [] where all is so already.

    A wanted capability takes the id of the one that shares most units with it and is not taken, the largest overlap
    first; without one it gets a new id. Raises DataError for a name that `rename` refuses.
    """
    parts: list[Part] = []
    goal_of = _heirs(now, wanted)
    for group, members in enumerate(wanted.units):
        for unit in members:
            to = goal_of.get(group, "new")
            if to != "new" and unit in now.members(to):
                continue
            parts.append(("move", {"unit": unit, "to": to}))
            now = move(now, unit, to)
            goal_of.setdefault(group, now.ids[now.of_unit[now.units.index(unit)]])
    for unit in wanted.unassigned:
        if unit not in now.unassigned:
            parts.append(("move", {"unit": unit, "to": None}))
            now = move(now, unit, None)
    names = {goal_of[group]: name or goal_of[group] for group, name in enumerate(wanted.names)}
    other = [c for c, name in names.items() if now.name_of(c) != name.strip()]
    for freed in [*((c, c) for c in other if now.name_of(c) != c), *((c, names[c]) for c in other if names[c] != c)]:
        parts.append(("rename", {"capability": freed[0], "name": freed[1]}))
        now = rename(now, *freed)
    return parts


def _heirs(now: Capabilities, wanted: Grouping) -> dict[int, str]:
    """{wanted group: id of the capability in force that becomes it}."""
    shared = {(group, capability): len(set(members) & set(now.members(capability)))
              for group, members in enumerate(wanted.units) for capability in now.ids}
    found: dict[int, str] = {}
    for (group, capability), _ in sorted(((pair, n) for pair, n in shared.items() if n), key=lambda item: -item[1]):
        if group not in found and capability not in found.values():
            found[group] = capability
    return found


def written(now: Capabilities) -> Mapping[str, Any]:
    """JSON value of the capabilities in force: `read_grouping` reads it."""
    return {"format": FORMAT, "capabilities": now.describe(), "unassigned": list(now.unassigned)}
