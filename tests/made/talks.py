"""Conversations of all shapes: no picture, one, several; short and long; one turn and two."""

from PIL import Image

from cadc.data.sample import Sample, Turn


def turns(*texts: str) -> list[Turn]:
    """Turns in turn from user and assistant."""
    return [Turn(role=("user", "assistant")[i % 2], parts=(text,)) for i, text in enumerate(texts)]


ONE = Turn(role="user", parts=(0, "one picture"))
WIDE = Turn(role="user", parts=(0, "a wide one, and a question that is rather long"))
TWO = Turn(role="user", parts=(0, "first, and second", 1))
BOTH = Turn(role="user", parts=(0, 1, "side by side"))
SAMPLES = [
    Sample(index=0, id="none", turns=tuple(turns("no picture", "right"))),
    Sample(index=1, id="one", turns=(ONE, *turns("", "a blue one")[1:]), images=("a",)),
    Sample(index=2, id="two", turns=(TWO, *turns("", "x", "and?", "yy")[1:]), images=("a", "b")),
    Sample(index=3, id="wide", turns=(WIDE, *turns("", "7")[1:]), images=("b",)),
    Sample(index=4, id="words", turns=tuple(turns("a", "b", "again, with more words?", "as long as it takes"))),
    Sample(index=5, id="both", turns=(BOTH, *turns("", "no")[1:]), images=("b", "a")),
]
ANSWERS = [["right"], ["a blue one"], ["x", "yy"], ["7"], ["b", "as long as it takes"], ["no"]]
SQUARE = Image.radial_gradient("L").resize((16, 16)).convert("RGB")
BROAD = Image.linear_gradient("L").resize((32, 16)).convert("RGB")


def pictures_of(sample: Sample) -> list[Image.Image]:
    """The opened pictures of a sample."""
    return [{"a": SQUARE, "b": BROAD}[name] for name in sample.images]


def readable(vlm) -> list[Sample]:
    """Those that the model can read."""
    sees = vlm.encoder.template.image_token is not None
    return [sample for sample in SAMPLES if sees or not sample.images]
