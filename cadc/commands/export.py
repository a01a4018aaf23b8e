"""The curriculum as a folder for a trainer."""

import argparse
import json
import sys
from pathlib import Path

from cadc.commands import choices
from cadc.commands.command import Command, as_json, of_study
from cadc.errors import DataError


def _arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    trainers, ways = choices.formats(), choices.pictures()
    parser.add_argument("--budget", default="", metavar="SHARE|ROWS",
                        help="`5%%` or a number of rows; default: as decided, else 5%%")
    parser.add_argument("--preset", choices=choices.presets(), help="default: as decided, else the study's")
    parser.add_argument("--staging", choices=choices.stagings(), help=choices.order_known() + " Default: as decided, "
                        "else the preset's")
    parser.add_argument("--floor", type=float, metavar="X",
                        help=choices.floor_means() + "; default: as decided, else 0")
    parser.add_argument("--for", dest="trainer", choices=trainers, help=f"docs/export.md; default: {trainers[0]}")
    parser.add_argument("--format", help=argparse.SUPPRESS)  # the name of --for in earlier versions
    parser.add_argument("--pictures", choices=tuple(ways), help="; ".join(f"{way}: {what}" for way, what in
                                                                       ways.items()) + "; default: the trainer's best")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    as_json(parser, "as it does anyway")


def export(chosen: argparse.Namespace) -> int:
    """Write the curriculum of a finished study and print what was written."""
    from cadc.curation.workbench import open_workbench
    from cadc.export import export as write
    from cadc.export.told import notes
    from cadc.study import Study

    trainer = trainer_of(chosen)
    study = Study.open(chosen.name)
    bench = open_workbench(study).with_settings(
        budget=chosen.budget or None, preset=chosen.preset, staging=chosen.staging, floor=chosen.floor)
    done = write(bench, chosen.out, format=trainer, pictures=chosen.pictures, by="command line")
    for note in notes(done.manifest):
        print(note, file=sys.stderr)
    print(json.dumps({"study": study.name, "for": trainer, "rows": done.rows,
                      "not_written": done.manifest["not_written"]["rows"],
                      "files": [str(f) for f in done.files]}))
    return 0


def trainer_of(chosen: argparse.Namespace) -> str:
    """The trainer asked for, also by the earlier switch and its names. Raises DataError for both at once."""
    from cadc.export import FORMATS, RENAMED

    if not chosen.format:
        return str(chosen.trainer or choices.formats()[0])
    if chosen.trainer:
        raise DataError("--format is the earlier name of --for: give one of them.")
    trainer = RENAMED.get(chosen.format, chosen.format)
    if trainer != chosen.format or trainer in FORMATS:
        print(f"--format {chosen.format} is now --for {trainer}", file=sys.stderr)
    return FORMATS[trainer].name


EXPORT = Command(name="export", about="Write the curriculum that the study's decisions (or defaults) make.",
                 example="export mine --budget 5% --for trl --out curriculum/", arguments=_arguments, run=export)
