"""Commands about what was decided: the history, undo and redo."""

import argparse
from typing import TYPE_CHECKING, Any

from cadc.commands.command import Command, as_json, of_study, print_json, shown
from cadc.errors import DataError

if TYPE_CHECKING:
    from cadc.study.decisions import Decision


def _told(decision: "Decision") -> dict[str, Any]:
    """One decision as JSON."""
    from dataclasses import asdict

    from cadc.study.deciding import act_of
    from cadc.study.decisions import describe

    wanted = ("at", "scope", "kind", "payload", "undone")
    kept = {key: value for key, value in asdict(decision).items() if key in wanted}
    return kept | {"act": act_of(decision), "what": describe(decision)}


# ---- history ---------------------------------------------------------------------------------------------------------
def _history_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    as_json(parser, "with the number of the act that each belongs to")


def history(chosen: argparse.Namespace) -> int:
    """Print everything that was decided, oldest first."""
    from cadc.study import Study
    from cadc.study.deciding import newest, waiting
    from cadc.study.decisions import SCOPES, read_decisions

    study = Study.open(chosen.name)
    log = read_decisions(study)
    if chosen.json:
        scopes = dict.fromkeys(SCOPES.values())
        print_json({"study": study.name, "identity": study.identity, "decisions": [_told(d) for d in log],
                    "undo": {scope: newest(log, scope) is not None for scope in scopes},
                    "redo": {scope: waiting(log, scope) is not None for scope in scopes}})
        return 0
    for d in log:
        told = _told(d)
        print(shown(f"{d.at.replace('T', ' ')}  {d.scope:<13} {told['what']}" + ("  (taken back)" if d.undone else "")))
    if not log:
        print("nothing was decided yet: the automatic map and the preset's curriculum are in force")
    return 0


HISTORY = Command(name="history", about="Print everything that was decided about a study, on pages and by commands.",
                  example="history mine --json", arguments=_history_arguments, run=history)


# ---- undo, redo ------------------------------------------------------------------------------------------------------
def _arguments(parser: argparse.ArgumentParser) -> None:
    from cadc.study.decisions import SCOPES

    of_study(parser)
    parser.add_argument("scope", choices=tuple(dict.fromkeys(SCOPES.values())), help="which decisions")
    as_json(parser)


def undo(chosen: argparse.Namespace) -> int:
    """Take the newest act of a scope back, whoever made it. Raises DataError when there is none."""
    from cadc.study.deciding import take_back

    return _turn(chosen, take_back, "taken back", f"nothing is in force of {chosen.scope} that could be taken back")


def redo(chosen: argparse.Namespace) -> int:
    """Put the act of a scope that was undone last back in force. Raises DataError when there is none."""
    from cadc.study.deciding import put_back

    return _turn(chosen, put_back, "put back", f"nothing of {chosen.scope} was taken back since it was last decided")


def _turn(chosen: argparse.Namespace, turn: Any, done: str, nothing: str) -> int:
    from cadc.study import Study

    study = Study.open(chosen.name)
    act = turn(study, chosen.scope)
    if not act:
        raise DataError(f"study {study.name!r}: {nothing}. `python -m cadc history {study.name}` shows what there is.")
    if chosen.json:
        print_json({"study": study.name, "scope": chosen.scope, "done": done, "decisions": [_told(d) for d in act]})
        return 0
    for d in act:
        print(shown(f"{done}: {_told(d)['what']}"))
    return 0


UNDO = Command(name="undo", about="Take the newest act back, whether a page or a command made it.",
               example="undo mine capabilities", arguments=_arguments, run=undo)
REDO = Command(name="redo", about="Put the act back that was taken back last.", example="redo mine curation",
               arguments=_arguments, run=redo)
