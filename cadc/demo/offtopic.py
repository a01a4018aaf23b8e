"""Off-topic rows: everyday text without a picture, in the words and formats of the picture questions."""

import random

from cadc.demo.words import CONCEPTS, HINTS, LETTERS

NUMBERS = CONCEPTS["number"]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OPPOSITES = (("hot", "cold"), ("up", "down"), ("big", "small"), ("new", "old"), ("happy", "sad"), ("fast", "slow"),
             ("day", "night"), ("left", "right"), ("above", "below"), ("same", "different"))
GROUPS = {
    "animal": ("dog", "cat", "bird", "fish"),
    "plant": ("tree", "rose", "grass"),
    "food": ("apple", "bread", "milk"),
    "colour": CONCEPTS["colour"],
    "number": NUMBERS,
    "shape": CONCEPTS["shape"],
}
PAINTED = (("the sky", "blue"), ("grass", "green"), ("blood", "red"), ("the sun", "yellow"), ("snow", "white"),
           ("coal", "black"), ("an orange", "orange"))


def _sum(rng: random.Random) -> tuple[str, str]:
    a, b = rng.randint(1, 5), rng.randint(1, 4)
    names = (*NUMBERS, "seven", "eight", "nine")
    form = rng.choice(("number", "word"))
    text = rng.choice(("What is {a} plus {b}?", "How many are {a} and {b} together?",
                       "What is the sum of {a} and {b}?"))
    answer = str(a + b) if form == "number" else names[a + b - 1]
    return f"{text.format(a=names[a - 1], b=names[b - 1])} {HINTS[form]}", answer


def _opposite(rng: random.Random) -> tuple[str, str]:
    a, b = rng.choice(OPPOSITES)[:: rng.choice((1, -1))]
    if rng.random() < 0.5:
        return f"{rng.choice(('What', 'Which word'))} is the opposite of {a}? {HINTS['word']}", b
    says = rng.choice((b, rng.choice(OPPOSITES)[0]))
    return f"Is {says} the opposite of {a}? {HINTS['yes/no']}", "yes" if says == b else "no"


def _day(rng: random.Random) -> tuple[str, str]:
    i, step = rng.randrange(7), rng.choice((1, -1))
    side = "after" if step == 1 else "before"
    text = rng.choice(("Which day comes {s} {d}?", "What day is {s} {d}?", "Name the day {s} {d}."))
    return f"{text.format(s=side, d=DAYS[i])} {HINTS['word']}", DAYS[(i + step) % 7]


def _group(rng: random.Random) -> tuple[str, str]:
    group = rng.choice(sorted(GROUPS))
    inside = rng.choice(GROUPS[group])
    strangers = [w for g, members in GROUPS.items() if g != group for w in members if w not in GROUPS[group]]
    offered = [*rng.sample(strangers, 3), inside]
    rng.shuffle(offered)
    listed = ", ".join(f"{letter} {w}" for letter, w in zip(LETTERS, offered, strict=True))
    text = rng.choice(("Which is a {g}?", "Which word is a {g}?", "What is the {g} here?")).format(g=group)
    return f"{text} {listed}. {HINTS['letter']}", LETTERS[offered.index(inside)]


def _order(rng: random.Random) -> tuple[str, str]:
    i = rng.randrange(1, 5)
    if rng.random() < 0.5:
        return f"Which number comes after {NUMBERS[i]}? {HINTS['word']}", NUMBERS[i + 1]
    return f"Is {NUMBERS[i]} between {NUMBERS[i - 1]} and {NUMBERS[i + 1]}? {HINTS['yes/no']}", "yes"


def _paint(rng: random.Random) -> tuple[str, str]:
    thing, colour = rng.choice(PAINTED)
    if rng.random() < 0.5:
        return f"Which colour is {thing}? {HINTS['word']}", colour
    says = rng.choice((colour, rng.choice(CONCEPTS["colour"])))
    return f"Is {thing} {says}? {HINTS['yes/no']}", "yes" if says == colour else "no"


def _list(rng: random.Random) -> tuple[str, str]:
    pick = rng.sample(sorted(w for members in GROUPS.values() for w in members), rng.randint(2, 5))
    which = rng.choice(("first", "last"))
    answer = pick[0] if which == "first" else pick[-1]
    if rng.random() < 0.4:
        return f"How many words are in this list: {', '.join(pick)}? {HINTS['number']}", str(len(pick))
    return f"Which word comes {which} in this list: {', '.join(pick)}? {HINTS['word']}", answer


def off_topic(rng: random.Random) -> tuple[str, str]:
    """One (question, answer) that needs no picture."""
    return rng.choice((_sum, _opposite, _day, _group, _group, _order, _paint, _list, _list))(rng)
