"""Samples of a study as parquet: written once by ingest, read by every later step."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.data.answers import answer_format
from cadc.data.indices import FeedRows, FileIndex
from cadc.data.ingestion import Ingest
from cadc.data.sample import Sample, Turn
from cadc.errors import JobError
from cadc.study import replacing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS = ("index", "id", "images", "source", "unit", "question", "answer", "answer_format", "group", "raw")
"""Columns of `read_table`; the file has `turns` (JSON) besides."""
_BLOCK = 8192


def write_samples(path: Path, ingest: Ingest, groups: FeedRows) -> None:
    """Write accepted samples as parquet, in file order; `groups`: int64 [N] of `duplicate_groups`. Atomic."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"index": pa.int64(), "group": pa.int64(), "images": pa.list_(pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in (*COLUMNS, "turns", "kept")])
    with replacing(path) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
        for start in range(0, len(ingest.samples), _BLOCK):
            part = slice(start, start + _BLOCK)
            rows = [_row(sample, raw, int(group)) for sample, raw, group
                    in zip(ingest.samples[part], ingest.raw[part], groups[part], strict=True)]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _row(sample: Sample, raw: str, group: int) -> dict[str, Any]:
    turns = json.dumps([[turn.role, turn.parts, *(() if turn.learnt else (False,))] for turn in sample.turns],
                       ensure_ascii=False)
    return {"index": sample.index, "id": sample.id, "images": list(sample.images), "source": sample.source,
            "unit": sample.unit, "question": sample.question, "answer": sample.answer,
            "answer_format": answer_format(sample), "group": group, "raw": raw, "turns": turns,
            "kept": sample.kept}


def row_count(path: Path) -> int:
    """Rows of a samples file, from its footer. Raises JobError when it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (FileNotFoundError, pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _table(path: Path, columns: list[str], only: Collection[FileIndex] | None = None) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        filters = None if only is None else [("index", "in", sorted(int(i) for i in only))]
        there = set(pq.read_schema(path).names)  # earlier versions kept fewer
        return pq.read_table(path, columns=[name for name in columns if name in there], filters=filters)
    except (FileNotFoundError, pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> JobError:
    return JobError(f"{path.name} of study {path.parent.parent.name} cannot be read ({type(error).__name__}). "
                    "Run the ingest job again.")


def read_samples(path: Path, *, only: Collection[FileIndex] | None = None) -> list[Sample]:
    """The samples that `write_samples` wrote, equal and in order; `only` those with these positions in the input file.

    Raises JobError when the file is missing or damaged.
    """
    table = _table(path, ["index", "id", "images", "source", "unit", "turns", "kept"], only)
    samples = []
    try:
        for row in table.to_pylist():
            turns = tuple(Turn(role=role, parts=tuple(parts), learnt=not mark)
                          for role, parts, *mark in json.loads(row["turns"]))
            samples.append(Sample(index=row["index"], id=row["id"], images=tuple(row["images"]), turns=turns,
                                  source=row["source"], unit=row["unit"], kept=row.get("kept", "")))
    except (ValueError, TypeError) as error:
        raise _unreadable(path, error) from error
    return samples


def read_table(path: Path) -> "pd.DataFrame":
    """The samples as a table with `COLUMNS`, one row per sample in file order; `images` holds lists of paths."""
    import pandas as pd
    import pyarrow as pa

    # Lists stay Arrow's as well: one of Python's for each of ten million rows takes more memory than all its words.
    names = pd.ArrowDtype(pa.list_(pa.string()))
    whole = _in_one_piece(_table(path, list(COLUMNS)))
    return whole.to_pandas(types_mapper=lambda kind: names if pa.types.is_list(kind) else None)


def _in_one_piece(table: "pa.Table") -> "pa.Table":
    """Every column without a seam: to take a few rows of a text in pieces (a file has one for each of its row groups)
    puts all of them together first, every time."""
    import pyarrow as pa

    wide = {pa.string(): pa.large_string()}  # counts beyond 2 GB of text in one piece
    found = {}
    for name in table.column_names:
        column = table[name]
        if len(column):
            column = pa.concat_arrays(column.cast(wide.get(column.type, column.type)).chunks)
        found[name] = column
        table = table.drop_columns(name)  # so that no more than one column is there twice
    return pa.table(found)
