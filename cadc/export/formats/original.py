"""The rows as they stood in the pool file; only pictures whose place changed are named anew."""

import json
from collections.abc import Sequence

from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.export.format import Format, Outline, Row
from cadc.export.formats import llava, messages_blocks, messages_tags
from cadc.export.training import ANY_TRAINER

_SAME_SHAPE = {one.name: one for one in (llava.FORMAT, messages_tags.FORMAT, messages_blocks.FORMAT)}
"""The formats whose trainers read a pool of this shape."""


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
    same = _SAME_SHAPE.get(outline.input_shape)
    return same.training(outline) if same else ANY_TRAINER


def dataset_info(outline: Outline) -> str:
    """As beside `messages-tags`, where the pool has that shape."""
    return messages_tags.dataset_info(outline) if outline.input_shape == messages_tags.FORMAT.name else ""


def listed(outline: Outline) -> bool:
    """As a list where the pool file was one."""
    return "json" in outline.input_format.split()


FORMAT = Format(name="input", about="the rows as they came", render=render, training=training, listed=listed,
                companions={"dataset_info.json": dataset_info})
