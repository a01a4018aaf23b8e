"""What a command of `python -m cadc` is: a name, what it does, the arguments it takes, the function that does it."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill

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
        made = commands.add_parser(self.name, help=self.about, description=fill(self.about, 79),
                                   epilog=f"example:\n  {PROGRAM} {self.example}",
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
        self.arguments(made)
        made.set_defaults(run=self.run)
        return made


def of_study(parser: argparse.ArgumentParser) -> None:
    """The argument of commands that are about one study and nothing else."""
    parser.add_argument("name", help="name of the study (`list` shows them)")
