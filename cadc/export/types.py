"""Types of the columns of rows, as pyarrow has them and as `datasets` wants to be told them."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cadc.export.shapes import Json

if TYPE_CHECKING:
    import pyarrow as pa


def column_types(rows: Sequence[Json], *, without: Sequence[str] = ()) -> "pa.Schema":
    """Types over all rows; where nothing but nulls and empty lists is there, text. Raises pyarrow's errors for a column
    that is not of one type (`cadc.export.columns` leaves those)."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row if name not in without)
    return pa.schema([(name, _told(pa.array([row.get(name) for row in rows]).type)) for name in names])


def _told(kind: "pa.DataType") -> "pa.DataType":
    """The type with text in place of what no value told."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _told(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_told(kind.value_type))
    return pa.string() if pa.types.is_null(kind) else kind


def with_pictures(plain: "pa.Schema") -> "pa.Schema":
    """The schema with `images`, a list of embedded pictures, and what tells `datasets` that they are pictures."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {field.name: _feature(field.type) for field in plain}
    features["images"] = {"feature": {"_type": "Image"}, "_type": "List"}
    return plain.append(pa.field("images", pa.list_(image))).with_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: "pa.DataType") -> Json:
    """A type as `datasets` writes it into files."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": _name(kind), "_type": "Value"}


def _name(kind: "pa.DataType") -> str:
    """int64, float64, bool or string."""
    return {"double": "float64"}.get(str(kind), str(kind))


def card_types(rows: Sequence[Json]) -> list[str]:
    """The columns as lines of YAML for a card: told there, `datasets` does not guess them from the first rows."""
    return [text for field in column_types(rows) for text in _yaml(field.name, field.type, "  ")]


def _yaml(name: str, kind: "pa.DataType", indent: str) -> list[str]:
    """One column."""
    return [f"{indent}- name: {json.dumps(name, ensure_ascii=False)}", *_yaml_type(kind, f"{indent}  ")]


def _yaml_type(kind: "pa.DataType", indent: str) -> list[str]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return [f"{indent}struct:", *(text for field in kind for text in _yaml(field.name, field.type, indent))]
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        inner = [text for field in kind.value_type for text in _yaml(field.name, field.type, indent)]
        return [f"{indent}list:", *inner]
    if pa.types.is_list(kind) and pa.types.is_list(kind.value_type):
        return [f"{indent}list:", *_yaml_type(kind.value_type, f"{indent}  ")]
    if pa.types.is_list(kind):
        return [f"{indent}list: {_name(kind.value_type)}"]
    return [f"{indent}dtype: {_name(kind)}"]
