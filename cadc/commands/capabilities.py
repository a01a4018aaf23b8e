"""Commands that shape the map: find, rename, move, merge, lock, and the map as a file."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.commands import choices
from cadc.commands.command import Command, as_json, of_study, print_json, shown
from cadc.errors import DataError

if TYPE_CHECKING:
    from cadc.curation.workbench import Workbench
    from cadc.study.deciding import Part


def _decide(chosen: argparse.Namespace, make: "Callable[[Workbench], Sequence[Part]]") -> int:
    """Write an act down and print the map that is in force then."""
    from cadc.study import Study
    from cadc.views.acts import decided, map_only

    study = Study.open(chosen.name)
    bench, changed = decided(study, map_only(study), make)
    return _print(bench, chosen.json, {"decided": changed}, "" if changed else "nothing to do: so it is already")


def _print(bench: "Workbench", as_line: bool, more: dict[str, Any], note: str = "") -> int:
    from cadc.views.acts import map_in_force

    told = map_in_force(bench) | more
    if as_line:
        print_json(told)
        return 0
    found, units = told["found"], len(bench.capabilities.units)
    settings = (f"smallest group {found['min_size']}" if found["method"] == "hdbscan" else
                f"τ {found['tau']:.4f}, γ {found['gamma']:g}")
    count = len(told["capabilities"])
    print(f"{count} {'capability' if count == 1 else 'capabilities'} of {units} units, found by {found['method']} "
          f"({settings}) on {found['signal']}")
    for one in told["capabilities"]:
        name = "" if one["name"] == one["id"] else f" “{one['name']}”"
        held = ", locked" if one["id"] in told["locked"] else ""
        print(shown(f"  {one['id']}{name}{held}, {len(one['units'])} units: {', '.join(one['units'])}"))
    if told["unassigned"]:
        print(shown(f"  unassigned, {len(told['unassigned'])} units: {', '.join(told['unassigned'])}"))
    for sentence in told["skipped"]:
        print(shown(f"a decision no longer applies: {sentence}"))
    if note:
        print(note)
    return 0


# ---- find ------------------------------------------------------------------------------------------------------------
def _tau(text: str) -> float | str:
    """`auto` or a number. Raises DataError."""
    from cadc.views.acts import AUTOMATIC

    if text == AUTOMATIC:
        return text
    try:
        return float(text)
    except ValueError:
        raise DataError(f"--tau {text!r}: expected a number, or `{AUTOMATIC}` to choose one.") from None


def _find_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--signal", metavar="S",
                        help=f"what units are compared by: {', '.join(choices.similarities())}")
    parser.add_argument("--method", choices=choices.methods(), help="how units are grouped")
    parser.add_argument("--tau", type=_tau, metavar="X", help="leiden: units are linked above this similarity; `auto` "
                        "chooses it")
    parser.add_argument("--gamma", type=float, metavar="X", help="leiden: resolution; higher, smaller groups")
    parser.add_argument("--min-size", type=int, metavar="N", help="hdbscan: smallest group")
    as_json(parser)


def find(chosen: argparse.Namespace) -> int:
    """Find capabilities anew: one `discover` decision."""
    from cadc.views.acts import found_by

    return _decide(chosen, lambda bench: found_by(
        bench, signal=chosen.signal, method=chosen.method, tau=chosen.tau, gamma=chosen.gamma,
        min_size=chosen.min_size))


FIND = Command(name="find", about="Find capabilities anew: what is not named stays as it is in force. Moves and merges "
               "belong to the map before and end; names go on where a group is mostly the same.",
               example="find mine --signal embedding --method leiden --tau auto", arguments=_find_arguments, run=find)


# ---- rename, move, merge, lock ---------------------------------------------------------------------------------------
CAPABILITY = "its id or its name (`capabilities` shows both)"


def _rename_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("capability", nargs="?", default="", help=CAPABILITY)
    parser.add_argument("called", nargs="?", metavar="NAME", help="1 to 80 characters of any script")
    parser.add_argument("--proposed", action="store_true", help="instead: every capability that nobody has named gets "
                        "a name from the words of its questions")
    as_json(parser)


def rename(chosen: argparse.Namespace) -> int:
    """Give a capability a name, or all that have none the proposed ones: one act."""
    from cadc.views.acts import proposed_names, renamed

    if chosen.proposed == bool(chosen.capability) or (chosen.capability and chosen.called is None):
        raise DataError("expected a capability and its new name, or --proposed without them.")
    if chosen.proposed:
        return _decide(chosen, proposed_names)
    return _decide(chosen, lambda bench: renamed(bench.capabilities, chosen.capability, chosen.called))


RENAME = Command(name="rename", about="Give a capability a name, or those without one the names that are proposed.",
                 example='rename mine c2 "reading text"', arguments=_rename_arguments, run=rename)


def _move_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("unit", nargs="+", help="names of target units")
    parser.add_argument("--to", required=True, metavar="CAPABILITY|new|nowhere",
                        help=f"{CAPABILITY}; `new`: split them off as a new capability; `nowhere`: to none")
    as_json(parser)


def move(chosen: argparse.Namespace) -> int:
    """Bring units elsewhere: one act, undone as a whole."""
    from cadc.views.acts import moved

    return _decide(chosen, lambda bench: moved(bench.capabilities, chosen.unit, chosen.to))


MOVE = Command(name="move", about="Move units to another capability, to none, or split them off as a new one.",
               example="move mine counting colours --to new", arguments=_move_arguments, run=move)


def _merge_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("capability", help=CAPABILITY)
    parser.add_argument("--into", required=True, metavar="CAPABILITY", help="the one that takes its units")
    as_json(parser)


def merge(chosen: argparse.Namespace) -> int:
    """Put all units of one capability into another."""
    from cadc.views.acts import merged

    return _decide(chosen, lambda bench: merged(bench.capabilities, chosen.capability, chosen.into))


MERGE = Command(name="merge", about="Put all units of one capability into another.", example="merge mine c2 --into c1",
                arguments=_merge_arguments, run=merge)


def _lock_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("capability", nargs="+", help=CAPABILITY)
    parser.add_argument("--off", action="store_true", help="unlock them instead")
    as_json(parser)


def lock(chosen: argparse.Namespace) -> int:
    """Lock capabilities, or unlock them: one act, undone as a whole."""
    from cadc.views.acts import locked

    return _decide(chosen, lambda bench: locked(bench.capabilities, chosen.capability, on=not chosen.off))


LOCK = Command(name="lock", about="Lock capabilities: their units stay together, and alone, also when capabilities are "
               "found anew. Or unlock them.", example="lock mine c1 c3", arguments=_lock_arguments, run=lock)


# ---- capabilities ----------------------------------------------------------------------------------------------------
def _capabilities_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write them there as JSON")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE",
                        help="bring every unit and every name where such a file has it: one act, undone as a whole")
    as_json(parser)


def capabilities(chosen: argparse.Namespace) -> int:
    """Print the map in force; write it to a file, or take it from one."""
    from cadc.discovery.regroup import read_grouping, regroup
    from cadc.study import Study, write_json
    from cadc.study.decisions import read_decisions
    from cadc.views.acts import map_in_force, map_only
    from cadc.views.opened import workbench

    if chosen.source and chosen.out:
        raise DataError("--from takes capabilities from a file and --out writes them to one: give one of the two.")
    if chosen.source:
        values = _read(chosen.source)
        return _decide(chosen, lambda bench: regroup(
            bench.capabilities, read_grouping(values, bench.capabilities.units)))
    study = Study.open(chosen.name)
    bench = workbench(study, map_only(study), read_decisions(study))
    if chosen.out:
        write_json(chosen.out.resolve(), map_in_force(bench))
    return _print(bench, chosen.json, {})


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error


CAPABILITIES = Command(name="capabilities", about="Print the capabilities in force with their units, write them to a "
                       "file, or take them from one.", example="capabilities mine --out labels.json",
                       arguments=_capabilities_arguments, run=capabilities)
