"""More pictures: those the base knows from its captions, and those only off-target rows of the pool show."""

import math
import random

from cadc.demo.scenes import CELL, INK, SKILLED, Ask, Board, Family, Scene, around
from cadc.demo.words import CONCEPTS

# ---- known to the base -----------------------------------------------------------------------------------------------


def die(rng: random.Random) -> Scene:
    """One die face: its pips are the number that the base can name."""
    b, value, colour = Board(rng, "die"), rng.randrange(6), rng.randrange(6)
    cell = rng.randrange(16)
    x, y = b.centre(cell, 1)
    b.face(value + 1, x, y, b.tint(colour))
    b.mark(cell, colour=colour, pips=value)
    return b.scene("die", [Ask(kind="number", value=value), Ask(kind="count", value=value)])


def dice(rng: random.Random) -> Scene:
    """Two to four die faces of different colours."""
    b, n, asks = Board(rng, "die"), rng.choice((2, 3, 4)), []
    for cell, colour in zip(rng.sample(range(16), n), rng.sample(range(6), n), strict=True):
        value = rng.randrange(6)
        x, y = b.centre(cell, 1)
        b.face(value + 1, x, y, b.tint(colour))
        b.mark(cell, colour=colour, pips=value)
        asks.append(Ask(kind="value", value=value, colour=colour))
    return b.scene("dice", asks)


def blob(rng: random.Random) -> Scene:
    """One plain thing: its colour, its shape, its size."""
    b, shape, colour, size = Board(rng, "thing_alone"), rng.randrange(6), rng.randrange(6), rng.randrange(2)
    cell = rng.randrange(16)
    x, y = b.centre(cell, 1)
    b.shape(shape, x, y, 8 if size else 4, b.tint(colour))
    b.mark(cell, colour=colour, shape=shape, size=size)
    return b.scene("blob", [Ask(kind="colour", value=colour), Ask(kind="shape", value=shape),
                            Ask(kind="size", value=size)])


def blobs(rng: random.Random) -> Scene:
    """Two or three plain things of different colours: the shape of one of them."""
    b, n, asks = Board(rng, "thing_alone"), rng.choice((2, 3)), []
    for cell, colour in zip(rng.sample(range(16), n), rng.sample(range(6), n), strict=True):
        shape = rng.randrange(6)
        x, y = b.centre(cell, 1)
        b.shape(shape, x, y, 7, b.tint(colour))
        b.mark(cell, colour=colour, shape=shape)
        asks.append(Ask(kind="shape_of", value=shape, colour=colour))
    return b.scene("blobs", asks)


def spots(rng: random.Random) -> Scene:
    """Things around a cross-hair: left, right, above, below of the middle, or inside its ring."""
    b, n, asks = Board(rng, "map"), rng.choice((1, 2)), []
    b.draw.line((32, 0, 32, 63), fill=(170, 170, 176))
    b.draw.line((0, 32, 63, 32), fill=(170, 170, 176))
    b.draw.ellipse((17, 17, 46, 46), outline=(170, 170, 176))
    homes = {0: (4, 8), 1: (7, 11), 2: (1, 2), 3: (13, 14), 4: (5, 6, 9, 10)}
    for value, colour in zip(rng.sample(range(5), n), rng.sample(range(6), n), strict=True):
        cell = rng.choice(homes[value])
        x, y = b.centre(cell, 1)
        b.shape(rng.choice((0, 1)), x, y, 4, b.tint(colour))
        b.mark(cell, colour=colour, place=value)
        asks.append(Ask(kind="place", value=value, colour=colour))
    return b.scene("spots", asks)


# ---- strangers: unknown to the base, and never asked by the target ---------------------------------------------------


def clock(rng: random.Random) -> Scene:
    """A dial with one hand: six directions, six numbers."""
    b, value, colour = Board(rng, "clock"), rng.randrange(6), rng.randrange(6)
    cell = rng.choice((5, 6, 9, 10))
    x, y = b.centre(cell, 1)
    r, angle = rng.randint(14, 20), math.radians(60 * (value + 1) - 90)
    b.draw.ellipse(around(x, y, r), outline=INK)
    b.draw.line((x, y, x + (r - 2) * math.cos(angle), y + (r - 2) * math.sin(angle)), fill=b.tint(colour), width=3)
    b.mark(cell, colour=colour, dial=value)
    return b.scene("clock", [Ask(kind="number", value=value)])


def fence(rng: random.Random) -> Scene:
    """Thin bars of one colour: how many are there?"""
    b, value, colour = Board(rng, "palings"), rng.randrange(6), rng.randrange(6)
    fill, cells = b.tint(colour), set()
    for slot in rng.sample(range(8), value + 1):
        x = slot * 8 + 4
        b.draw.rectangle((x - 1, rng.randint(8, 50), x + 1, 61), fill=fill)
        cells.add(12 + x // CELL)
    for cell in sorted(cells):
        b.mark(cell, colour=colour, fence=value)
    return b.scene("fence", [Ask(kind="count", value=value)])


def label(rng: random.Random) -> Scene:
    """A colour's name in ink of any colour."""
    b, value, colour = Board(rng, "sign"), rng.randrange(6), rng.randrange(6)
    b.mark(b.lettering(CONCEPTS["colour"][value], colour), label=value)
    return b.scene("label", [Ask(kind="colour", value=value)])


def total(rng: random.Random) -> Scene:
    """Two dice joined by a plus sign: their sum."""
    b, value = Board(rng, "sum"), rng.randrange(1, 6)
    first, row = rng.randint(1, value), rng.randrange(4)
    left = rng.randrange(2)
    for cell, n in ((row * 4 + left, first), (row * 4 + left + 2, value + 1 - first)):
        x, y = b.centre(cell, 0)
        b.face(n, x, y, b.tint(rng.randrange(6)))
    x, y = b.centre(row * 4 + left + 1, 1)
    b.print("+", x, y, 2, INK)
    b.mark(row * 4 + left + 1, total=value)
    return b.scene("total", [Ask(kind="total", value=value)])


def twins(rng: random.Random) -> Scene:
    """Two things of one colour: same shape or not."""
    b, value, colour = Board(rng, "couple"), rng.randrange(2), rng.randrange(6)
    s1, s2 = rng.sample(range(6), 2)
    for cell, shape in zip(rng.sample(range(16), 2), (s1, s1 if value == 0 else s2), strict=True):
        x, y = b.centre(cell, 1)
        b.shape(shape, x, y, 7, b.tint(colour))
        b.mark(cell, colour=colour, match=value)
    return b.scene("twins", [Ask(kind="match", value=value)])


KNOWN: dict[str, Family] = {f.__name__: f for f in (die, dice, blob, blobs, spots)}
STRANGERS: dict[str, Family] = {f.__name__: f for f in (clock, fence, label, total, twins)}
DRAW = SKILLED | KNOWN | STRANGERS
