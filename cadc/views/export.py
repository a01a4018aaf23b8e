"""Export part of the Curriculum page: trainers, pictures, folder, the same command, and what was written."""

import io
import json
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.export import FORMATS, WAYS, How, export
from cadc.export.packing import pack
from cadc.export.reading import MANIFEST
from cadc.export.record import noted
from cadc.export.told import notes
from cadc.study import Study
from cadc.views.shares import budget_text

DOWNLOAD_LIMIT = 1 << 30
"""A larger folder is not sent through the browser, whose server keeps what it sends in memory; its path is shown."""


def trainer_lines() -> dict[str, str]:
    """Everything that can be exported for, with what it is."""
    return {form.name: f"{form.name}: {form.about.removeprefix(f'{form.name}: ')}" for form in FORMATS.values()}


def picture_lines(form: str) -> dict[How, str]:
    """What may become of pictures for a trainer, its best first."""
    return {how: WAYS[how] for how in FORMATS[form].pictures}


def default_folder(study: Study) -> Path:
    """Where exports go when nobody types a folder."""
    return study.exports_folder


def folder_of(typed: str, form: str) -> Path:
    """A folder of its own in the typed one for each trainer."""
    return Path(typed).expanduser() / form


def command(bench: Workbench, form: str, folder: Path, how: How | None) -> str:
    """The command line that writes the same files."""
    pictures = f" --pictures {how}" if how else ""
    return (f"python -m cadc export {shlex.quote(bench.study.name)} --budget {budget_text(bench.settings.budget)} "
            f"--for {form}{pictures} --out {shlex.quote(str(folder))}")


def write(bench: Workbench, form: str, folder: Path, how: How | None = None) -> dict[str, Any]:
    """Write the saved curriculum; its manifest without rows, pictures and what was left out one by one. Raises
    DataError."""
    done = export(bench, folder, format=form, pictures=how, by="page")
    return _told(done.manifest) | {"rows_written": done.rows}


def _told(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest without what is listed row by row and picture by picture."""
    told = {key: value for key, value in manifest.items() if key not in ("rows", "picture_files")}
    told["not_written"] = {key: value for key, value in told["not_written"].items() if key != "list"}
    size = sum(entry["bytes"] for key in ("files", "beside", "picture_files") for entry in manifest[key])
    return told | {"size": size}


@dataclass(frozen=True, kw_only=True)
class ExportView:
    """What one export wrote."""

    form: str
    folder: Path
    rows: int
    files: pd.DataFrame
    """Rows and what goes with them: file, rows, bytes, sha256."""
    notes: tuple[str, ...]
    """What was left out, and why."""
    run: str
    """The command that trains on it, '' where there is none."""
    check: str
    """The command that checks it."""
    size: int
    """Bytes of all its files."""
    there: bool
    """Whether it still lies there."""

    @property
    def sendable(self) -> bool:
        """Whether the whole folder can be taken away through the browser."""
        return self.there and self.size <= DOWNLOAD_LIMIT

    @property
    def weight(self) -> str:
        """The size, for a person."""
        return f"{self.size / (1 << 20):,.1f} MiB" if self.size >= 1 << 20 else f"{self.size / (1 << 10):,.0f} KiB"


def export_view(study: Study, form: str, folder: Path, manifest: Mapping[str, Any]) -> ExportView:
    """manifest: as `write` returned it, now or by an earlier version."""
    files = [*manifest["files"], *manifest.get("beside", ())]
    told = notes(manifest)
    pictures = manifest.get("pictures", {}).get("files", 0)
    told += [f"and {pictures:,} picture files"] if pictures else []
    table = pd.DataFrame(files, columns=["file", "rows", "bytes", "sha256"]).astype({"rows": "Int64"})
    return ExportView(form=form, folder=folder, rows=int(manifest["rows_written"]), files=table, notes=tuple(told),
                      run=_run(study, form, folder, files),
                      check=f"python -m cadc verify {shlex.quote(str(folder))}",
                      size=int(manifest.get("size", sum(entry["bytes"] for entry in files))),
                      there=(folder / MANIFEST).is_file())


def exports_of(study: Study, in_database: pd.DataFrame) -> pd.DataFrame:
    """made, by, rows, for, budget, there (whether it still lies there), folder: every export of a study, newest first,
    whatever wrote it.

    in_database: made_at, folder, format, rows. The list beside the study has all since it is kept; the database has
    what the page wrote before.
    """
    listed = noted(study)
    lines = [(one["made"], one["by"] or "other code", one["rows"], one["format"], budget_text(one["budget"]),
              one["folder"]) for one in listed]
    first = listed[0]["made"] if listed else ""
    for made_at, folder, form, rows in in_database.itertuples(index=False, name=None):
        made = pd.Timestamp(made_at).isoformat(timespec="microseconds")
        if not first or made < first:
            lines.append((made, "page", rows, form, "", str(folder)))
    table = pd.DataFrame(lines, columns=["made", "by", "rows", "for", "budget", "folder"])
    there = {folder: (Path(folder) / MANIFEST).is_file() for folder in table["folder"].unique()}
    table = table.sort_values("made", ascending=False, ignore_index=True)
    shown = table.assign(made=[made[:19].replace("T", " ") for made in table["made"]],
                         there=[there[folder] for folder in table["folder"]])
    return shown[["made", "by", "rows", "for", "budget", "there", "folder"]]


def told_of(folder: Path) -> dict[str, Any] | None:
    """What the export in a folder says of itself, as `write` returns it; None where none lies there any more."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return _told(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _run(study: Study, form: str, folder: Path, files: list[dict[str, Any]]) -> str:
    """What trains on it: `CLONE` stands for what only the person knows."""
    if form not in FORMATS or not any(entry["file"] == "run.sh" for entry in files):
        return ""
    needs = f"{FORMATS[form].needs} " if FORMATS[form].needs else ""
    return f"{needs}MODEL={shlex.quote(study.config.model)} sh {shlex.quote(str(folder / 'run.sh'))}"


def packed(folder: Path) -> io.BufferedReader:
    """The whole folder as a zip, made on disk in a file that is gone once it is closed. Raises DataError."""
    with tempfile.NamedTemporaryFile() as made:
        pack(folder, made)
        made.flush()
        return open(made.name, "rb")  # what is open stays readable when its name goes
