"""The rows of one export in training order, and the files they are written to."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cadc.data.sample import Sample
from cadc.export.outline import Row, StageFile
from cadc.export.pictures import Shown
from cadc.export.shapes import Json, line
from cadc.export.types import column_types, with_pictures
from cadc.study import file_digest, replacing

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
    every: Sequence[Row] = ()
    """The rows with all their other columns, for a JSON list, where `rows` have fewer; () where they are the same."""


def row_digest(sample: Sample, pictures: Sequence[str]) -> str:
    """16 hex digits of what is learnt from a row: its turns with their marks, and what is in its pictures (their
    SHA-256). How a text is cut into pieces does not matter."""
    said = [[turn.role, "".join(part if isinstance(part, str) else f"\0{part}\0" for part in turn.parts), turn.learnt]
            for turn in sample.turns]
    return hashlib.sha256(json.dumps([said, list(pictures)]).encode()).hexdigest()[:16]


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
    every = [line(row) for row in found.every] or lines
    stages = tuple(replace(s, file=stage_name(s, width, "jsonl")) for s in found.stages)
    files: list[Json] = []
    parts = [(f"{WHOLE}.jsonl", slice(None)), *((stage.file, slice(stage.first, stage.last)) for stage in stages)]
    for name, part in parts:
        own = lines[part]
        files.append(write_text(folder, name, "".join(f"{one}\n" for one in own)) | {"rows": len(own)})
        if listed:
            text = "[\n" + ",\n".join(every[part]) + "\n]\n"
            files.append(write_text(folder, name[:-1], text) | {"rows": len(own)})
    return files, stages


# ---- parquet with pictures inside ----------------------------------------------------------------------------------
def write_parquet(found: RowSet, folder: Path) -> tuple[list[Json], tuple[StageFile, ...]]:
    """One parquet file a stage, which is the whole in order: pictures are kept once. `images` is a list of `Image`
    features of `datasets` ({bytes, path})."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [row for row in found.rows if isinstance(row, dict)]
    schema = with_pictures(column_types(rows, without=("images",)))
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


def whole(files: Sequence[Json], stages: Sequence[StageFile]) -> tuple[str, ...]:
    """The files that hold all rows in training order."""
    names = [str(entry["file"]) for entry in files]
    if f"{WHOLE}.jsonl" in names:
        return (f"{WHOLE}.jsonl",)
    return tuple(dict.fromkeys(name for stage in stages for name in (stage.files or (stage.file,))))


def by_stage(stages: Sequence[StageFile]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name of a split and its files."""
    for stage in stages:
        yield f"stage_{stage.stage:02d}", stage.files or (stage.file,)
