"""An ordered curriculum as files: whole, stage by stage, with a manifest of everything that led to it.

The same rows, samples and manifest give the same bytes: no time and no place of this run is written, except to
TRAINING.md, which names the image root of this machine.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.curation.plain import plain_records
from cadc.data import Sample
from cadc.data.indices import FileIndex
from cadc.errors import DataError
from cadc.export.format import Format, Outline, Row, StageFile
from cadc.export.formats import FORMATS
from cadc.export.pictures import Pictures, Shown
from cadc.export.training import training_guide
from cadc.study import replacing

if TYPE_CHECKING:
    import pandas as pd

WHOLE = "curriculum"
GUIDE = "TRAINING.md"
_ROWS = re.compile(r"(curriculum|stage-\d+)\.jsonl?")


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
    folder, chosen_format = Path(folder).expanduser(), FORMATS[format]
    chosen = _chosen(rows, samples)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        shown = Shown(pictures, folder, chosen)
        shown.copy()
        lines, stages = _lines(chosen, table, shown, chosen_format), _stages(rows)
        outline = Outline(format=format, rows=len(lines), stages=stages,
                          input_format=str(manifest.get("input_format", "")),
                          system_turns=int(manifest.get("system_turns", 0)))
        files = _files(folder, lines, stages, chosen_format.listed(outline))
        head = {"export": 1, "format": format, **manifest, "rows_written": len(lines), "files": files,
                "stage_files": [asdict(stage) for stage in stages],
                "pictures": {"distinct": len(shown.names), "beside_this_file": shown.travel,
                             "absolute": pictures.absolute}}
        beside = {GUIDE: training_guide(outline, shown.place(), chosen_format.training(outline))}
        beside |= {name: text for name, make in chosen_format.companions.items() if (text := make(outline))}
        for name, text in beside.items():
            _text(folder, name, text)
        _text(folder, "manifest.json", _manifest(head, rows))
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    written = [folder / str(entry["file"]) for entry in files] + [folder / name for name in (*beside, "manifest.json")]
    return Exported(written, len(lines), head | {"rows": plain_records(rows)})


def _chosen(rows: "pd.DataFrame", samples: Sequence[Sample]) -> list[Sample]:
    """The sample of every row, in training order."""
    if len(rows) == 0:
        raise DataError("the curriculum has no rows. Raise the budget, or loosen its filters.")
    by_index = {sample.index: sample for sample in samples}
    missing = [index for index in rows["index"] if int(index) not in by_index]
    if missing:
        raise DataError(f"pool row {missing[0]} is in the curriculum but not among the samples. "
                        "Run the ingest job again.")
    return [by_index[FileIndex(int(index))] for index in rows["index"]]


def _lines(chosen: list[Sample], table: "pd.DataFrame", shown: Shown, format: Format) -> list[str]:
    """One line of JSON per row."""
    wanted = {sample.index for sample in chosen}
    kept = table[table["index"].isin(wanted)]
    raw = dict(zip(kept["index"].tolist(), kept["raw"].tolist(), strict=True))
    return [_line(format.render(sample, shown.of(sample), raw[sample.index])) for sample in chosen]


def _line(row: Row) -> str:
    """One line of JSON; line separators of Unicode, at which some readers break lines, are escaped."""
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, allow_nan=False)
    for separator in ("\u2028", "\u2029", "\x85"):
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text


def _stages(rows: "pd.DataFrame") -> tuple[StageFile, ...]:
    """The stages in order. Names are padded: a glob takes stage-10 before stage-2."""
    stage = [int(value) for value in rows["stage"]]
    if stage != sorted(stage):
        raise DataError("the stages of the curriculum are not in order. This is a fault of the program; "
                        "please report it.")
    numbers = sorted(set(stage))
    width = max(2, len(str(numbers[-1])))
    starts = [stage.index(number) for number in numbers] + [len(stage)]
    return tuple(StageFile(stage=number, file=f"stage-{number:0{width}d}.jsonl", first=starts[i], last=starts[i + 1])
                 for i, number in enumerate(numbers))


def _files(folder: Path, lines: list[str], stages: Iterable[StageFile], listed: bool) -> list[dict[str, object]]:
    """Write the whole and each stage as JSON Lines, and as a JSON list where a trainer reads only that."""
    written = []
    for name, own in [(WHOLE, lines), *((s.file.removesuffix(".jsonl"), lines[s.first:s.last]) for s in stages)]:
        written.append(_file(folder, f"{name}.jsonl", "".join(f"{one}\n" for one in own), len(own)))
        if listed:
            written.append(_file(folder, f"{name}.json", "[\n" + ",\n".join(own) + "\n]\n", len(own)))
    return written


def _file(folder: Path, name: str, text: str, rows: int) -> dict[str, object]:
    _text(folder, name, text)
    data = text.encode()
    return {"file": name, "rows": rows, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _text(folder: Path, name: str, text: str) -> str:
    """Write whole or not at all."""
    with replacing(folder / name) as handle:
        handle.write(text.encode())
    return name


def _clear(folder: Path) -> None:
    """Take an earlier export away, of whatever format, manifest first; pictures and foreign files stay."""
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
    beside = {GUIDE, *(name for format in FORMATS.values() for name in format.companions)}
    for path in folder.iterdir():
        if (path.name in beside or _ROWS.fullmatch(path.name)) and path.is_file():
            path.unlink()


def _manifest(head: dict[str, Any], rows: "pd.DataFrame") -> str:
    """manifest.json: the head indented, then one line per row, in training order."""
    text = json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False)
    records = ",\n".join("  " + json.dumps(record, ensure_ascii=False, allow_nan=False)
                         for record in plain_records(rows))
    return f'{text[:-2]},\n "rows": [\n{records}\n ]\n}}\n'
