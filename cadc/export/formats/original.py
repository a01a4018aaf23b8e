"""The rows as they stood in the pool file, their pictures beside them under the same names."""

import json
from collections.abc import Sequence

from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.export.format import Format
from cadc.export.outline import Outline, Row
from cadc.export.scripting import in_order


def render(sample: Sample, shown: Sequence[str], raw: str) -> Row:
    """See `Format.render`. Raises DataError when the row names a picture in a way that cannot be found in it (a file:
    address, an unusual escape)."""
    for name, path in zip(sample.images, shown, strict=True):
        quoted = json.dumps(path, ensure_ascii=False)
        if name == path or quoted in raw:
            continue
        found = next((text for ascii in (False, True) if (text := json.dumps(name, ensure_ascii=ascii)) in raw), None)
        if found is None:
            raise DataError(f"row {sample.index} ({sample.id}) names its picture {name} in a way that cannot be "
                            "changed in its original text. Export another format than `input`.")
        raw = raw.replace(found, quoted)
    return raw


def training(outline: Outline) -> str:
    """See `Format.training`."""
    order = in_order(outline, "see that it keeps the order: no shuffling, packing, grouping or split",
                     "they are one mixed stage: let it shuffle anew in every pass, without packing or a split")
    return f"""The rows are those of the pool file, character by character, in training order ({outline.input_format}).
Whatever trained on the pool file takes them; {order}.
For a complete configuration export for a trainer."""


def listed(outline: Outline) -> bool:
    """As a list where the pool file was one."""
    return "json" in outline.input_format.split()


FORMAT = Format(name="input", about="the rows as they came", render=render, training=training, listed=listed,
                pictures=("copy", "link", "absolute"), beside="", whole=True)
