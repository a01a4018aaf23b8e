"""A pool made on purpose: every kind of row that an export must carry over, and pictures of every kind.

Its order and stages are given, not measured: what is tried here is what the trainers do with an ordered file.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

STAGES = (9, 12, 9)
"""Rows of each stage: no multiples of the batch, so that a stage border falls inside one."""
PICTURES = {
    "plain.png": (56, 56), "wide.png": (140, 56), "tall.png": (56, 112), "odd sizes.png": (99, 73),
    "big/scan.png": (1120, 756), "ünï cødé/a b (1) #2 100%.png": (84, 84), "quote'd \"x\".png": (84, 56),
    "upright.jpg": (112, 56), "grey.png": (84, 84), "see-through.png": (84, 84), "palette.png": (84, 84)}
"""Name → width and height in pixels."""


@dataclass(frozen=True)
class Pool:
    """What was written."""

    file: Path
    root: Path
    """Image root."""
    order: tuple[int, ...]
    """Positions in the pool file, in training order."""
    stage: tuple[int, ...]
    """Per row of `order`, from 1, ascending."""


def write_pool(folder: Path, *, unlearnt: bool = True) -> Pool:
    """The pool file with its pictures. `unlearnt`: also rows with an answer that must not be learnt."""
    root = folder / "pictures"
    for name, size in PICTURES.items():
        _picture(root / name, size)
    rows = [{"id": f"r{number:02d}", "messages": said} for number, said in enumerate(_talks(unlearnt))]
    file = folder / "pool.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    order = random.Random(7).sample(range(len(rows)), len(rows))
    borders = [sum(STAGES[:number + 1]) for number in range(len(STAGES))]
    stage = [next((n for n, border in enumerate(borders, 1) if place < border), len(STAGES))
             for place in range(len(rows))]
    return Pool(file, root, tuple(order), tuple(stage))


def _picture(path: Path, size: tuple[int, int]) -> None:
    """A colour that runs over the picture, other for each name; a mode and a turn where the name asks for one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = sum(path.name.encode()) % 200
    image = Image.new("RGB", size)
    image.putdata([(shade, x * 255 // size[0], y * 255 // size[1]) for y in range(size[1]) for x in range(size[0])])
    exif = Image.Exif()
    if path.stem == "upright":
        exif[0x0112] = 6  # a camera held upright: viewers turn it by 90°
    if path.stem == "see-through":
        image.putalpha(Image.linear_gradient("L").resize(size))
    image = {"grey": lambda: image.convert("L"), "palette": lambda: image.quantize(16)}.get(path.stem, lambda: image)()
    image.save(path, exif=exif, **({"quality": 95} if path.suffix == ".jpg" else {}))


def _user(*parts: str) -> dict[str, object]:
    """A user turn; a part that names a picture shows it."""
    return {"role": "user", "content": [{"type": "image", "image": part} if part in PICTURES else
                                        {"type": "text", "text": part} for part in parts]}


def _said(role: str, text: str, **marks: object) -> dict[str, object]:
    return {"role": role, "content": [{"type": "text", "text": text}]} | marks


def _talks(unlearnt: bool) -> list[list[dict[str, object]]]:
    """The turns of every row."""
    long = " ".join(f"word{number}" for number in range(300))
    talks = [[_user(f"No picture, number {n}."), _said("assistant", f"Answer {n}.")] for n in range(6)]
    talks += [[_user(name, f"What is {place}?"), _said("assistant", f"Picture {place}.")]
              for place, name in enumerate(PICTURES)]
    talks += [
        [_user("plain.png", "tall.png", "Two in front."), _said("assistant", "Both.")],
        [_user("Compare ", "wide.png", " with\n", "plain.png", "\n\n  which?"), _said("assistant", "The second.")],
        [_user("plain.png", "\n", "grey.png", "\nand\t", "wide.png", "  three "), _said("assistant", "Three.")],
        [_said("system", "Be brief."), _user("wide.png", "System turn with a picture."), _said("assistant", "Yes.")],
        [_said("system", "Be  very\nbrief."), _user("System turn, no picture."), _said("assistant", "No.")],
        [_user("tall.png", "First question."), _said("assistant", "First answer."), _user("And the second?"),
         _said("assistant", "Second answer.")],
        [_user("Hello."), _said("assistant", "Hello to you."), _user("Now look: ", "plain.png"),
         _said("assistant", "I see."), _user("tall.png", "And this?"), _said("assistant", "I see that too.")],
        [_said("system", "You know all."), _user("One?"), _said("assistant", "1"), _user("Two?"),
         _said("assistant", "2"), _user("Three?"), _said("assistant", "3")],
        [_user("  Two blanks first,\n\n\ta tab, blanks last  "), _said("assistant", "  kept \n\n as it is  ")],
        [_user("plain.png", "Long answer."), _said("assistant", long)],
        [_user("Marks: <b>bold</b> {braces} $x$ \\n <|x|> “quotes” 漢字 🙂"), _said("assistant", "<i>fine</i> 🙂 {x}")],
    ]
    marked = [
        [_user("plain.png", "A wrong start."), _said("assistant", "Not to be learnt.", weight=0),
         _user("Again?"), _said("assistant", "To be learnt.", weight=1)],
        [_user("A right start."), _said("assistant", "To be learnt, too.", weight=1),
         _user("And then?"), _said("assistant", "Never learn this.", weight=0),
         _user("wide.png", "Last?"), _said("assistant", "The end.", weight=1)]]
    return talks + (marked if unlearnt else [])
