"""`python -m cadc …`: everything the pages do, without a browser. A table of commands; the work is elsewhere."""

import argparse
import os
import sys

from cadc.commands import app, data, estimate, export, maps, run, studies, tables, verify
from cadc.commands.command import PROGRAM, Command
from cadc.errors import CadcError
from cadc.study.registry import Registry

COMMANDS: Registry[Command] = Registry("command", (
    data.CHECK,
    studies.NEW,
    run.RUN,
    run.SHARDS,
    studies.STATUS,
    run.CANCEL,
    verify.VERIFY,
    studies.REMOVE,
    estimate.ESTIMATE,
    maps.MAPS,
    export.EXPORT,
    studies.LIST,
    tables.TABLES,
    app.DEMO,
    app.APP,
))
"""In the order of the help. A new command is one function in `cadc/commands/` and one line here."""


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
    made = argparse.ArgumentParser(prog=PROGRAM, description="Capability-attributed data curation.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS.values():
        command.add_to(commands)
    return made
