"""Rows of every shape that can be read, with columns and keys of any name beside the known ones (hypothesis)."""

import string
from typing import Any

from hypothesis import strategies as st

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<[\0", exclude_categories=("Cs",)), min_size=1,
                max_size=12).filter(lambda text: any(map(str.isprintable, text.strip())))
SPACED = st.builds(lambda a, text, b: a + text + b, st.sampled_from(["", " ", "\n", "\t "]), WORDS,
                   st.sampled_from(["", "\n", "  "]))
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=6).map(lambda name: f"my_{name}")
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
                      lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
                      max_leaves=4)
OTHERS = st.dictionaries(NAMES | st.sampled_from(["model", "license", "meta", "source", "dataset", "label"]), VALUES,
                         max_size=3)
PICTURES = ("a.png", "b.jpg", "coco/train/c.png")


@st.composite
def _talk(draw: st.DrawFn, tag: str = "<image>") -> tuple[list[tuple[str, str, bool]], int]:
    """[(role, text, learnt)], with picture tags in users' texts, and how many there are."""
    turns: list[tuple[str, str, bool]] = []
    shown = 0
    if draw(st.booleans()):
        turns.append(("system", draw(SPACED), True))
    for _ in range(draw(st.integers(1, 3))):
        text = draw(SPACED)
        for _ in range(draw(st.integers(0, 2 if shown < 2 else 0))):
            if shown < len(PICTURES):
                text, shown = draw(st.sampled_from([tag + text, text + tag, f"{text}{tag}{draw(SPACED)}"])), shown + 1
        turns += [("user", text, True), ("assistant", draw(SPACED), draw(st.booleans()))]
    turns[-1] = (*turns[-1][:2], True)
    return turns, shown


def _marked(draw: st.DrawFn, turn: dict[str, Any], role: str, learnt: bool) -> dict[str, Any]:
    """A turn with a mark where it needs one, and sometimes with keys that nobody knows."""
    if role == "assistant" and not learnt:
        turn |= draw(st.sampled_from([{"weight": 0}, {"loss": False}, {"train": False}]))
    return turn | draw(st.dictionaries(NAMES, VALUES, max_size=1))


@st.composite
def llava(draw: st.DrawFn) -> dict[str, Any]:
    """`conversations` with from and value."""
    turns, shown = draw(_talk())
    speakers = {"user": "human", "assistant": "gpt", "system": "system"}
    row: dict[str, Any] = {"conversations": [_marked(draw, {"from": speakers[r], "value": text}, r, learnt)
                                             for r, text, learnt in turns]}
    if shown:
        row["image"] = PICTURES[0] if shown == 1 else list(PICTURES[:shown])
    return row | draw(OTHERS)


@st.composite
def tags(draw: st.DrawFn) -> dict[str, Any]:
    """`messages` with picture tags in the text."""
    turns, shown = draw(_talk())
    return {"messages": [_marked(draw, {"role": r, "content": text}, r, learnt) for r, text, learnt in turns],
            "images": list(PICTURES[:shown])} | draw(OTHERS)


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    """`messages` with content blocks, their pictures in the blocks."""
    turns, shown = draw(_talk())
    left = iter(PICTURES[:shown])
    said = []
    for role, text, learnt in turns:
        content: list[dict[str, Any]] = []
        for number, piece in enumerate(text.split("<image>")):
            content += [{"type": "image", "path": next(left)}] if number else []
            content += [{"type": "text", "text": piece}] if piece else []
        said.append(_marked(draw, {"role": role, "content": content}, role, learnt))
    return {"messages": said} | draw(OTHERS)


def _no_place(text: str) -> bool:
    """Whether an answer is no number, which might be an option's place."""
    return not text.strip().lstrip("+").removesuffix(".0").isdecimal()


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """A question and its answer, with columns around them."""
    row: dict[str, Any] = {draw(st.sampled_from(["question", "instruction", "query"])): draw(SPACED),
                           draw(st.sampled_from(["answer", "output", "response"])): draw(SPACED.filter(_no_place))}
    if draw(st.booleans()):
        row["image"] = "a.png"
    more = {"options": st.lists(WORDS, min_size=2, max_size=4, unique=True), "context": WORDS, "system": WORDS,
            "history": st.lists(st.tuples(WORDS, WORDS).map(list), max_size=2)}
    for name in draw(st.sets(st.sampled_from(sorted(more)))):
        row[name] = draw(more[name])
    return row | draw(OTHERS)


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Any]:
    """the_cauldron's exchanges."""
    said = [{"user": draw(SPACED), "assistant": draw(SPACED)} | draw(st.dictionaries(NAMES, VALUES, max_size=1))
            for _ in range(draw(st.integers(1, 3)))]
    return {"texts": said, "images": list(PICTURES[:draw(st.integers(0, 2))])} | draw(OTHERS)


@st.composite
def prompts(draw: st.DrawFn) -> dict[str, Any]:
    """TRL's prompt and completion."""
    turns, shown = draw(_talk())
    said = [{"role": role, "content": text} for role, text, _ in turns]
    return {"prompt": said[:-1], "completion": said[-1:], "images": list(PICTURES[:shown])} | draw(OTHERS)


ROWS = llava() | tags() | blocks() | questions() | texts() | prompts()
