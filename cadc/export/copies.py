"""Whether files that hold the same rows as the restored one still do: stages, JSON lists, and lists of ids."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cadc.export.columns import CAPABILITY, STAGE
from cadc.export.rowset import WHOLE

Json = Mapping[str, Any]


def label(record: Json) -> tuple[int, str, str]:
    """Stage, capability and id of a row, as the manifest has them."""
    return record["stage"], record.get("name") or record.get("capability") or "", str(record.get("id") or "")


def differing_ids(path: Path, records: Sequence[Json]) -> list[str]:
    """Rows of ids.jsonl that are not what the manifest says. Raises OSError, ValueError for a broken file."""
    found = [(row["index"], row.get(STAGE), row.get(CAPABILITY), str(row.get("id") or "")) for row in _lines(path)]
    wanted = [(record["index"], *label(record)) for record in records]
    differing = [f"row {n}" for n, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other]
    return [*differing, *([f"{len(found)} rows instead of {len(wanted)}"] if len(found) != len(wanted) else [])]


def differing_copies(folder: Path, manifest: Json) -> Iterator[str]:
    """Files of stages and JSON lists whose rows are not those of the whole as JSON Lines. Raises OSError, ValueError
    for a broken one."""
    listed = {entry["file"] for entry in manifest["files"]}
    if f"{WHOLE}.jsonl" not in listed:
        return
    rows = list(_lines(folder / f"{WHOLE}.jsonl"))
    parts = [(f"{WHOLE}.jsonl", rows), *((s["file"], rows[s["first"]:s["last"]]) for s in manifest["stage_files"])]
    for name, part in parts:
        if name in listed and name != f"{WHOLE}.jsonl" and list(_lines(folder / name)) != part:
            yield name
        if (beside := name.removesuffix("l")) in listed and beside != name and not _same(folder / beside, part):
            yield beside


def _same(path: Path, rows: Sequence[Json]) -> bool:
    """Whether a JSON list has these rows; it may have further columns."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(found, list) and len(found) == len(rows) and all(
        isinstance(one, dict) and all(one.get(key) == value for key, value in row.items())
        for one, row in zip(found, rows, strict=True))


def _lines(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"{path.name} has a line that is no object")
            yield row
