"""Rows of a parquet or arrow file, with pictures as {bytes, path} structs, lists of them, binary, base64, or paths."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cadc.data.embedded import EMBEDDED as EMBEDDED
from cadc.data.embedded import lift, named
from cadc.data.indices import FileIndex
from cadc.data.json_text import MAX_TEXT, too_long
from cadc.data.rawrow import RawRow, plain
from cadc.data.reasons import SetAside, printable
from cadc.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_BINARY = ("img", "imgs", "bytes", "pic", "pics", "jpg", "jpeg", "png", "webp")
"""Names of binary columns that hold pictures, beside those with `image`, `picture` or `photo` in them."""
BATCH = 64
"""Rows decoded at a time: their pictures are in memory together."""


def parquet_rows(path: Path) -> Iterator[RawRow]:
    """All rows of a parquet file. Raises DataError when the file, or a part of it, cannot be read."""
    import pyarrow.parquet as pq

    def batches() -> "Iterator[pa.RecordBatch]":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=BATCH)

    return _rows(path, "parquet", batches())


def arrow_rows(path: Path) -> Iterator[RawRow]:
    """All rows of an arrow file, as `Dataset.save_to_disk` writes them (a stream) or as Feather does. Raises DataError
    when the file, or a part of it, cannot be read."""
    import pyarrow as pa

    def batches() -> "Iterator[pa.RecordBatch]":
        with pa.memory_map(str(path)) as source:
            if source.read(6) == b"ARROW1":
                file = pa.ipc.open_file(source)
                whole = (file.get_batch(number) for number in range(file.num_record_batches))
            else:
                source.seek(0)
                whole = iter(pa.ipc.open_stream(source))
            for batch in whole:
                batch.validate(full=True)  # arrow trusts the offsets of a file: damaged ones lead anywhere
                yield from (batch.slice(at, BATCH) for at in range(0, batch.num_rows, BATCH))

    return _rows(path, "arrow", batches())


def _rows(path: Path, kind: str, batches: "Iterator[pa.RecordBatch]") -> Iterator[RawRow]:
    """The rows of a file that comes in batches."""
    import pyarrow as pa

    index = 0
    try:
        for batch in batches:
            columns, names = _picture_columns(batch.schema), batch.schema.names
            if again := next((name for number, name in enumerate(names) if name in names[:number]), None):
                raise DataError(f"{path}: two columns have the name {printable(again, 60)!r}. Rename one of them.")
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield _row(FileIndex(index), dict(zip(names, values, strict=True)), columns)
                index += 1
    except (pa.ArrowException, OSError, ValueError, ArithmeticError) as error:
        what = next(iter(str(error).splitlines()), type(error).__name__)[:160]
        raise DataError(f"{path}: the {kind} file cannot be read after row {index}: {what}. Write it anew.") from error


def _picture_columns(schema: "pa.Schema") -> tuple[str, ...]:
    """Names of columns that hold pictures, in file order: by type, and by name where the type is plain."""
    import pyarrow.types as types

    def holds(kind: "pa.DataType", name: str) -> bool:
        if types.is_dictionary(kind):
            return holds(kind.value_type, name)
        if any(is_list(kind) for is_list in (types.is_list, types.is_large_list, types.is_fixed_size_list,
                                             types.is_list_view, types.is_large_list_view)):
            return holds(kind.value_type, name)
        if types.is_struct(kind):
            fields = {kind.field(i).name for i in range(kind.num_fields)}
            return "bytes" in fields
        binary = any(is_binary(kind) for is_binary in (types.is_binary, types.is_large_binary, types.is_binary_view,
                                                       types.is_fixed_size_binary))
        return binary and ("image" in name or "picture" in name or "photo" in name or name in _BINARY)

    return tuple(field.name for field in schema if holds(field.type, field.name.lower()))


def _row(index: FileIndex, row: dict[str, object], columns: tuple[str, ...]) -> RawRow:
    """Name the embedded pictures by their content and write the row's text without their bytes."""
    value = {name: _named(cell) if name in columns else _inside(cell) for name, cell in row.items()}
    try:
        value = lift(value)
        raw = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    except RecursionError:
        return RawRow(index, problem="nested too deeply")
    except SetAside as reason:
        return RawRow(index, _texts(value), "", str(reason), columns)
    problem = too_long(len(raw)) if len(raw) > MAX_TEXT else ""
    return RawRow(index, _texts(value), "" if problem else raw, problem, columns)


def _named(cell: object) -> object:
    """Replace picture structs and binaries by `Embedded`, structs without bytes by their path."""
    if isinstance(cell, list):
        return [_named(one) for one in cell]
    if isinstance(cell, dict):
        return _named(cell.get("bytes")) if cell.get("bytes") or not cell.get("path") else cell.get("path")
    return named(cell) if isinstance(cell, bytes) else cell


def _inside(cell: object) -> object:
    """Picture structs inside conversations (a block's own picture) are named too."""
    if isinstance(cell, list):
        return [_inside(one) for one in cell]
    if isinstance(cell, dict):
        return {key: _named(one) if isinstance(one, dict) and "bytes" in one else _inside(one)
                for key, one in cell.items()}
    return cell


def _texts(value: dict[str, object]) -> dict[str, object]:
    """NaN, pandas' word for missing, becomes null in the top-level cells."""
    return {key: None if isinstance(one, float) and math.isnan(one) else one for key, one in value.items()}
