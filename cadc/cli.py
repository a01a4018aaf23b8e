"""`python -m cadc …`: everything the pages do, without a browser. A table of commands; the work is elsewhere."""

import argparse
import os
import shutil
import sys
from textwrap import wrap

from cadc.commands import (
    app,
    capabilities,
    curate,
    data,
    decisions,
    estimate,
    evaluate,
    export,
    maps,
    rows,
    run,
    studies,
    tables,
    verify,
)
from cadc.commands.command import PROGRAM, Command
from cadc.errors import CadcError
from cadc.study.registry import Registry

GROUPS: dict[str, tuple[Command, ...]] = {
    "a study and its jobs": (
        data.CHECK,
        studies.NEW,
        studies.LIST,
        estimate.ESTIMATE,
        run.RUN,
        run.SHARDS,
        studies.STATUS,
        run.CANCEL,
        verify.VERIFY,
        studies.REMOVE,
    ),
    "capabilities": (
        maps.MAPS,
        capabilities.FIND,
        capabilities.CAPABILITIES,
        capabilities.RENAME,
        capabilities.MOVE,
        capabilities.MERGE,
        capabilities.LOCK,
    ),
    "curriculum and evidence": (
        curate.CURATE,
        export.EXPORT,
        evaluate.EVALUATE,
    ),
    "pool rows": (
        rows.ROWS,
        rows.TAG,
        rows.CHECKED,
        rows.NOTE,
    ),
    "what was decided": (
        decisions.HISTORY,
        decisions.UNDO,
        decisions.REDO,
    ),
    "more": (
        tables.TABLES,
        app.DEMO,
        app.APP,
    ),
}
"""In the order of the help. A new command is one function in `cadc/commands/` and one line here."""

COMMANDS: Registry[Command] = Registry("command", (command for group in GROUPS.values() for command in group))
"""All of them by name, with those of plugins."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; 2 and one line on stderr for an error that a person can mend.

    A reader that has seen enough (`… | head`) is no error.
    """
    try:
        try:
            chosen = parser().parse_args(arguments)
            status: int = chosen.run(chosen)
        finally:
            sys.stdout.flush()  # here, where a closed pipe can be caught, and not at exit
        return status
    except CadcError as error:
        return _said(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        return 0
    except (OSError, RecursionError, MemoryError) as error:
        return _said(f"{type(error).__name__}: {error}")


def _said(text: str) -> int:
    print(f"cadc: {' '.join(text.split())}", file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    made = argparse.ArgumentParser(prog=PROGRAM, description="Capability-attributed data curation.", epilog=listing(),
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                   help="one of those below; `COMMAND --help` lists its options")
    for command in COMMANDS.values():
        command.add_to(commands)
    return made


def listing() -> str:
    """Every command with what it does, in groups: argparse knows no groups of commands."""
    width = max(60, min(shutil.get_terminal_size().columns, 120) - 2)
    grouped = {command.name for group in GROUPS.values() for command in group}
    plugins = tuple(command for name, command in COMMANDS.items() if name not in grouped)
    lines = []
    for heading, group in (GROUPS | {"of plugins": plugins}).items():
        lines += [f"{heading}:"] if group else []
        for command in group:
            first, *more = wrap(command.about, width - 18)
            lines += [f"    {command.name:<13} {first}", *(" " * 18 + line for line in more)]
    return "\n".join(lines)
