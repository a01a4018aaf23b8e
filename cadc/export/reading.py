"""manifest.json of an export, read back from wherever it lies, and whether it is whole."""

import json
from pathlib import Path
from typing import Any

from cadc.errors import DataError

MANIFEST = "manifest.json"
_NEEDED = frozenset(("rows", "rows_written", "files", "stage_files", "data"))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises DataError where there is none of ours, or it is damaged."""
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} has no {MANIFEST}: it is no export, or writing it was interrupted. Export again.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error}). Export again.") from error
    if not isinstance(found, dict) or not _NEEDED <= set(found):
        raise DataError(f"{path} is not of an export, or of one by an earlier version. Export again.")
    if damage := _damage(found):
        raise DataError(f"{path} is damaged: {damage}. Take it from where it came, or export again.")
    return found


def _damage(found: dict[str, Any]) -> str:
    """What of it is not what an export writes, '' for nothing: everything that a reader goes on with."""
    for key in ("files", "beside", "picture_files"):
        if not _entries(found.get(key, [])):
            return f"`{key}` is not a list of files with bytes and sha256"
    if not _all(found["rows"], dict, {"index": int, "stage": int}):
        return "`rows` is not a list of rows with index and stage"
    if not _all(found["stage_files"], dict, {"file": str, "first": int, "last": int}):
        return "`stage_files` is not a list of files with first and last"
    if type(found["rows_written"]) is not int:
        return "`rows_written` is no number"
    named = {entry["file"] for entry in found["files"]}
    if not found["data"] or not _all(found["data"], str, {}) or not set(found["data"]) <= named:
        return "`data` does not name files of `files`"
    if not isinstance(found.get("recipe"), dict) or type(found["recipe"].get("max_tokens")) is not int:
        return "`recipe` has no max_tokens"
    if not isinstance(found.get("pictures"), dict) or not isinstance(found["pictures"].get("how"), str):
        return "`pictures` does not say how"
    return ""


def _entries(found: object) -> bool:
    return _all(found, dict, {"file": str, "bytes": int, "sha256": str})


def _all(found: object, kind: type, inside: dict[str, type]) -> bool:
    """Whether it is a list of such values with such values in them."""
    return isinstance(found, list) and all(isinstance(one, kind) and (not isinstance(one, dict) or all(
        type(one.get(key)) is of for key, of in inside.items())) for one in found)
