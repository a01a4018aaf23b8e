"""Which exports a study has had: a file beside it, so that pages and command line see each other's."""

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from cadc.study import Study, write_json
from cadc.study.files import alone

log = logging.getLogger(__name__)


class Noted(TypedDict):
    """One export, as the file has it."""

    made: str
    """Local time, ISO 8601."""
    folder: str
    """Where, as an absolute path."""
    format: str
    """The trainer it is for."""
    rows: int
    """Rows written."""
    by: str
    """What wrote it: `page`, `command line`, `demo`, or '' for other code."""
    budget: float
    """Of the curriculum: a share up to 1, else rows."""
    preset: str


def note(study: Study, folder: Path, *, format: str, rows: int, by: str, budget: float, preset: str) -> None:
    """Add an export to the study's list. An export that is complete does not fail for it: where the study's folder
    cannot be written, the log says so."""
    entry: Noted = {"made": datetime.now().isoformat(timespec="microseconds"), "folder": str(folder.resolve()),
                    "format": format, "rows": rows, "by": by, "budget": budget, "preset": preset}
    try:
        with alone(study.exports_file.with_suffix(".lock")):
            write_json(study.exports_file, [*noted(study), entry])
    except OSError as error:
        log.warning("study %s: the list of exports cannot be written (%s)", study.identity, error)


def noted(study: Study) -> list[Noted]:
    """All exports that were noted, oldest first; those of earlier versions were not. A list that cannot be read counts
    as empty, and the log says so: nothing rests on it."""
    try:
        found: list[Noted] = json.loads(study.exports_file.read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        log.warning("study %s: the list of exports cannot be read (%s)", study.identity, error)
        return []
