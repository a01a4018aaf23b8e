"""Attribute heads of the vision pre-training: fixed random read-outs of the connector's output.

Every mark (head, value) owns a fixed vector in the connector's output space; the tower learns to put the sum
of a cell's vectors at the cell's token. Heads have disjoint subspaces, so the printed digit 3 and the three
pips of a die look different to the language model even though both mean "three": a skill is made of that link.
"""

from collections.abc import Iterable
from functools import cache

import numpy as np

from cadc.demo.scenes import Mark

WIDTH, CELLS = 128, 16
KINDS = ("sign", "table", "chart", "things", "dots", "pair", "row", "group", "die", "thing_alone", "map", "clock",
         "palings", "sum", "couple")
# Three dimensions for six values (corners of an octahedron): a link that a low-rank adapter can learn.
FREE = {"colour": 6, "shape": 6}
SIGNED = ("size", "match")
CORNERED = ("pips", "place", "read", "height", "tall", "count", "outline", "relation", "next", "winner", "dial",
            "fence", "label", "total")
AMPLITUDE = 2.0


@cache
def codebook() -> dict[tuple[str, int], np.ndarray]:
    """(head, value) -> float32 [WIDTH]; seeded, the same for every model."""
    basis, _ = np.linalg.qr(np.random.default_rng(20).normal(size=(WIDTH, WIDTH)))
    rows = iter(basis.T.astype(np.float32) * AMPLITUDE)
    book: dict[tuple[str, int], np.ndarray] = {}
    for head in ("thing", *KINDS):
        book[head, 0] = next(rows)
    for head, n in FREE.items():
        for value in range(n):
            book[head, value] = next(rows)
    for head in SIGNED:
        axis = next(rows)
        book[head, 0], book[head, 1] = axis, -axis
    for head in CORNERED:
        axes = [next(rows) for _ in range(3)]
        for value in range(6):
            # Opposite corners are 1 and 6, 2 and 5, 3 and 4: an order, which counting needs to get going.
            book[head, value] = axes[min(value, 5 - value)] * (-1 if value < 3 else 1)
    return book


def planned(marks: Iterable[Mark]) -> np.ndarray:
    """Connector output that the tower should give for a picture: float32 [CELLS, WIDTH]."""
    out, book = np.zeros((CELLS, WIDTH), np.float32), codebook()
    for mark in marks:
        out[mark.cell] += book[mark.head, mark.value]
    return out


def weights() -> np.ndarray:
    """Weight of each direction in the eye's loss, as a matrix: float32 [WIDTH, WIDTH].

    Colours and outlines come by themselves; what a skill needs is learnt last and counts more.
    """
    out = np.eye(WIDTH, dtype=np.float32)
    for head in CORNERED:
        for value in range(3):
            axis = codebook()[head, value] / AMPLITUDE
            out += np.float32(1.0) * np.outer(axis, axis)
    return out
