"""An ordered curriculum as files: whole, stage by stage, with a manifest of everything that led to it.

The same rows, samples and manifest give the same bytes: no time and no place of this run is written, except to
TRAINING.md, which names the image root of this machine.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.data import Sample
from cadc.errors import DataError
from cadc.export.pictures import Pictures, Shown
from cadc.export.shapes import FORMATS, WRITERS, line, original
from cadc.export.training import companions
from cadc.study import replacing

if TYPE_CHECKING:
    import pandas as pd

WHOLE = "curriculum"
_OURS = re.compile(r"(curriculum|stage-\d+)\.jsonl?|dataset_info\.json|TRAINING\.md")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: list[Path]
    """The curriculum first, its stages, what goes with them; manifest.json last."""
    rows: int
    manifest: dict[str, Any]
    """As in manifest.json."""


def write_curriculum(rows: "pd.DataFrame", table: "pd.DataFrame", samples: Sequence[Sample], manifest: dict[str, Any],
                     folder: Path | str, *, format: str, pictures: Pictures) -> Exported:
    """Write a curriculum for a trainer (docs/export.md).

    rows: in training order, with at least `index` (position in the pool file) and `stage` (from 1, ascending); every
    column goes into the manifest. table: `read_table` rows with `index` and `raw`; samples: at least those of `rows`.
    `format`: one of FORMATS. An earlier export in the folder is replaced; other files there stay. The manifest is
    written last: without it an export is not complete. Raises DataError for an unknown format, an empty curriculum, a
    row without its sample, or a folder that cannot be written.
    """
    folder = Path(folder).expanduser()
    if format not in FORMATS:
        raise DataError(f"export format {format!r} is unknown. Known: {', '.join(FORMATS)}.")
    chosen = _chosen(rows, samples)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        shown = Shown(pictures, folder, chosen)
        shown.copy()
        lines = _lines(chosen, table, shown, format)
        stages = _stages(rows)
        listed = format == "llava" or (format == "input" and "json" in str(manifest.get("input_format", "")).split())
        files = [entry for name, start, stop in [(WHOLE, 0, len(lines)), *stages]
                 for entry in _both(folder, name, lines[start:stop], listed)]
        head = {"export": 1, "format": format, **manifest, "rows_written": len(lines), "files": files,
                "stage_files": [{"stage": int(name.split("-")[1]), "file": f"{name}.jsonl", "first": start,
                                 "last": stop} for name, start, stop in stages],
                "pictures": {"distinct": len(shown.names), "beside_this_file": shown.travel,
                             "absolute": pictures.absolute}}
        extra = [_text(folder, name, text) for name, text in companions(head, pictures.root).items()]
        _text(folder, "manifest.json", _manifest(head, rows))
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    written = [folder / entry["file"] for entry in files] + [folder / name for name in (*extra, "manifest.json")]
    return Exported(written, len(lines), head | {"rows": _records(rows)})


def _chosen(rows: "pd.DataFrame", samples: Sequence[Sample]) -> list[Sample]:
    """The sample of every row, in training order."""
    if len(rows) == 0:
        raise DataError("the curriculum has no rows. Raise the budget, or loosen its filters.")
    by_index = {sample.index: sample for sample in samples}
    missing = [index for index in rows["index"] if int(index) not in by_index]
    if missing:
        raise DataError(f"pool row {missing[0]} is in the curriculum but not among the samples. "
                        "Run the ingest job again.")
    return [by_index[int(index)] for index in rows["index"]]


def _lines(chosen: list[Sample], table: "pd.DataFrame", shown: Shown, format: str) -> list[str]:
    """One line of JSON per row."""
    if format != "input":
        return [line(WRITERS[format](sample, shown.of(sample))) for sample in chosen]
    wanted = {sample.index for sample in chosen}
    kept = table[table["index"].isin(wanted)]
    raw = dict(zip(kept["index"].tolist(), kept["raw"].tolist(), strict=True))
    return [line(original(raw[sample.index], sample, shown.of(sample))) for sample in chosen]


def _stages(rows: "pd.DataFrame") -> list[tuple[str, int, int]]:
    """(name, first line, line after the last) of each stage. Names are padded: a glob takes stage-10 before stage-2."""
    stage = [int(value) for value in rows["stage"]]
    if stage != sorted(stage):
        raise DataError("the stages of the curriculum are not in order. This is a fault of the program; "
                        "please report it.")
    numbers = sorted(set(stage))
    width = max(2, len(str(numbers[-1])))
    starts = [stage.index(number) for number in numbers] + [len(stage)]
    return [(f"stage-{number:0{width}d}", starts[i], starts[i + 1]) for i, number in enumerate(numbers)]


def _both(folder: Path, name: str, lines: list[str], listed: bool) -> Iterable[dict[str, Any]]:
    """Write lines as JSON Lines, and as a JSON list where the trainer reads only that."""
    yield _file(folder, f"{name}.jsonl", "".join(f"{one}\n" for one in lines), len(lines))
    if listed:
        yield _file(folder, f"{name}.json", "[\n" + ",\n".join(lines) + "\n]\n", len(lines))


def _file(folder: Path, name: str, text: str, rows: int) -> dict[str, Any]:
    _text(folder, name, text)
    data = text.encode()
    return {"file": name, "rows": rows, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _text(folder: Path, name: str, text: str) -> str:
    """Write whole or not at all."""
    with replacing(folder / name) as handle:
        handle.write(text.encode())
    return name


def _clear(folder: Path) -> None:
    """Take an earlier export away, manifest first; pictures and foreign files stay."""
    if not (folder / "manifest.json").is_file():
        return
    try:
        earlier = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        ours = isinstance(earlier, dict) and "stage_files" in earlier
    except ValueError:
        ours = False
    if not ours:
        raise DataError(f"{folder} holds a manifest.json that is not of an export. Choose another folder.")
    (folder / "manifest.json").unlink()
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.is_file():
            path.unlink()


def _manifest(head: dict[str, Any], rows: "pd.DataFrame") -> str:
    """manifest.json: the head indented, then one line per row, in training order."""
    text = json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False)
    records = ",\n".join("  " + json.dumps(record, ensure_ascii=False, allow_nan=False) for record in _records(rows))
    return f'{text[:-2]},\n "rows": [\n{records}\n ]\n}}\n'


def _records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """Table rows as JSON values: numpy numbers become Python's, NaN becomes null."""
    columns = {str(name): [_value(cell) for cell in rows[name]] for name in rows.columns}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _value(cell: Any) -> Any:
    cell = cell.item() if hasattr(cell, "item") else cell
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
