"""One sample as a row of each trainer format. `shown`: the path to write for each of the sample's pictures, in order.

Samples are in the normal form of `cadc.data.rows`: pictures in order, no literal `<image>` in any text.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from cadc.data.sample import IMAGE_TAG, Sample, Turn
from cadc.errors import DataError

FORMATS = ("llava", "messages-tags", "messages-blocks", "input")
_LLAVA = {"system": "system", "user": "human", "assistant": "gpt"}


def llava(sample: Sample, shown: Sequence[str]) -> dict[str, Any]:
    """LLaVA: `conversations` with from/value and `<image>` tags; `image` is a path, a list, or absent."""
    row: dict[str, Any] = {"id": sample.id} if sample.id else {}
    if shown:
        row["image"] = shown[0] if len(shown) == 1 else list(shown)
    return row | {"conversations": [{"from": _LLAVA[t.role], "value": tagged(t)} for t in sample.turns]}


def messages_tags(sample: Sample, shown: Sequence[str]) -> dict[str, Any]:
    """Chat rows with `<image>` tags in the text (ms-swift, LLaMA-Factory); `images` is a list in every row."""
    row: dict[str, Any] = {"id": sample.id} if sample.id else {}
    said = [{"role": t.role, "content": tagged(t)} for t in sample.turns]
    return row | {"messages": said, "images": list(shown)}


def messages_blocks(sample: Sample, shown: Sequence[str]) -> dict[str, Any]:
    """Chat rows with content blocks (TRL, Unsloth, Axolotl); as many image blocks as `images`, no tag in any text."""
    row: dict[str, Any] = {"id": sample.id} if sample.id else {}
    said = [{"role": t.role, "content": [_block(part) for part in _checked(t)]} for t in sample.turns]
    return row | {"messages": said, "images": list(shown)}


def _block(part: str | int) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, int) else {"type": "text", "text": part}


def tagged(turn: Turn) -> str:
    """The turn as one text, pictures as `<image>` on lines of their own."""
    return "\n".join(IMAGE_TAG if isinstance(part, int) else part for part in _checked(turn))


def _checked(turn: Turn) -> tuple[str | int, ...]:
    """Refuse a text that a trainer would read as a picture."""
    for part in turn.parts:
        if isinstance(part, str) and IMAGE_TAG in part:
            raise DataError(f"the text {part[:60]!r} contains {IMAGE_TAG} itself; trainers would look for a picture "
                            "there. Take the row out, or write the tag in another way.")
    return turn.parts


WRITERS: dict[str, Callable[[Sample, Sequence[str]], dict[str, Any]]] = {
    "llava": llava, "messages-tags": messages_tags, "messages-blocks": messages_blocks}


def line(row: dict[str, Any] | str) -> str:
    """One line of JSON; line separators of Unicode, at which some readers break lines, are escaped."""
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, allow_nan=False)
    for separator in ("\u2028", "\u2029", "\x85"):
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text


def original(raw: str, sample: Sample, shown: Sequence[str]) -> str:
    """The row as it stood in the input; only pictures whose place changed are named anew.

    Raises DataError when it names one in a way that cannot be found in it (a file: address, an unusual escape).
    """
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
