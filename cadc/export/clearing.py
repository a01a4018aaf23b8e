"""Taking an earlier export out of a folder, and nothing else."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cadc.errors import DataError

FIRST_LAYOUT = ("curriculum.jsonl", "curriculum.json", "TRAINING.md", "dataset_info.json")
"""Files that an export of the first layout wrote without listing them."""


def clear(folder: Path) -> None:
    """Take an earlier export away, of whatever format, its manifest first: every file that it lists. Foreign files
    stay. Raises DataError where `manifest.json` is somebody else's."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return
    try:
        earlier = json.loads(manifest.read_text(encoding="utf-8"))
        ours = isinstance(earlier, dict) and "stage_files" in earlier
    except ValueError:
        ours = False
    if not ours:
        raise DataError(f"{folder} holds a manifest.json that is not of an export. Choose another folder.")
    manifest.unlink()
    folders = set()
    for name in _names(earlier):
        path = folder / name
        if _inside(folder, path) and path.is_file():
            path.unlink()
            folders |= {parent for parent in path.parents if parent != folder and parent.is_relative_to(folder)}
    for empty in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        try:
            empty.rmdir()
        except OSError:
            pass  # something of somebody else's is in it


def require_free(folder: Path, names: Iterable[str]) -> None:
    """Raises DataError where one of these names is somebody else's file: ours say where they come from (an export
    that was interrupted may have left some), but for rows that are the pool's own."""
    for name in names:
        path = folder / name
        if path.is_file() and not _ours(path):
            raise DataError(f"{path} is there already and not of an export (or of one that was interrupted). Choose "
                            "another folder, or take it away.")


def row_files(folder: Path, stages: int) -> list[str]:
    """Names of files there that an export's rows may be written to."""
    try:
        there = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    found = ((name, _ROWS.fullmatch(name)) for name in there)
    return sorted(name for name, match in found if match and int(match["stage"] or 0) <= stages)


_ROWS = re.compile(r"(curriculum|stage-0*(?P<stage>\d+)|ids|index)\.(jsonl?|parquet|csv)|curriculum-\d+\.tar")
_LOOKED = 1 << 20
"""Bytes at a file's begin and end that are looked at: first row of JSON Lines or of a shard, footer of parquet."""


def _ours(path: Path) -> bool:
    with path.open("rb") as handle:
        begin = handle.read(_LOOKED)
        handle.seek(-min(_LOOKED, path.stat().st_size), os.SEEK_END)
        return b"cadc" in (begin + handle.read()).lower()


def _names(earlier: dict[str, Any]) -> list[str]:
    listed = [entry for key in ("files", "beside", "picture_files") for entry in earlier.get(key) or []]
    names = [str(entry["file"]) for entry in listed if isinstance(entry, dict) and "file" in entry]
    return names if earlier.get("export", 1) != 1 else [*names, *FIRST_LAYOUT]


def _inside(folder: Path, path: Path) -> bool:
    """Whether a listed file lies in the folder, links of folders followed."""
    return Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder))
