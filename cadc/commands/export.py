"""The curriculum as files for a trainer."""

import argparse
import json
from pathlib import Path

from cadc.commands import choices
from cadc.commands.command import Command, of_study


def _arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--budget", default="", metavar="SHARE|ROWS",
                        help="`5%%` or a number of rows; default: as decided, else 5%%")
    parser.add_argument("--preset", choices=choices.presets(), help="default: as decided, else the study's")
    parser.add_argument("--format", default=choices.formats()[0], choices=choices.formats(),
                        help=f"docs/export.md; default: {choices.formats()[0]}")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")


def export(chosen: argparse.Namespace) -> int:
    """Write the curriculum of a finished study and print what was written."""
    from cadc.curation.workbench import open_workbench
    from cadc.export import export as write
    from cadc.study import Study

    study = Study.open(chosen.name)
    bench = open_workbench(study).with_settings(budget=chosen.budget or None, preset=chosen.preset)
    done = write(bench, chosen.out, format=chosen.format)
    print(json.dumps({"study": study.name, "rows": done.rows, "files": [str(f) for f in done.files]}))
    return 0


EXPORT = Command(name="export", about="Write the curriculum that the study's decisions (or defaults) make.",
                 example="export mine --budget 5% --format llava --out curriculum/", arguments=_arguments, run=export)
