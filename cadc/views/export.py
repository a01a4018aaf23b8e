"""Export part of the Curriculum page: formats, folders, the same command, and what was written."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.export import FORMATS, export
from cadc.study import Study
from cadc.views.shares import budget_text

DOWNLOAD_LIMIT = 50 << 20
"""Larger files are not sent through the browser; their path is shown."""
OFFERED = ("curriculum.jsonl", "manifest.json")
"""Files that can be taken away through the browser."""


def format_lines() -> dict[str, str]:
    """Every export format with what it is."""
    return {form.name: form.about for form in FORMATS.values()}


def default_folder(study: Study) -> Path:
    """Where exports go when nobody types a folder."""
    return study.exports_folder


def folders(typed: str, formats: list[str]) -> dict[str, Path]:
    """A folder of its own in the typed one for each format."""
    return {name: Path(typed).expanduser() / name for name in formats}


def command(bench: Workbench, form: str, folder: Path) -> str:
    """The command line that writes the same files."""
    return (f"python -m cadc export {shlex.quote(bench.study.name)} --budget {budget_text(bench.settings.budget)} "
            f"--format {form} --out {shlex.quote(str(folder))}")


def write(bench: Workbench, form: str, folder: Path) -> dict[str, Any]:
    """Write the saved curriculum; its manifest without the rows. Raises DataError."""
    done = export(bench, folder, format=form)
    return {key: value for key, value in done.manifest.items() if key != "rows"} | {"rows_written": done.rows}


@dataclass(frozen=True, kw_only=True)
class ExportView:
    """What one export wrote."""

    form: str
    folder: Path
    rows: int
    files: pd.DataFrame
    offered: tuple[Path, ...]
    """Files small enough to be sent through the browser."""
    kept: tuple[str, ...]
    """Names of those that are not, or are gone."""


def export_view(form: str, folder: Path, manifest: Mapping[str, Any]) -> ExportView:
    """manifest: as `write` returned it."""
    small = tuple(folder / name for name in OFFERED
                  if (folder / name).is_file() and (folder / name).stat().st_size <= DOWNLOAD_LIMIT)
    return ExportView(form=form, folder=folder, rows=int(manifest["rows_written"]),
                      files=pd.DataFrame(manifest["files"]), offered=small,
                      kept=tuple(name for name in OFFERED if folder / name not in small))
