"""Words of the embedded default: concepts, and the questions that ask for them.

Questions belong to an *ask* (what is asked), not to a family of pictures, so families that ask the same thing
share their questions word for word and only the picture decides (docs/demo.md).
"""

CONCEPTS: dict[str, tuple[str, ...]] = {
    "number": ("one", "two", "three", "four", "five", "six"),
    "colour": ("red", "blue", "green", "yellow", "purple", "orange"),
    "shape": ("circle", "square", "triangle", "star", "cross", "diamond"),
    "place": ("left", "right", "above", "below", "inside"),
    "size": ("small", "large"),
    "match": ("same", "different"),
}

# ask -> paraphrases of the open question; {c} is the colour that names the thing asked about.
OPEN: dict[str, tuple[str, ...]] = {
    "number": ("What number is shown?", "Which number does the picture show?", "What is the number here?"),
    "count": ("How many are there?", "How many do you see?", "How many things are in the picture?"),
    "value": (
        "What number goes with {c}?",
        "What is the value of the {c} one?",
        "Which number has the {c} one?",
    ),
    "total": ("How many are there together?", "What is the sum?", "How many do you see in all?"),
    "place": ("Where is the {c} one?", "Where do you see the {c} one?", "What is the place of the {c} one?"),
    "shape": ("Which shape is it?", "What shape do you see?", "What is the shape here?"),
    "shape_of": (
        "Which shape is the {c} one?",
        "What shape has the {c} one?",
        "What is the shape of the {c} one?",
    ),
    "colour": ("Which colour is it?", "What colour do you see?", "What is the colour here?"),
    "largest": (
        "Which colour is the largest one?",
        "What colour has the largest one?",
        "The largest one has which colour?",
    ),
    "next": ("Which colour comes next?", "What colour is the next one?", "The next one has which colour?"),
    "size": ("Which size is it?", "What size do you see?", "What is the size here?"),
    "match": ("Are they the same or different?", "Do you see the same or different shape?"),
}

# ask -> paraphrases of the statement to check; {v} is the value claimed.
CHECK: dict[str, tuple[str, ...]] = {
    "number": ("Is the number {v}?", "Does the picture show {v}?", "Is it {v} here?"),
    "count": ("Are there {v}?", "Do you see {v}?", "Are {v} things in the picture?"),
    "value": ("Does {v} go with {c}?", "Is {v} the value of the {c} one?", "Has the {c} one the number {v}?"),
    "total": ("Are there {v} together?", "Is the sum {v}?", "Do you see {v} in all?"),
    "place": ("Is the {c} one {v}?", "Do you see the {c} one {v}?", "Is {v} the place of the {c} one?"),
    "shape": ("Is it a {v}?", "Do you see a {v}?", "Is the shape here a {v}?"),
    "shape_of": (
        "Is the {c} one a {v}?",
        "Has the {c} one the shape {v}?",
        "Is the shape of the {c} one a {v}?",
    ),
    "colour": ("Is it {v}?", "Do you see {v}?", "Is the colour here {v}?"),
    "largest": ("Is the largest one {v}?", "Has the largest one the colour {v}?", "Is {v} the largest one?"),
    "next": ("Is the next one {v}?", "Has the next one the colour {v}?", "Does {v} come next?"),
    "size": ("Is it {v}?", "Is the size here {v}?", "Do you see a {v} one?"),
    "match": ("Are they {v}?", "Is the shape {v}?"),
}

FORMATS = ("yes/no", "letter", "number", "word")
HINTS = {
    "yes/no": "Answer yes or no.",
    "letter": "Answer with a letter.",
    "number": "Answer with a number.",
    "word": "Answer with a word.",
}
LETTERS = ("A", "B", "C", "D")

CAPTION_PROMPTS = ("Describe the picture.", "What is in the picture?", "What do you see?")
