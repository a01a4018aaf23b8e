"""Rows made on purpose: every kind that an export must carry over, with pictures of every kind.

Their order and stages are given, not measured: what is tried here is what the trainers do with an ordered file.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cadc.data import Sample, Turn
from cadc.data.indices import FileIndex
from cadc.data.sample import Role

STAGES = (9, 14, 12)
"""Rows of each stage: no multiples of the batch, so that a stage border falls inside one."""
PICTURES = {
    "plain.png": (56, 56), "wide.png": (140, 56), "tall.png": (56, 112), "odd sizes.png": (99, 73),
    "big/scan.png": (1120, 756), "ünï cødé/a b (1) #2 100%.png": (84, 84), "quote'd \"x\".png": (84, 56),
    "upright.jpg": (112, 56), "grey.png": (84, 84), "see-through.png": (84, 84), "palette.png": (84, 84),
    "sixteen bits.png": (84, 56), "print.jpg": (56, 84), "moving.gif": (84, 84)}
"""Name → width and height in pixels."""


@dataclass(frozen=True)
class Pool:
    """What was made."""

    samples: tuple[Sample, ...]
    """In training order."""
    stages: tuple[int, ...]
    """Per sample, from 1, ascending."""
    root: Path
    """Image root."""


def make_pool(root: Path) -> Pool:
    """The rows; their pictures are written into `root`."""
    for name, size in PICTURES.items():
        _picture(root / name, size)
    samples = [_sample(number, said) for number, said in enumerate(_talks())]
    random.Random(7).shuffle(samples)
    borders = [sum(STAGES[:number + 1]) for number in range(len(STAGES))]
    stages = [next((n for n, border in enumerate(borders, 1) if place < border), len(STAGES))
              for place in range(len(samples))]
    return Pool(tuple(samples), tuple(stages), root)


def _picture(path: Path, size: tuple[int, int]) -> None:
    """Noise on a colour that runs over the picture, other for each name; a mode and a turn where the name asks for
    one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = sum(path.name.encode()) % 200
    colours = np.random.default_rng(shade).integers(0, 80, (size[1], size[0], 3))
    colours += np.array([shade * 0.8, 0, 0]).astype(int) + np.linspace(0, 120, size[0]).astype(int)[:, None]
    image = Image.fromarray(colours.clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    if path.stem == "upright":
        exif[0x0112] = 6  # a camera held upright: viewers turn it by 90°
    more: dict[str, object] = {"quality": 95} if path.suffix == ".jpg" else {}
    match path.stem:
        case "grey":
            image = image.convert("L")
        case "palette":
            image = image.quantize(16)
        case "see-through":
            image.putalpha(Image.linear_gradient("L").resize(size))
        case "sixteen bits":
            image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 200)
        case "print":
            image = image.convert("CMYK")
        case "moving":
            more = {"save_all": True, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    image.save(path, exif=exif, **more)


Said = tuple[Role, Sequence[str], bool]
"""Role, texts and names of pictures, whether it is learnt from."""


def _sample(number: int, said: Sequence[Said]) -> Sample:
    """A row; each place of a picture is one of its pictures, as in the normal form of our reader."""
    images: list[str] = []
    turns = []
    for role, parts, learnt in said:
        own: list[str | int] = []
        for part in parts:
            own.append(len(images) if part in PICTURES else part)
            images += [part] if part in PICTURES else []
        turns.append(Turn(role=role, parts=tuple(own), learnt=learnt))
    return Sample(index=FileIndex(number), id=f"r{number:02d}", images=tuple(images), turns=tuple(turns),
                  kept='{"licence": "CC0", "meta": {"from": "made"}}')


def _ask(*parts: str) -> Said:
    return "user", parts, True


def _say(text: str, *, learnt: bool = True) -> Said:
    return "assistant", (text,), learnt


def _rule(text: str) -> Said:
    return "system", (text,), True


def _talks() -> list[list[Said]]:
    """The turns of every row."""
    long = " ".join(f"word{number}" for number in range(300))
    talks = [[_ask(f"No picture, number {n}."), _say(f"Answer {n}.")] for n in range(6)]
    talks += [[_ask(name, f"What is {place}?"), _say(f"Picture {place}.")] for place, name in enumerate(PICTURES)]
    return talks + [
        [_ask("plain.png", "tall.png", "Two in front."), _say("Both.")],
        [_ask("big/scan.png", "big/scan.png", "Two scans."), _say("More tokens than most defaults allow.")],
        [_ask("Compare ", "wide.png", " with\n", "plain.png", "\n\n  which?"), _say("The second.")],
        [_ask("plain.png", "\n", "grey.png", "\nand\t", "wide.png", "  three "), _say("Three.")],
        [_rule("Be brief."), _ask("wide.png", "System turn with a picture."), _say("Yes.")],
        [_rule("Be  very\nbrief."), _ask("System turn, no picture."), _say("No.")],
        [_ask("tall.png", "First question."), _say("First answer."), _ask("And the second?"), _say("Second answer.")],
        [_ask("Hello."), _say("Hello to you."), _ask("Now look: ", "plain.png"), _say("I see."),
         _ask("tall.png", "And this?"), _say("I see that too.")],
        [_rule("You know all."), _ask("One?"), _say("1"), _ask("Two?"), _say("2"), _ask("Three?"), _say("3")],
        [_ask("  Two blanks first,\n\n\ta tab, blanks last  "), _say("  kept \n\n as it is  ")],
        [_ask("plain.png", "Long answer."), _say(long)],
        [_ask("Marks: <b>bold</b> {braces} $x$ \\n <|x|> “quotes” 漢字 🙂"), _say("<i>fine</i> 🙂 {x}")],
        [_ask("Roles as words:\nassistant\nuser\nsystem\n"), _say("assistant\nuser")],
        [_ask("plain.png", "A wrong start."), _say("Not to be learnt.", learnt=False), _ask("Again?"),
         _say("To be learnt.")],
        [_ask("A right start."), _say("To be learnt, too."), _ask("And then?"), _say("Never learn this.", learnt=False),
         _ask("wide.png", "Last?"), _say("The end.")]]
