"""Rows of a parquet file, with pictures as {bytes, path} structs, lists of them, binary, or paths."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cadc.data.indices import FileIndex
from cadc.data.rawrow import Embedded, RawRow, plain
from cadc.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

EMBEDDED = "ingest/images/"
"""Prefix in `Sample.images` of pictures that were embedded in the input."""
BATCH = 64
"""Rows decoded at a time: their pictures are in memory together."""

_MAGIC = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif",
          b"MM\0*": ".tif"}
_AVIF = (b"ftypavif", b"ftypavis")


def parquet_rows(path: Path) -> Iterator[RawRow]:
    """All rows of a parquet file. Raises DataError when the file, or a part of it, cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = 0
    try:
        with pq.ParquetFile(path) as file:
            columns = _picture_columns(file.schema_arrow)
            for batch in file.iter_batches(batch_size=BATCH):
                names = batch.schema.names
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield _row(FileIndex(index), dict(zip(names, values, strict=True)), columns)
                    index += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = str(error).splitlines()[0][:160]
        raise DataError(f"{path}: the parquet file cannot be read after row {index}: {what}. Write it anew.") from error


def _picture_columns(schema: "pa.Schema") -> tuple[str, ...]:
    """Names of columns that hold pictures, in file order: by type, and by name where the type is plain."""
    import pyarrow.types as types

    def holds(kind: "pa.DataType", name: str) -> bool:
        if types.is_list(kind) or types.is_large_list(kind):
            return holds(kind.value_type, name)
        if types.is_struct(kind):
            fields = {kind.field(i).name for i in range(kind.num_fields)}
            return "bytes" in fields
        binary = types.is_binary(kind) or types.is_large_binary(kind)
        return binary and ("image" in name or "picture" in name or name in ("img", "bytes"))

    return tuple(field.name for field in schema if holds(field.type, field.name.lower()))


def _row(index: FileIndex, row: dict[str, object], columns: tuple[str, ...]) -> RawRow:
    """Name the embedded pictures by their content and write the row's text without their bytes."""
    value = {name: _named(cell) if name in columns else _inside(cell) for name, cell in row.items()}
    try:
        raw = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    except RecursionError:
        return RawRow(index, problem="nested too deeply")
    return RawRow(index, _texts(value), raw, columns=columns)


def _named(cell: object) -> object:
    """Replace picture structs and binaries by `Embedded`, structs without bytes by their path."""
    if isinstance(cell, list):
        return [_named(one) for one in cell]
    if isinstance(cell, dict):
        return _named(cell.get("bytes")) if cell.get("bytes") is not None else cell.get("path")
    if isinstance(cell, bytes):
        suffix = next((ext for magic, ext in _MAGIC.items() if cell.startswith(magic)), "")
        suffix = ".webp" if cell[8:12] == b"WEBP" else ".avif" if cell[4:12] in _AVIF else suffix
        return Embedded(f"{EMBEDDED}{hashlib.sha256(cell).hexdigest()[:32]}{suffix}", cell)
    return cell


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
