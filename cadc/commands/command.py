"""What a command of `python -m cadc` is: a name, what it does, the arguments it takes, the function that does it."""

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Any

PROGRAM = "python -m cadc"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command. `cadc.cli.COMMANDS` lists them."""

    name: str
    about: str
    """One sentence, shown by `--help`."""
    example: str
    """What somebody would type after the program's name; the last line of its help."""
    arguments: Callable[[argparse.ArgumentParser], None]
    """Adds its arguments to a parser."""
    run: Callable[[argparse.Namespace], int]
    """Does it and returns the exit status. Raises CadcError for what a person can mend."""

    def add_to(self, commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
        """Its parser among those of all commands."""
        made = commands.add_parser(self.name, description=fill(self.about, 79),
                                   epilog=f"example:\n  {PROGRAM} {self.example}",
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
        self.arguments(made)
        made.set_defaults(run=self.run)
        return made


def of_study(parser: argparse.ArgumentParser) -> None:
    """The argument of commands that are about one study and nothing else."""
    parser.add_argument("name", help="name of the study (`list` shows them)")


def as_json(parser: argparse.ArgumentParser, what: str = "") -> None:
    """The switch of every command that prints something: one line of JSON on stdout, and nothing else there."""
    parser.add_argument("--json", action="store_true", help="one line of JSON" + (f", {what}" if what else ""))


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One line; what is no number (nan) is null, and every character ASCII, so that no name breaks the line."""
    print(json.dumps(_plain(value), allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shown(text: str) -> str:
    """Somebody's text on a terminal: one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
