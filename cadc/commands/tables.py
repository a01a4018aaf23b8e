"""What there is to choose from, plugins included."""

import argparse
from textwrap import indent, wrap

from cadc.commands import choices
from cadc.commands.command import Command, as_json, print_json


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", default="", choices=["", *choices.tables()], metavar="TABLE",
                        help=f"one of {', '.join(choices.tables())}; default: all of them")
    as_json(parser)


def tables(chosen: argparse.Namespace) -> int:
    """Print name and meaning of every entry."""
    found = choices.tables()
    wanted = [chosen.table] if chosen.table else list(found)
    if chosen.json:
        print_json({name: {entry.name: entry.about for entry in found[name].values()} for name in wanted})
        return 0
    for name in wanted:
        print(f"{name}:")
        for entry in found[name].values():
            first, *more = wrap(entry.about, 90) or [""]
            print(f"  {entry.name:<18} {first}" + indent("".join(f"\n{line}" for line in more), " " * 21))
    return 0


TABLES = Command(name="tables", about="List what there is to choose from, plugins included: jobs, signals, presets, "
                 "clusterers, export formats, arms of the comparison.",
                 example="tables signals", arguments=_arguments, run=tables)
