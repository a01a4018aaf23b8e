"""The kinds of rows: family of pictures x ask x answer format, their skill, and which the target asks."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cadc.demo import talk
from cadc.demo.plain import DRAW
from cadc.demo.scenes import Ask, Scene

SLUG = {"yes/no": "yesno", "letter": "letter", "number": "number", "word": "word"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of question about one family of pictures, in one answer format."""

    family: str
    ask: str
    form: str
    skill: str
    on_target: bool

    @property
    def name(self) -> str:
        """Name of the kind; of a target unit where the target asks for it."""
        return f"{RENAMED.get((self.family, self.ask), self.family)}_{SLUG[self.form]}"


RENAMED = {("bars", "largest"): "tallest", ("blob", "colour"): "blob_colour", ("blob", "shape"): "blob_shape",
           ("blob", "size"): "blob_size", ("die", "count"): "die_count", ("digit", "colour"): "digit_colour",
           ("outline", "colour"): "outline_colour", ("compare", "count"): "compare_count",
           ("bars", "count"): "bars_count"}

# skill -> (family, ask, formats). Units of a skill share one link from picture to concept.
TARGET_SKILLS = {
    "reading": (("digit", "number", ("number", "yes/no")), ("word", "number", ("letter",)),
                ("table", "value", ("word",))),
    "charts": (("bars", "value", ("number",)), ("line", "value", ("letter",)), ("pie", "number", ("word",))),
    "counting": (("scatter", "count", ("number", "letter", "yes/no")),),
    "shapes": (("outline", "shape", ("word", "letter", "yes/no")),),
    "relations": (("relation", "place", ("word", "letter", "yes/no")),),
    "sequences": (("sequence", "next", ("word", "letter")),),
    "comparison": (("compare", "largest", ("word", "yes/no")),),
}
# Never asked by the target. Strangers to the base as well, but for "plain", which it knows.
OFF_TARGET = {
    "clocks": (("clock", "number", ("number", "yes/no", "word")),),
    "fences": (("fence", "count", ("number", "letter", "yes/no")),),
    "labels": (("label", "colour", ("word", "letter")),),
    "sums": (("total", "total", ("number", "letter")),),
    "matching": (("twins", "match", ("word", "yes/no")),),
    "tallest": (("bars", "largest", ("word", "yes/no")),),
    "plain": (("die", "number", ("number",)), ("die", "count", ("letter",)), ("dice", "value", ("number", "word")),
              ("blob", "colour", ("word",)), ("blob", "shape", ("yes/no",)), ("blob", "size", ("word",)),
              ("blobs", "shape_of", ("letter",)), ("spots", "place", ("word",))),
}
# Words of one target unit about the pictures of another: drawn for mixtures that name them (`PoolMix.strays`).
CROSSED_SKILLS = {
    "crossed": (("digit", "colour", ("word",)), ("outline", "colour", ("word", "letter")),
                ("compare", "count", ("number",)), ("bars", "count", ("letter",))),
}


def _kinds(skills: dict[str, tuple], on_target: bool) -> tuple[Kind, ...]:
    return tuple(Kind(family=family, ask=ask, form=form, skill=skill, on_target=on_target)
                 for skill, entries in skills.items() for family, ask, forms in entries for form in forms)


UNITS = _kinds(TARGET_SKILLS, True)
STRAYS = _kinds(OFF_TARGET, False)
CROSSED = _kinds(CROSSED_SKILLS, False)
KINDS = {kind.name: kind for kind in (*UNITS, *STRAYS)}
"""Those of the embedded default."""
ALL = KINDS | {kind.name: kind for kind in CROSSED}


def named(names: Sequence[str], *, on_target: bool) -> tuple[Kind, ...]:
    """Kinds by name, asked by the target or not. Raises ValueError for an unknown name."""
    if unknown := [name for name in names if name not in ALL]:
        raise ValueError(f"PoolMix: there is no kind {unknown[0]!r}. There are: {', '.join(ALL)}.")
    return tuple(replace(ALL[name], on_target=on_target) for name in names)


def compose(kind: Kind, rng: random.Random, *, wrong: bool = False, near: bool = False
            ) -> tuple[Scene, Ask, talk.Turn]:
    """Draw a picture of the kind and put its question. wrong, near: as `talk.turn` has them."""
    scene = DRAW[kind.family](rng)
    ask = rng.choice([a for a in scene.asks if a.kind == kind.ask] or [_seen(scene, kind.ask)])
    return scene, ask, talk.turn(ask, kind.form, rng, wrong=wrong, near=near)


def _seen(scene: Scene, ask: str) -> Ask:
    """What a family is not made to ask, told by its marks: the colour of its only thing, or how many things it has."""
    if ask == "count":
        return Ask(kind=ask, value=sum(mark.head == "thing" for mark in scene.marks) - 1)
    colour, = {mark.value for mark in scene.marks if mark.head == "colour"}
    return Ask(kind=ask, value=colour)
