"""What there is to choose from, plugins included."""

import argparse
from textwrap import indent, wrap

from cadc.commands import choices
from cadc.commands.command import Command


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", default="", choices=["", *choices.tables()], metavar="TABLE",
                        help=f"one of {', '.join(choices.tables())}; default: all of them")


def tables(chosen: argparse.Namespace) -> int:
    """Print name and meaning of every entry."""
    found = choices.tables()
    for name in [chosen.table] if chosen.table else found:
        print(f"{name}:")
        for entry in found[name].values():
            first, *more = wrap(entry.about, 90) or [""]
            print(f"  {entry.name:<18} {first}" + indent("".join(f"\n{line}" for line in more), " " * 21))
    return 0


TABLES = Command(name="tables", about="List what there is to choose from, plugins included: jobs, signals, presets, "
                 "clusterers, export formats, arms of the comparison.",
                 example="tables signals", arguments=_arguments, run=tables)
