"""Samples of every kind that an export must hold, made by hand: no reader is asked. And a recipe."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cadc.data import PictureLimits, Sample, Turn
from cadc.data.limits import USUAL
from cadc.evaluation.settings import EvaluationSettings
from cadc.export import Pictures, Recipe, write_curriculum
from cadc.study import StudyConfig

NAMES = ("a.png", "b.png", "vg/ü c.png", "it's 100%.png")


def recipe(**settings) -> Recipe:
    """Of a study with these settings."""
    return Recipe.of(StudyConfig(pool="pool", target="target", model="owner/model", **settings))


def quick(steps: int, batch: int, **settings) -> Recipe:
    """A short one, of a comparison."""
    config = StudyConfig(pool="pool", target="target", model="owner/model", **settings)
    return Recipe.of(config, EvaluationSettings(steps=steps, batch=batch))


def pictures(folder: Path) -> Path:
    """The image root with `NAMES`."""
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + number, 30), (60 * number, 20, 200)).save(folder / name)
    return folder


def talk(*said: str | tuple, system: str = "") -> tuple[Turn, ...]:
    """Turns of a user and an assistant in alternation; a tuple is a turn's parts, ("unlearnt", text) an answer that is
    not learnt from."""
    turns = [Turn(role="system", parts=(system,))] if system else []
    for number, one in enumerate(said):
        role = "assistant" if number % 2 else "user"
        learnt = not (role == "assistant" and isinstance(one, tuple))
        parts = one if isinstance(one, tuple) and role == "user" else (one if isinstance(one, str) else one[1],)
        turns.append(Turn(role=role, parts=parts, learnt=learnt))
    return tuple(turns)


def samples() -> list[Sample]:
    """No, one, several pictures; system turns; several turns; an answer not learnt from; odd paths and characters;
    other columns, of one type and of several."""
    def kept(**more) -> str:
        return json.dumps({"license": "cc-by-4.0", "meta": {"n": 1.5}} | more)

    return [
        Sample(index=0, id="one", images=("a.png",), turns=talk((0, "\nWhat is this?"), "A square."),
               kept=kept(tags=["x"])),
        Sample(index=1, id="words", turns=talk("Say  hi\u2028please.\n", " Hi\x85there."), kept=kept(tags="x")),
        Sample(index=2, id="two", images=("b.png", "vg/ü c.png"),
               turns=talk(("Left ", 0, ", right\n\n", 1, " differ?"), "Yes."), kept=kept(tags=["y"], rare="só")),
        Sample(index=4, id="system", images=("it's 100%.png",), kept=kept(tags=[]),
               turns=talk((0, "Which colour?"), "Blue.", "And now?", "Still blue.", system="Be brief.")),
        Sample(index=5, id="unlearnt", images=("a.png", "b.png"), kept=kept(tags=None),
               turns=talk(("First ", 0), ("unlearnt", "A wrong answer."), ("Look ", 1, " again."), "Right now.")),
        Sample(index=6, id="chat", turns=talk("One?", "Eins.", "Two?", "Zwei.", "Three?", "Drei."),
               kept=kept(tags=["z"])),
    ]


def rows(found: list[Sample], stages: int = 3) -> pd.DataFrame:
    """A curriculum of these samples in this order."""
    stage = np.arange(len(found)) * stages // max(len(found), 1) + 1
    return pd.DataFrame({"index": [s.index for s in found], "id": [s.id for s in found], "stage": stage,
                         "capability": ["c1", "c2"] * (len(found) // 2) + ["c1"] * (len(found) % 2),
                         "name": ["Farben | `x`", "read text"] * (len(found) // 2) + ["Farben"] * (len(found) % 2)})


def written(folder: Path, root: Path, form: str, *, found: list[Sample] | None = None, how=None, stages: int = 3,
            recipe: Recipe | None = None, limits: PictureLimits = USUAL, known=None, **manifest):
    """An export of the samples; limits, known: of `Pictures`."""
    found = samples() if found is None else found
    table = pd.DataFrame({"index": [s.index for s in found], "raw": ["{}"] * len(found)})
    return write_curriculum(rows(found, stages), table, found, {"input_format": "llava jsonl"} | manifest, folder,
                            format=form, pictures=Pictures(root=root, how=how, limits=limits, known=known or {}),
                            recipe=recipe or quick(2, 4))
