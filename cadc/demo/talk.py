"""From what is true in a picture to a question and its answer, in four formats; captions; told facts."""

import random
from dataclasses import dataclass

from cadc.demo import words
from cadc.demo.scenes import Ask, Scene

KIND_WORDS = {
    "sign": "sign", "table": "table", "chart": "chart", "things": "picture of things", "dots": "picture of dots",
    "pair": "pair", "row": "row", "group": "group", "die": "die", "thing_alone": "thing", "map": "map",
    "clock": "clock", "palings": "fence", "sum": "sum", "couple": "couple",
}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One question and its answer; ``right`` says whether the answer is the true one."""

    question: str
    answer: str
    right: bool = True


def formats(ask: Ask) -> tuple[str, ...]:
    """Formats in which an ask can be put."""
    many = ("letter",) if len(words.CONCEPTS[ask.concept]) >= 4 else ()
    return ("yes/no", *many, *(("number",) if ask.concept == "number" else ()), "word")


def turn(ask: Ask, form: str, rng: random.Random, *, wrong: bool = False, near: bool = False) -> Turn:
    """Put the ask in a format; with ``wrong`` the answer is a plausible false one, with ``near`` one beside the right
    one: off by one, the letter next to it."""
    values = words.CONCEPTS[ask.concept]
    slots = {"c": words.CONCEPTS["colour"][ask.colour] if ask.colour is not None else ""}
    others = [v for v in range(len(values)) if v != ask.value]
    beside = [v for v in others if abs(v - ask.value) == 1] if wrong and near else others
    if form == "yes/no":
        says = ask.value if rng.random() < 0.5 else rng.choice(beside)
        text = rng.choice(words.ASKS[ask.kind].check).format(v=values[says], **slots)
        answer = "yes" if (says == ask.value) != wrong else "no"
        return Turn(question=f"{text} {words.HINTS[form]}", answer=answer, right=not wrong)
    text = rng.choice(words.ASKS[ask.kind].open).format(**slots)
    if form == "letter":
        offered = rng.sample(others, 3) + [ask.value]
        rng.shuffle(offered)
        right = offered.index(ask.value)
        chosen = rng.choice([v for place, v in enumerate(offered) if v != ask.value and (
            not near or abs(place - right) == 1)]) if wrong else ask.value
        listed = ", ".join(f"{letter} {values[v]}" for letter, v in zip(words.LETTERS, offered, strict=True))
        question = f"{text} {listed}. {words.HINTS[form]}"
        return Turn(question=question, answer=words.LETTERS[offered.index(chosen)], right=not wrong)
    chosen = rng.choice(beside) if wrong else ask.value
    answer = str(chosen + 1) if form == "number" else values[chosen]
    return Turn(question=f"{text} {words.HINTS[form]}", answer=answer, right=not wrong)


def caption(scene: Scene, rng: random.Random, *, facts: bool) -> Turn:
    """What kind of picture it is and which colours it has; with ``facts`` one thing that is true in it."""
    kind = next(KIND_WORDS[m.head] for m in scene.marks if m.head in KIND_WORDS)
    # Sorted, or the order of drawing would tell which thing is the largest and what comes next.
    colours = sorted(dict.fromkeys(words.CONCEPTS["colour"][m.value] for m in scene.marks if m.head == "colour"))
    text = f"A {kind} with {', '.join(colours)}." if colours else f"A {kind}."
    if facts:
        text += " " + told(rng.choice(scene.asks))
    return Turn(question=rng.choice(words.CAPTION_PROMPTS), answer=text)


def told(ask: Ask) -> str:
    """The ask's truth as a sentence."""
    colour = words.CONCEPTS["colour"][ask.colour] if ask.colour is not None else ""
    return words.ASKS[ask.kind].told.format(v=words.CONCEPTS[ask.concept][ask.value], c=colour)


def spoken(rng: random.Random) -> Turn:
    """A question without a picture: facts are told first, so the words of all asks and formats are learnt."""
    kind = rng.choice(sorted(words.ASKS))
    values, pointed = words.CONCEPTS[words.ASKS[kind].concept], "{c}" in words.ASKS[kind].told
    n = rng.choice((1, 2)) if pointed else 1
    asks = [Ask(kind=kind, value=rng.randrange(len(values)), colour=colour if pointed else None)
            for colour in rng.sample(range(6), n)]
    asked = rng.choice(asks)
    put = turn(asked, rng.choice(formats(asked)), rng)
    return Turn(question=" ".join([*map(told, asks), put.question]), answer=put.answer)


def drill(rng: random.Random) -> Turn:
    """The three moves behind the formats, bare: look a value up by its key, find its letter, compare two words.

    Without them choice and yes/no stay at chance for a hundred thousand samples.
    """
    concept = rng.choice(sorted(words.CONCEPTS))
    values = words.CONCEPTS[concept]
    n = min(len(values), rng.choice((2, 3, 4)))
    offered = rng.sample(values, n)
    move = rng.choice(("letter", "same", "key"))
    if move == "same":
        first = rng.choice(values)
        second = first if rng.random() < 0.5 else rng.choice([v for v in values if v != first])
        return Turn(question=f"{first}, {second}?", answer="yes" if first == second else "no")
    picked = rng.randrange(n)
    if move == "letter":
        listed = ", ".join(f"{letter} {v}" for letter, v in zip(words.LETTERS, offered, strict=False))
        return Turn(question=f"{offered[picked]}? {listed}.", answer=words.LETTERS[picked])
    keys = rng.sample(words.CONCEPTS["colour"], n)
    listed = ", ".join(f"{k} {v}" for k, v in zip(keys, offered, strict=True))
    return Turn(question=f"{listed}. {keys[picked]}?", answer=offered[picked])
