"""The rows of one export in training order, and the files they are written to."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cadc.data.sample import Sample
from cadc.export.format import Row, StageFile
from cadc.export.pictures import Shown
from cadc.export.shapes import Json, line
from cadc.study import file_digest, replacing

if TYPE_CHECKING:
    import pyarrow as pa

WHOLE = "curriculum"
ROW_GROUP = 64
"""Rows of a parquet file that are in memory together with their pictures."""


@dataclass(frozen=True, kw_only=True)
class RowSet:
    """All rows of an export."""

    rows: Sequence[Row]
    samples: Sequence[Sample]
    """The sample of each row, as its trainer gets it."""
    shown: Shown
    stages: tuple[StageFile, ...]
    """With `first` and `last`; the files are still to be written."""
    records: Sequence[Json]
    """What the manifest says of each row."""


def entry(folder: Path, name: str, rows: int) -> Json:
    """What the manifest says of a file."""
    path = folder / name
    return {"file": name, "rows": rows, "bytes": path.stat().st_size, "sha256": file_digest(path)}


def write_text(folder: Path, name: str, text: str) -> Json:
    """Write whole or not at all; what the manifest says of it."""
    data = text.encode()
    with replacing(folder / name) as handle:
        handle.write(data)
    if name.endswith(".sh"):
        (folder / name).chmod((folder / name).stat().st_mode | 0o111)
    return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def stage_name(stage: StageFile, width: int, suffix: str) -> str:
    """Padded: a glob takes stage-10 before stage-2."""
    return f"stage-{stage.stage:0{width}d}.{suffix}"


def stage_width(stages: Sequence[StageFile]) -> int:
    """Digits of a stage's number in names."""
    return max(2, len(str(stages[-1].stage)))


def write_lines(found: RowSet, folder: Path, *, listed: bool) -> tuple[list[Json], tuple[StageFile, ...]]:
    """The whole and each stage as JSON Lines, and as a JSON list where a trainer reads only that."""
    lines, width = [line(row) for row in found.rows], stage_width(found.stages)
    stages = tuple(replace(s, file=stage_name(s, width, "jsonl")) for s in found.stages)
    files: list[Json] = []
    parts = [(f"{WHOLE}.jsonl", lines), *((stage.file, lines[stage.first:stage.last]) for stage in stages)]
    for name, own in parts:
        files.append(write_text(folder, name, "".join(f"{one}\n" for one in own)) | {"rows": len(own)})
        if listed:
            files.append(write_text(folder, name[:-1], "[\n" + ",\n".join(own) + "\n]\n") | {"rows": len(own)})
    return files, stages


# ---- parquet with pictures inside ----------------------------------------------------------------------------------
def write_parquet(found: RowSet, folder: Path) -> tuple[list[Json], tuple[StageFile, ...]]:
    """One parquet file a stage, which is the whole in order: pictures are kept once. `images` is a list of `Image`
    features of `datasets` ({bytes, path})."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [row for row in found.rows if isinstance(row, dict)]
    schema = _schema(rows)
    width = stage_width(found.stages)
    stages = tuple(replace(s, file=stage_name(s, width, "parquet")) for s in found.stages)
    files = []
    for stage in stages:
        with replacing(folder / stage.file) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
            for start in range(stage.first, stage.last, ROW_GROUP):
                part = range(start, min(start + ROW_GROUP, stage.last))
                writer.write_table(pa.Table.from_pylist([_embedded(found, rows[n], n) for n in part], schema=schema))
        files.append(entry(folder, stage.file, stage.last - stage.first))
    return files, stages


def _embedded(found: RowSet, row: Json, number: int) -> Json:
    """The row with its pictures' bytes in place of their paths."""
    pictures = [{"bytes": found.shown.content(name), "path": Path(found.shown.names[name]).name}
                for name in found.samples[number].images]
    return row | {"images": pictures}


def _schema(rows: Sequence[Json]) -> "pa.Schema":
    """Types of all columns, with what `datasets` reads to know which of them are pictures."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    plain = _plain_schema(rows)
    schema = plain.append(pa.field("images", pa.list_(image)))
    features = {field.name: feature(field.type) for field in plain}
    features["images"] = {"feature": {"_type": "Image"}, "_type": "List"}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _plain_schema(rows: Sequence[Json]) -> "pa.Schema":
    """Types of the columns without pictures, over all rows: `from_pylist` alone looks at the first row's names."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row if name != "images")
    return pa.schema([(name, pa.array([row.get(name) for row in rows]).type) for name in names])


def feature(kind: "pa.DataType") -> object:
    """A type as `datasets` writes it."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return {field.name: feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": feature(kind.value_type), "_type": "List"}
    names = {pa.float64(): "float64", pa.int64(): "int64", pa.bool_(): "bool", pa.null(): "null"}
    return {"dtype": names.get(kind, "string"), "_type": "Value"}


def whole(files: Sequence[Json], stages: Sequence[StageFile]) -> tuple[str, ...]:
    """The files that hold all rows in training order."""
    names = [str(entry["file"]) for entry in files]
    if f"{WHOLE}.jsonl" in names:
        return (f"{WHOLE}.jsonl",)
    return tuple(name for stage in stages for name in (stage.files or (stage.file,)))


def by_stage(stages: Sequence[StageFile]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name of a split and its files."""
    for stage in stages:
        yield f"stage_{stage.stage:02d}", stage.files or (stage.file,)
