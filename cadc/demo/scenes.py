"""Pictures of the embedded default: 64-pixel drawings and what is true in them.

A picture is a 4 x 4 board of 16-pixel cells; the shipped model has one image token per cell. A *mark* says
that an attribute (``head``) has a value at a cell: the vision tower learns all marks, the language model a part
of them (docs/demo.md, "what the base lacks").
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from cadc.demo.words import ASKS, CONCEPTS

SIDE, CELL = 64, 16
RGB = ((214, 48, 44), (42, 92, 214), (46, 160, 66), (232, 196, 30), (140, 62, 178), (240, 132, 36))
PAPER = ((255, 255, 255), (248, 244, 232), (234, 240, 248), (238, 246, 236), (226, 226, 226))
INK = (40, 40, 48)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Attribute ``head`` has class ``value`` at ``cell`` (0-15, row by row)."""

    cell: int
    head: str
    value: int = 0


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What can be asked: ``kind`` names the questions, the answer is ``CONCEPTS[concept][value]``."""

    kind: str
    value: int
    colour: int | None = None

    @property
    def concept(self) -> str:
        """What the answer is one of."""
        return ASKS[self.kind].concept


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture (RGB, 64 x 64), its marks and the questions that it can answer."""

    family: str
    picture: Image.Image
    marks: tuple[Mark, ...]
    asks: tuple[Ask, ...]


class Board:
    """Pencil and rubber: draws on one picture and collects its marks."""

    def __init__(self, rng: random.Random, kind: str) -> None:
        self.rng, self.kind = rng, kind
        self.picture = Image.new("RGB", (SIDE, SIDE), rng.choice(PAPER))
        self.draw = ImageDraw.Draw(self.picture)
        self.marks: list[Mark] = []

    def centre(self, cell: int, jitter: int = 2) -> tuple[int, int]:
        """Pixel (x, y) near the middle of a cell; the jitter keeps the thing inside its own token."""
        y, x = divmod(cell, 4)
        shake = self.rng.randint
        return x * CELL + 8 + shake(-jitter, jitter), y * CELL + 8 + shake(-jitter, jitter)

    def tint(self, colour: int) -> tuple[int, int, int]:
        """A shade of a named colour."""
        red, green, blue = (max(0, min(255, c + self.rng.randint(-16, 16))) for c in RGB[colour])
        return red, green, blue

    def mark(self, cell: int, thing: bool = True, **values: int) -> None:
        """Record attributes at a cell; ``thing`` also says that a thing stands there and of which kind."""
        heads = ({"thing": 0, self.kind: 0} if thing else {}) | values
        self.marks.extend(Mark(cell=cell, head=h, value=v) for h, v in heads.items())

    def shape(self, shape: int, x: int, y: int, r: int, fill: tuple[int, int, int]) -> None:
        """A filled shape of radius r."""
        if shape == 0:
            self.draw.ellipse(around(x, y, r), fill=fill)
        elif shape == 4:
            w = max(1, r // 3)
            self.draw.rectangle((x - r, y - w, x + r, y + w), fill=fill)
            self.draw.rectangle((x - w, y - r, x + w, y + r), fill=fill)
        else:
            self.draw.polygon(corners(shape, x, y, r), fill=fill)

    def print(self, text: str, x: int, y: int, scale: float, fill: tuple[int, int, int], *, left: bool = False) -> None:
        """Text in Pillow's own bitmap font (the same everywhere), centred at (x, y) or starting there."""
        font = ImageFont.load_default_imagefont()
        mask = font.getmask(text, mode="1")
        glyphs = Image.frombytes("L", mask.size, bytes(255 if v else 0 for v in mask))
        box = glyphs.getbbox()
        glyphs = glyphs.crop(box)
        size = (round(glyphs.width * scale), round(glyphs.height * scale))
        glyphs = glyphs.resize(size, Image.Resampling.NEAREST)
        self.picture.paste(fill, (x if left else x - size[0] // 2, y - size[1] // 2), glyphs)

    def pips(self, n: int, x: int, y: int, fill: tuple[int, int, int]) -> None:
        """n dots packed into one cell, as on a die."""
        spots = {1: "c", 2: "ai", 3: "aci", 4: "agdi", 5: "agcdi", 6: "abgdhi"}[n]
        grid = {"a": (-4, -4), "b": (-4, 0), "g": (-4, 4), "d": (4, -4), "h": (4, 0), "i": (4, 4), "c": (0, 0)}
        for dx, dy in (grid[s] for s in spots):
            self.draw.rectangle(around(x + dx, y + dy, 1), fill=fill)

    def face(self, n: int, x: int, y: int, fill: tuple[int, int, int]) -> None:
        """One face of a die."""
        self.draw.rectangle(around(x, y, 7), outline=INK)
        self.pips(n, x, y, fill)

    def lettering(self, text: str, colour: int) -> int:
        """A word in small or capital letters that starts in the left half of the board; its first cell."""
        cell = self.rng.choice([c for c in range(16) if c % 4 < 2])
        x, y = self.centre(cell, 1)
        self.print(text.upper() if self.rng.random() < 0.5 else text, x - 7, y, 1, self.tint(colour), left=True)
        return cell

    def scene(self, family: str, asks: list[Ask]) -> Scene:
        """Put the pencil down."""
        return Scene(family=family, picture=self.picture, marks=tuple(self.marks), asks=tuple(asks))


def around(x: float, y: float, r: float) -> tuple[float, float, float, float]:
    """The square of half a side r about a point."""
    return x - r, y - r, x + r, y + r


def corners(shape: int, x: float, y: float, r: float) -> list[tuple[float, float]]:
    """Corner points of a polygonal shape (index into CONCEPTS['shape'])."""
    if shape == 1:
        s = r * 0.85
        return [(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)]
    if shape == 2:
        return [(x, y - r), (x + r, y + r * 0.85), (x - r, y + r * 0.85)]
    if shape == 3:
        rays = [(r if i % 2 == 0 else r * 0.42, -math.pi / 2 + i * math.pi / 5) for i in range(10)]
        return [(x + q * math.cos(a), y + q * math.sin(a)) for q, a in rays]
    if shape == 4:
        w = r / 3
        return [(x - w, y - r), (x + w, y - r), (x + w, y - w), (x + r, y - w), (x + r, y + w), (x + w, y + w),
                (x + w, y + r), (x - w, y + r), (x - w, y + w), (x - r, y + w), (x - r, y - w), (x - w, y - w)]
    if shape == 5:
        return [(x, y - r), (x + r * 0.7, y), (x, y + r), (x - r * 0.7, y)]
    return [(x + r * math.cos(i * math.pi / 8), y + r * math.sin(i * math.pi / 8)) for i in range(16)]


# ---- reading: digits, printed words, tables of digits (mark "read") --------------------------------------------------


def digit(rng: random.Random) -> Scene:
    """One digit, large, sometimes on a plate."""
    b, value, colour = Board(rng, "sign"), rng.randrange(6), rng.randrange(6)
    cell = rng.randrange(16)
    x, y = b.centre(cell, 1)
    if rng.random() < 0.5:
        b.draw.rectangle(around(x, y, 11), outline=INK)
    b.print(str(value + 1), x, y, 1.5, b.tint(colour))
    b.mark(cell, colour=colour, read=value)
    return b.scene("digit", [Ask(kind="number", value=value)])


def word(rng: random.Random) -> Scene:
    """A number written out."""
    b, value, colour = Board(rng, "sign"), rng.randrange(6), rng.randrange(6)
    b.mark(b.lettering(CONCEPTS["number"][value], colour), colour=colour, read=value)
    return b.scene("word", [Ask(kind="number", value=value)])


def table(rng: random.Random) -> Scene:
    """A ruled table: each row a coloured chip and a digit."""
    b, rows, top, left = Board(rng, "table"), rng.choice((2, 3)), rng.randrange(2), rng.randrange(3)
    colours, asks = rng.sample(range(6), rows), []
    x0, y0, y1 = left * CELL, top * CELL, (top + rows) * CELL
    for i in range(rows + 1):
        b.draw.line((x0, y0 + i * CELL, x0 + 31, y0 + i * CELL), fill=INK)
    for i in (0, 16, 31):
        b.draw.line((x0 + i, y0, x0 + i, y1), fill=INK)
    for i, colour in enumerate(colours):
        value, cell = rng.randrange(6), (top + i) * 4 + left
        x, y = b.centre(cell, 1)
        b.draw.rectangle(around(x, y, 4), fill=b.tint(colour))
        x, y = b.centre(cell + 1, 1)
        b.print(str(value + 1), x, y, 1, INK)
        b.mark(cell + 1, colour=colour, read=value)
        asks.append(Ask(kind="value", value=value, colour=colour))
    return b.scene("table", asks)


# ---- charts: bars, lines, pies (mark "height") -----------------------------------------------------------------------


def bars(rng: random.Random) -> Scene:
    """Coloured bars on a base line; one is the highest."""
    b, n = Board(rng, "chart"), rng.choice((2, 3, 4))
    columns, colours = sorted(rng.sample(range(4), n)), rng.sample(range(6), n)
    values = rng.sample(range(6), n)
    tall, asks = colours[values.index(max(values))], []
    b.draw.line((0, 62, 63, 62), fill=INK)
    for column, colour, value in zip(columns, colours, values, strict=True):
        x, w = column * CELL + 8 + rng.randint(-1, 1), rng.randint(4, 5)
        b.draw.rectangle((x - w, 61 - 9 * (value + 1), x + w, 61), fill=b.tint(colour))
        b.mark(12 + column, colour=colour, height=value, tall=tall)
        asks.append(Ask(kind="value", value=value, colour=colour))
    return b.scene("bars", [*asks, Ask(kind="largest", value=tall)])


def line(rng: random.Random) -> Scene:
    """Coloured points at heights, joined by a line."""
    b, n = Board(rng, "chart"), rng.choice((3, 4))
    columns, colours = sorted(rng.sample(range(4), n)), rng.sample(range(6), n)
    values, asks = [rng.randrange(6) for _ in range(n)], []
    spots = [(c * CELL + 8 + rng.randint(-1, 1), 61 - 9 * (v + 1)) for c, v in zip(columns, values, strict=True)]
    b.draw.line((0, 62, 63, 62), fill=INK)
    b.draw.line(spots, fill=(120, 120, 128))
    for (x, y), colour, value in zip(spots, colours, values, strict=True):
        b.draw.rectangle(around(x, y, 3), fill=b.tint(colour))
        b.mark(y // CELL * 4 + x // CELL, colour=colour, height=value)
        asks.append(Ask(kind="value", value=value, colour=colour))
    return b.scene("line", asks)


def pie(rng: random.Random) -> Scene:
    """A pie cut in sixths, some of them coloured."""
    b, value, colour = Board(rng, "chart"), rng.randrange(6), rng.randrange(6)
    cell = rng.choice((5, 6, 9, 10))
    x, y = b.centre(cell, 1)
    r, start = rng.randint(11, 18), rng.randrange(0, 360, 60)
    box = around(x, y, r)
    b.draw.ellipse(box, fill=(205, 205, 210), outline=INK)
    b.draw.pieslice(box, start, start + 60 * (value + 1), fill=b.tint(colour), outline=INK)
    b.mark(cell, colour=colour, height=value)
    return b.scene("pie", [Ask(kind="number", value=value)])


# ---- counting, shapes, relations, sequences, comparisons -------------------------------------------------------------


def scatter(rng: random.Random) -> Scene:
    """One to six things strewn over the board."""
    b, value = Board(rng, "things"), rng.randrange(6)
    same = rng.random() < 0.5
    shape, colour = rng.randrange(6), rng.randrange(6)
    for cell in rng.sample(range(16), value + 1):
        if not same:
            shape, colour = rng.randrange(6), rng.randrange(6)
        x, y = b.centre(cell, 1)
        b.shape(shape, x, y, rng.randint(5, 7), b.tint(colour))
        b.mark(cell, colour=colour, shape=shape, count=value)
    return b.scene("scatter", [Ask(kind="count", value=value)])


def outline(rng: random.Random) -> Scene:
    """A shape told by dots along its edge."""
    b, value, colour = Board(rng, "dots"), rng.randrange(6), rng.randrange(6)
    cell = rng.randrange(16)
    x, y = b.centre(cell, 1)
    edge, fill = corners(value, x, y, rng.choice((7, 7.5, 8))), b.tint(colour)
    steps = {1: 4, 2: 4, 3: 1, 4: 1, 5: 3}.get(value, 1)
    for (ax, ay), (bx, by) in zip(edge, edge[1:] + edge[:1], strict=True):
        for i in range(steps):
            px, py = ax + (bx - ax) * i / steps, ay + (by - ay) * i / steps
            b.draw.rectangle((round(px), round(py), round(px) + 1, round(py) + 1), fill=fill)
    b.mark(cell, colour=colour, outline=value)
    return b.scene("outline", [Ask(kind="shape", value=value)])


def relation(rng: random.Random) -> Scene:
    """Two things, one left, right, above, below or inside of the other."""
    b, value = Board(rng, "pair"), rng.randrange(5)
    (c1, c2), (s1, s2) = rng.sample(range(6), 2), (rng.randrange(6), rng.randrange(6))
    if value == 4:
        first = rng.choice((5, 6, 9, 10))
        x, y = b.centre(first)
        r = rng.randint(14, 19)
        b.draw.rectangle(around(x, y, r), outline=b.tint(c2), width=3)
        b.shape(s1, x, y, rng.randint(5, 7), b.tint(c1))
        b.mark(first, colour=c1, shape=s1, relation=4)
        return b.scene("relation", [Ask(kind="place", value=4, colour=c1)])
    fixed, (near, far) = rng.randrange(4), sorted(rng.sample(range(4), 2))
    cells = (near * 4 + fixed, far * 4 + fixed) if value >= 2 else (fixed * 4 + near, fixed * 4 + far)
    first, second = cells if value in (0, 2) else cells[::-1]
    asks = []
    for cell, shape, colour, place in ((first, s1, c1, value), (second, s2, c2, value ^ 1)):
        x, y = b.centre(cell)
        b.shape(shape, x, y, rng.randint(5, 7), b.tint(colour))
        b.mark(cell, colour=colour, shape=shape, relation=place)
        asks.append(Ask(kind="place", value=place, colour=colour))
    return b.scene("relation", asks)


def sequence(rng: random.Random) -> Scene:
    """A row of coloured things with a period of three, the fourth one open."""
    b, row, shape = Board(rng, "row"), rng.randrange(4), rng.randrange(6)
    colours = rng.sample(range(6), 3)
    value = colours[0]
    for i, colour in enumerate(colours):
        x, y = b.centre(row * 4 + i, 1)
        b.shape(shape, x, y, 6, b.tint(colour))
        b.mark(row * 4 + i, thing=False, colour=colour, shape=shape)
    x, y = b.centre(row * 4 + 3, 1)
    b.draw.rectangle(around(x, y, 6), outline=INK)
    b.mark(row * 4 + 3, next=value)
    return b.scene("sequence", [Ask(kind="next", value=value)])


def compare(rng: random.Random) -> Scene:
    """Three or four things of one shape; one is the largest."""
    b, n, shape = Board(rng, "group"), rng.choice((3, 4)), rng.randrange(6)
    cells, colours = rng.sample(range(16), n), rng.sample(range(6), n)
    sizes = [8, *(rng.choice((3, 4, 5)) for _ in range(n - 1))]
    for cell, colour, r in zip(cells, colours, sizes, strict=True):
        x, y = b.centre(cell, 1)
        b.shape(shape, x, y, r, b.tint(colour))
        b.mark(cell, colour=colour, shape=shape, winner=colours[0])
    return b.scene("compare", [Ask(kind="largest", value=colours[0])])


Family = Callable[[random.Random], Scene]
"""Draws one picture of a family."""

SKILLED: dict[str, Family] = {
    f.__name__: f for f in (digit, word, table, bars, line, pie, scatter, outline, relation, sequence, compare)}
