"""Words of the embedded default: concepts, and how each ask is put into words.

Questions belong to an *ask* (what is asked), not to a family of pictures, so families that ask the same thing
share their questions word for word and only the picture decides (docs/demo.md).
"""

from dataclasses import dataclass

CONCEPTS: dict[str, tuple[str, ...]] = {
    "number": ("one", "two", "three", "four", "five", "six"),
    "colour": ("red", "blue", "green", "yellow", "purple", "orange"),
    "shape": ("circle", "square", "triangle", "star", "cross", "diamond"),
    "place": ("left", "right", "above", "below", "inside"),
    "size": ("small", "large"),
    "match": ("same", "different"),
}


@dataclass(frozen=True)
class Wording:
    """One ask in words. {c} is the colour that names the thing asked about, {v} the value claimed or told."""

    concept: str
    """What the answer is one of."""
    told: str
    """The truth as a sentence."""
    open: tuple[str, ...]
    """Paraphrases of the open question."""
    check: tuple[str, ...]
    """Paraphrases of the statement to check."""


ASKS: dict[str, Wording] = {
    "number": Wording("number", "The number is {v}.",
                      ("What number is shown?", "Which number does the picture show?", "What is the number here?"),
                      ("Is the number {v}?", "Does the picture show {v}?", "Is it {v} here?")),
    "count": Wording("number", "There are {v}.",
                     ("How many are there?", "How many do you see?", "How many things are in the picture?"),
                     ("Are there {v}?", "Do you see {v}?", "Are {v} things in the picture?")),
    "value": Wording("number", "The {c} one has {v}.",
                     ("What number goes with {c}?", "What is the value of the {c} one?",
                      "Which number has the {c} one?"),
                     ("Does {v} go with {c}?", "Is {v} the value of the {c} one?", "Has the {c} one the number {v}?")),
    "total": Wording("number", "The sum is {v}.",
                     ("How many are there together?", "What is the sum?", "How many do you see in all?"),
                     ("Are there {v} together?", "Is the sum {v}?", "Do you see {v} in all?")),
    "place": Wording("place", "The {c} one is {v}.",
                     ("Where is the {c} one?", "Where do you see the {c} one?", "What is the place of the {c} one?"),
                     ("Is the {c} one {v}?", "Do you see the {c} one {v}?", "Is {v} the place of the {c} one?")),
    "shape": Wording("shape", "It is a {v}.",
                     ("Which shape is it?", "What shape do you see?", "What is the shape here?"),
                     ("Is it a {v}?", "Do you see a {v}?", "Is the shape here a {v}?")),
    "shape_of": Wording("shape", "The {c} one is a {v}.",
                        ("Which shape is the {c} one?", "What shape has the {c} one?",
                         "What is the shape of the {c} one?"),
                        ("Is the {c} one a {v}?", "Has the {c} one the shape {v}?",
                         "Is the shape of the {c} one a {v}?")),
    "colour": Wording("colour", "It is {v}.",
                      ("Which colour is it?", "What colour do you see?", "What is the colour here?"),
                      ("Is it {v}?", "Do you see {v}?", "Is the colour here {v}?")),
    "largest": Wording("colour", "The largest one is {v}.",
                       ("Which colour is the largest one?", "What colour has the largest one?",
                        "The largest one has which colour?"),
                       ("Is the largest one {v}?", "Has the largest one the colour {v}?", "Is {v} the largest one?")),
    "next": Wording("colour", "The next one is {v}.",
                    ("Which colour comes next?", "What colour is the next one?", "The next one has which colour?"),
                    ("Is the next one {v}?", "Has the next one the colour {v}?", "Does {v} come next?")),
    "size": Wording("size", "It is {v}.",
                    ("Which size is it?", "What size do you see?", "What is the size here?"),
                    ("Is it {v}?", "Is the size here {v}?", "Do you see a {v} one?")),
    "match": Wording("match", "They are {v}.",
                     ("Are they the same or different?", "Do you see the same or different shape?"),
                     ("Are they {v}?", "Is the shape {v}?")),
}

HINTS = {
    "yes/no": "Answer yes or no.",
    "letter": "Answer with a letter.",
    "number": "Answer with a number.",
    "word": "Answer with a word.",
}
LETTERS = ("A", "B", "C", "D")

CAPTION_PROMPTS = ("Describe the picture.", "What is in the picture?", "What do you see?")
