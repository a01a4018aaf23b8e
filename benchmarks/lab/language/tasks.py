"""Text-only tasks for a real language model: what can be asked, in which format, with right and wrong answers.

Fourteen target units cross six skills with four answer formats: three skills are generated (sums, numerals, days),
three ask real words and facts. Eight more kinds are never asked for by the target. `pool` draws rows of them.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.lab.language.facts import COUNTRIES, DAYS, ELEMENTS, MONTHS, PLURALS, VERBS, WORDS

HINTS = {"number": "One number.", "yes/no": "Yes or no?", "letter": "One letter.", "word": "One word."}
SLUG = {"yes/no": "yesno", "letter": "letter", "number": "number", "word": "word"}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One thing that can be asked."""

    key: tuple
    """What is asked, whatever the words: a key of the target never occurs in the pool's rows of the same unit."""
    wordings: tuple[str, ...]
    """Ways to say it, without the hint at the format."""
    right: str
    wrong: str


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One skill in one answer format."""

    skill: str
    form: str
    ask: Callable[[random.Random], Ask]
    on_target: bool = True

    @property
    def name(self) -> str:
        """Name of the kind; of a target unit where the target asks for it."""
        return f"{self.skill}_{SLUG[self.form]}"


# ---- answer formats --------------------------------------------------------------------------------------------------
def _open(key: tuple, wordings: Sequence[str], right: object, wrong: object) -> Ask:
    return Ask(key=key, wordings=tuple(wordings), right=str(right), wrong=str(wrong))


def _claim(rng: random.Random, key: tuple, wordings: Sequence[str], right: object, others: Sequence[object]) -> Ask:
    """Yes or no to a claim, `{c}` in the wordings: the right thing or one of the others, half and half."""
    says = right if rng.random() < 0.5 else rng.choice([one for one in others if one != right])
    return _open((*key, says), [text.replace("{c}", str(says)) for text in wordings], *_answers(says == right))


def _answers(holds: bool) -> tuple[str, str]:
    """The right answer and the wrong one to whether something holds."""
    return ("yes", "no") if holds else ("no", "yes")


def _options(rng: random.Random, key: tuple, wordings: Sequence[str], right: object, others: Sequence[object]) -> Ask:
    """The letter of the right one of three options."""
    offered = [right, *rng.sample(sorted({one for one in others if one != right}), 2)]
    rng.shuffle(offered)
    listed = ", ".join(f"{letter} {one}" for letter, one in zip("ABC", offered, strict=True))
    letter = "ABC"[offered.index(right)]
    return _open(key, [f"{text} {listed}." for text in wordings], letter, rng.choice("ABC".replace(letter, "")))


# ---- skills: generated -----------------------------------------------------------------------------------------------
def _terms(rng: random.Random) -> tuple[int, int, list[int]]:
    """Two numbers and what their sum could be mistaken for."""
    a, b = rng.randint(2, 29), rng.randint(2, 29)
    return a, b, [a + b + step for step in (-10, -2, -1, 1, 2, 10) if a + b + step > 0]


def _sum_number(rng: random.Random) -> Ask:
    a, b, near = _terms(rng)
    return _open((a, b), (f"What is {a} plus {b}?", f"Add {a} and {b}.", f"What is the sum of {a} and {b}?"), a + b,
                 rng.choice(near))


def _sum_claim(rng: random.Random) -> Ask:
    a, b, near = _terms(rng)
    return _claim(rng, (a, b), (f"Is {a} plus {b} equal to {{c}}?", f"Is {{c}} the sum of {a} and {b}?",
                                f"Do {a} and {b} make {{c}}?"), a + b, near)


def _sum_letter(rng: random.Random) -> Ask:
    a, b, near = _terms(rng)
    return _options(rng, (a, b), (f"What is {a} plus {b}?", f"Which is the sum of {a} and {b}?",
                                  f"Add {a} and {b}."), a + b, near)


def roman(number: int) -> str:
    """A number in Roman numerals."""
    parts = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    text = ""
    for value, letters in parts:
        text += letters * (number // value)
        number %= value
    return text


def _numeral(rng: random.Random) -> int:
    return rng.choice([n for n in range(2, 200) if len(roman(n)) > 1])  # a lone letter would look like an option


def _roman_number(rng: random.Random) -> Ask:
    n = _numeral(rng)
    other = roman(n)
    return _open((n,), (f"Which number is {other} in Roman numerals?", f"What is the Roman numeral {other}?",
                        f"Read the Roman numeral {other}."), n, n + rng.choice((-1, 1, 5, 10)))


def _roman_word(rng: random.Random) -> Ask:
    n = _numeral(rng)
    return _open((n,), (f"Write {n} in Roman numerals.", f"What is {n} as a Roman numeral?",
                        f"Give the Roman numeral of {n}."), roman(n), roman(n + rng.choice((2, 5, 10))))


def _turned(rng: random.Random, names: Sequence[str], most: int) -> tuple[str, int, str, str]:
    """A name, how far from it, the side, and the name that lies there in the circle of names."""
    start, step, side = rng.randrange(len(names)), rng.randint(1, most), rng.choice(("after", "before"))
    return names[start], step, side, names[(start + (step if side == "after" else -step)) % len(names)]


def _day_word(rng: random.Random) -> Ask:
    day, n, side, right = _turned(rng, DAYS, 9)
    away = f"{n} {'day' if n == 1 else 'days'} {side} {day}"
    return _open((day, n, side), (f"Which weekday is {away}?", f"What day comes {away}?", f"Name the day {away}."),
                 right, rng.choice([one for one in DAYS if one != right]))


def _day_claim(rng: random.Random) -> Ask:
    day, n, side, right = _turned(rng, DAYS, 9)
    away = f"{n} {'day' if n == 1 else 'days'} {side} {day}"
    return _claim(rng, (day, n, side), (f"Is {{c}} {away}?", f"Does {{c}} come {away}?", f"Is it {{c}} {away}?"),
                  right, DAYS)


# ---- skills: real words and facts ------------------------------------------------------------------------------------
def _length_number(rng: random.Random) -> Ask:
    word = rng.choice(WORDS)
    return _open((word,), (f"How many letters has the word {word}?", f"Count the letters in {word}.",
                           f"How long is the word {word}?"), len(word), len(word) + rng.choice((-1, 1, 2)))


def _letter_claim(rng: random.Random) -> Ask:
    word = rng.choice(WORDS)
    inside = rng.random() < 0.5
    letter = rng.choice(sorted(set(word) if inside else set("abcdefghilmnoprstuw") - set(word)))
    return _open((word, letter), (f"Is the letter {letter} in the word {word}?", f"Does {word} contain {letter}?",
                                  f"Is {word} spelt with the letter {letter}?"), *_answers(inside))


def _element(rng: random.Random) -> tuple[int, str, str]:
    number = rng.randrange(len(ELEMENTS))
    return number + 1, *ELEMENTS[number]


def _element_word(rng: random.Random) -> Ask:
    _, name, symbol = _element(rng)
    return _open((name,), (f"What is the chemical symbol of {name}?", f"Which symbol stands for {name}?",
                           f"Give the symbol for the element {name}."), symbol,
                 rng.choice([other for _, other in ELEMENTS if other != symbol]))


def _element_number(rng: random.Random) -> Ask:
    number, name, _ = _element(rng)
    return _open((name,), (f"What is the atomic number of {name}?", f"How many protons has {name}?",
                           f"Give the atomic number of the element {name}."), number,
                 rng.choice([n for n in range(1, len(ELEMENTS)) if n != number]))


def _element_letter(rng: random.Random) -> Ask:
    _, name, symbol = _element(rng)
    return _options(rng, (name,), (f"What is the chemical symbol of {name}?", f"Which symbol stands for {name}?",
                                   f"Choose the symbol of {name}."), symbol, [other for _, other in ELEMENTS])


def _capital_word(rng: random.Random) -> Ask:
    country, capital, _ = rng.choice(COUNTRIES)
    return _open((country,), (f"What is the capital of {country}?", f"Which city is the capital of {country}?",
                              f"Name the capital of {country}."), capital,
                 rng.choice([city for _, city, _ in COUNTRIES if city != capital]))


def _capital_claim(rng: random.Random) -> Ask:
    country, capital, continent = rng.choice(COUNTRIES)
    near = [city for _, city, where in COUNTRIES if where == continent]
    return _claim(rng, (country,), (f"Is {{c}} the capital of {country}?", f"Is the capital of {country} {{c}}?",
                                    f"Does {country} have {{c}} as its capital?"), capital, near)


# ---- kinds that the target never asks for ----------------------------------------------------------------------------
def _product_number(rng: random.Random) -> Ask:
    a, b = rng.randint(2, 19), rng.randint(2, 12)
    return _open((a, b), (f"What is {a} times {b}?", f"Multiply {a} by {b}.", f"What is the product of {a} and {b}?"),
                 a * b, a * b + rng.choice((-a, a, b, 1)))


def _larger_claim(rng: random.Random) -> Ask:
    a, b = rng.sample(range(100, 999), 2)
    return _open((a, b), (f"Is {a} larger than {b}?", f"Is {b} less than {a}?", f"Does {a} exceed {b}?"),
                 *_answers(a > b))


def _difference_letter(rng: random.Random) -> Ask:
    b, d = rng.randint(2, 29), rng.randint(2, 29)
    return _options(rng, (b, d), (f"What is {b + d} minus {b}?", f"Take {b} from {b + d}.",
                                  f"Subtract {b} from {b + d}."), d, [d + step for step in (-1, 1, 2, 10)])


def _past_word(rng: random.Random) -> Ask:
    base, past = rng.choice(VERBS)
    return _open((base,), (f"What is the past tense of {base}?", f"Put the verb {base} into the past.",
                           f"Give the simple past of {base}.", f"Today I {base}, yesterday I what?"), past,
                 rng.choice((f"{base}ed", rng.choice(VERBS)[0])))


def _plural_word(rng: random.Random) -> Ask:
    one, many = rng.choice(PLURALS)
    return _open((one,), (f"What is the plural of {one}?", f"Put the noun {one} into the plural.",
                          f"Give the plural form of {one}.", f"One {one}, two what?"), many,
                 rng.choice((one, rng.choice([other for _, other in PLURALS if other != many]))))


def _month_word(rng: random.Random) -> Ask:
    month, n, side, right = _turned(rng, MONTHS, 8)
    away = f"{n} {'month' if n == 1 else 'months'} {side} {month}"
    return _open((month, n, side), (f"Which month is {away}?", f"Name the month {away}.",
                                    f"What month comes {away}?"), right,
                 rng.choice([one for one in MONTHS if one != right]))


def _continent_letter(rng: random.Random) -> Ask:
    country, _, continent = rng.choice(COUNTRIES)
    return _options(rng, (country,), (f"On which continent is {country}?", f"Where does {country} lie?",
                                      f"Which continent has {country}?"), continent,
                    [where for _, _, where in COUNTRIES])


def _first_word(rng: random.Random) -> Ask:
    pair = rng.sample(WORDS, 2)
    first, last = sorted(pair)
    a, b = pair
    return _open((a, b), (f"Which is first in the alphabet: {a} or {b}?", f"Put {a} and {b} in order; which leads?",
                          f"Does a dictionary list {a} or {b} first?"), first, last)


UNITS = (
    Kind(skill="sum", form="number", ask=_sum_number), Kind(skill="sum", form="yes/no", ask=_sum_claim),
    Kind(skill="sum", form="letter", ask=_sum_letter),
    Kind(skill="roman", form="number", ask=_roman_number), Kind(skill="roman", form="word", ask=_roman_word),
    Kind(skill="day", form="word", ask=_day_word), Kind(skill="day", form="yes/no", ask=_day_claim),
    Kind(skill="spelling", form="number", ask=_length_number), Kind(skill="spelling", form="yes/no", ask=_letter_claim),
    Kind(skill="element", form="word", ask=_element_word), Kind(skill="element", form="number", ask=_element_number),
    Kind(skill="element", form="letter", ask=_element_letter),
    Kind(skill="capital", form="word", ask=_capital_word), Kind(skill="capital", form="yes/no", ask=_capital_claim))
STRAYS = tuple(Kind(skill=skill, form=form, ask=ask, on_target=False) for skill, form, ask in (
    ("product", "number", _product_number), ("larger", "yes/no", _larger_claim),
    ("difference", "letter", _difference_letter), ("past", "word", _past_word), ("plural", "word", _plural_word),
    ("month", "word", _month_word), ("continent", "letter", _continent_letter), ("alphabet", "word", _first_word)))
