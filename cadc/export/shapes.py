"""The shapes of rows that trainers share, as pure functions: a sample and the paths to write for its pictures → a row.

Text comes out as it came in: pieces and `<image>` tags are joined by nothing, since a line break around a picture is
the template's business. A sample's other columns (`Sample.kept`) stand at the top level again. An answer that is not
learnt from carries the mark of the shape (loss, weight or train); where rows must be alike (`marked`: some readers know
one type a column) every answer carries it, true or false.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from cadc.data.sample import IMAGE_TAG, Sample, Turn
from cadc.errors import DataError

Json = dict[str, object]
"""A row, or a part of one, as JSON values."""
SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}
"""How LLaVA calls the roles."""
_BREAKS = str.maketrans({char: f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"})
"""Characters at which some readers break a line (`str.splitlines`) though JSON does not ask to escape them."""


class Writer(Protocol):
    """One shape."""

    def __call__(self, sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
        """shown: the path to write for each of the sample's pictures; marked: put the mark on every answer."""


def line(row: Json | str) -> str:
    """One line of JSON, for every reader's idea of a line. Raises ValueError for NaN and infinities."""
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, allow_nan=False)
    return text.translate(_BREAKS)


def kept(sample: Sample) -> Json:
    """The row's other columns; {} for none."""
    found = json.loads(sample.kept) if sample.kept else {}
    return found if isinstance(found, dict) else {}


def hidden(sample: Sample, row: Mapping[str, object]) -> list[str]:
    """Other columns of the sample that its row has no place for: the shape has a key of that name for its own."""
    return [key for key, value in kept(sample).items() if row.get(key) != value]


def _row(sample: Sample, own: Json) -> Json:
    """A row of a shape's own keys, the id first, the other columns behind; own keys are never written over."""
    row: Json = ({"id": sample.id} if sample.id else {}) | own
    return row | {key: value for key, value in kept(sample).items() if key not in row}


def tagged(turn: Turn) -> str:
    """The turn as one text with `<image>` where its pictures stand. Raises what `checked` raises."""
    return "".join(IMAGE_TAG if isinstance(part, int) else part for part in checked(turn))


def checked(turn: Turn) -> tuple[str | int, ...]:
    """Its texts and pictures. Raises DataError for a text that a trainer would read as a picture."""
    for part in turn.parts:
        if isinstance(part, str) and IMAGE_TAG in part:
            raise DataError(f"the text {part[:60]!r} contains {IMAGE_TAG} itself; trainers would look for a picture "
                            "there. Take the row out, or write the tag in another way.")
    return turn.parts


def _mark(turn: Turn, key: str, learnt: object, unlearnt: object, marked: bool) -> Json:
    """What says whether an answer is learnt from."""
    if turn.role != "assistant" or (turn.learnt and not marked):
        return {}
    return {key: learnt if turn.learnt else unlearnt}


def llava(sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
    """LLaVA: `conversations` with from/value and `<image>` tags; `image` a path, a list of several, or absent."""
    own: Json = {}
    if shown:
        own["image"] = shown[0] if len(shown) == 1 else list(shown)
    said = [{"from": SPEAKERS[t.role], "value": tagged(t)} | _mark(t, "weight", 1, 0, marked) for t in sample.turns]
    return _row(sample, own | {"conversations": said})


def tags(sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
    """Chat rows with `<image>` tags in the text (ms-swift, LLaMA-Factory); `images` is a list in every row."""
    said = [{"role": t.role, "content": tagged(t)} | _mark(t, "loss", True, False, marked) for t in sample.turns]
    return _row(sample, {"messages": said, "images": list(shown)})


def blocks(sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
    """Chat rows with content blocks; as many image blocks as `images`, no tag in any text."""
    said = [{"role": t.role, "content": _blocks(t)} | _mark(t, "weight", 1, 0, marked) for t in sample.turns]
    return _row(sample, {"messages": said, "images": list(shown)})


def blocks_with_paths(sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
    """Chat rows whose image blocks name their own picture (Axolotl); no `images` beside them."""
    said = [{"role": t.role, "content": _blocks(t, shown)} | _mark(t, "train", True, False, marked)
            for t in sample.turns]
    return _row(sample, {"messages": said})


def prompt_completion(sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
    """TRL: `prompt` up to the first answer that is learnt from, `completion` from there, `images`.

    With one answer TRL's own collator labels what it should. Where the completion holds further turns, only its answers
    are to be labelled, those with weight 0 left aside: that takes the collator of the `trl` export.
    """
    first = next((n for n, t in enumerate(sample.turns) if t.role == "assistant" and t.learnt), len(sample.turns) - 1)
    said = [{"role": t.role, "content": _blocks(t)} | _mark(t, "weight", 1, 0, marked) for t in sample.turns]
    return _row(sample, {"prompt": said[:first], "completion": said[first:], "images": list(shown)})


def _blocks(turn: Turn, shown: Sequence[str] | None = None) -> list[dict[str, str]]:
    """The turn's content; with `shown`, pictures by their paths."""
    return [{"type": "text", "text": part} if isinstance(part, str)
            else {"type": "image"} if shown is None else {"type": "image", "path": shown[part]}
            for part in checked(turn)]


WRITERS: dict[str, Writer] = {
    "llava": llava,
    "messages-tags": tags,
    "messages-blocks": blocks,
    "messages-blocks-paths": blocks_with_paths,
    "prompt-completion": prompt_completion,
}
"""Every shape by its name."""
