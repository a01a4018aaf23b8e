"""What a trainer trained on, beside what the study learnt from: row by row, token by token, pixel by pixel."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import numpy.typing as npt

IGNORED = -100
"""Label of a token that carries no loss."""
ROUNDING = 0.06
"""Difference of normalised pixels up to which a picture counts as the same: resizing by other libraries rounds other
values up, by at most four of 255 levels."""

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One row as the study's own encoder has it."""

    name: str
    stage: int
    ids: Sequence[int]
    learnt: Sequence[bool]
    """Per token: whether it carries the loss."""
    pictures: Sequence[Pixels]
    """Per picture its patches [n, d]."""


class SeenRow(TypedDict):
    """One row as it reached a trainer's loss."""

    step: int
    ids: list[int]
    labels: list[int]
    pictures: int


@dataclass(kw_only=True)
class Verdict:
    """How far the two are the same. Counts of tokens are of the first pass over the file."""

    wanted: int
    """Rows of the study."""
    seen: int
    """Rows that reached the loss, in all passes."""
    lost: list[str] = field(default_factory=list)
    """Rows of the study that never did."""
    in_place: int = 0
    """Of `seen`: at their place in the order, pass after pass."""
    borders: bool = False
    """Whether every stage holds its own rows, from its first to its last, in every pass."""
    texts: list[str] = field(default_factory=list)
    """Rows whose tokens differ."""
    labels: list[str] = field(default_factory=list)
    """Rows whose loss falls on other tokens, but for line breaks after an end of turn."""
    line_breaks: int = 0
    """Labels on the line break that the template writes after an end of turn: no word of the answer."""
    pictures: int = 0
    """Pictures of the study."""
    pixels: list[str] = field(default_factory=list)
    """Pictures that differ, as `row.place`; those of lost rows are not among them."""
    pictures_lost: int = 0
    """Pictures of lost rows."""
    apart: float = 0.0
    """Largest difference of a pixel among those that count as the same, in units of normalised pixels."""
    label_tokens: int = 0
    on_answers: int = 0
    """Labels that fall on tokens of answers."""
    answer_tokens: int = 0
    """Tokens of answers, in the study."""

    @property
    def same(self) -> bool:
        """Whether the trainer trains on what the study learnt from, in its order."""
        return (self.in_place == self.seen >= self.wanted and self.borders
                and not (self.lost or self.texts or self.labels or self.pixels))


def compare(wanted: Sequence[Wanted], seen: Sequence[SeenRow], pixels: Mapping[str, Pixels], *, picture: int,
            breaks: frozenset[int]) -> Verdict:
    """picture: id of the picture token; breaks: ids of tokens that are line breaks and no more.

    A row that was cut or changed is known by the study's row that it shares the longest beginning with, pictures left
    out.
    """
    plain = [[i for i in one.ids if i != picture] for one in wanted]
    found = [_nearest([i for i in row["ids"] if i != picture], plain) for row in seen]
    verdict = Verdict(seen=len(seen), wanted=len(wanted), pictures=sum(len(one.pictures) for one in wanted),
                      answer_tokens=sum(sum(one.learnt) for one in wanted))
    verdict.lost = [one.name for place, one in enumerate(wanted) if place not in found]
    verdict.pictures_lost = sum(len(one.pictures) for one in wanted if one.name in verdict.lost)
    due = [place % len(wanted) for place in range(len(seen))]
    verdict.in_place = sum(a == b for a, b in zip(due, found, strict=True))
    verdict.borders = len(seen) >= len(wanted) and all(
        wanted[a].stage == wanted[b].stage for a, b in zip(due, found, strict=True))
    for place, (row, which) in enumerate(zip(seen, found, strict=True)):
        _tokens(verdict, wanted[which], row, breaks, counted=place < len(wanted))
        _pictures(verdict, wanted[which], [pixels[f"{place}.{n}"] for n in range(row["pictures"])
                                           if f"{place}.{n}" in pixels])
    return verdict


def _nearest(ids: list[int], plain: list[list[int]]) -> int:
    return max(range(len(plain)), key=lambda one: (plain[one] == ids, len(os.path.commonprefix([plain[one], ids]))))


def _tokens(verdict: Verdict, one: Wanted, row: SeenRow, breaks: frozenset[int], *, counted: bool) -> None:
    """Texts and labels of one row."""
    labelled = [label != IGNORED for label in row["labels"]]
    if same := list(one.ids) == row["ids"]:
        right = [a and b for a, b in zip(labelled, one.learnt, strict=True)]
        after = [place for place, on in enumerate(labelled)
                 if on and not one.learnt[place] and row["ids"][place] in breaks and one.learnt[place - 1]]
    else:
        answers = {token for token, learnt in zip(one.ids, one.learnt, strict=True) if learnt}
        right, after = [on and token in answers for on, token in zip(labelled, row["ids"], strict=True)], []
        _note(verdict.texts, one.name)
    if not same or [on and place not in after for place, on in enumerate(labelled)] != list(one.learnt):
        _note(verdict.labels, one.name)
    if counted:
        verdict.label_tokens += sum(labelled)
        verdict.on_answers += sum(right)
        verdict.line_breaks += len(after)


def _note(names: list[str], name: str) -> None:
    """Once, however many passes."""
    if name not in names:
        names.append(name)


def _pictures(verdict: Verdict, one: Wanted, shown: Sequence[Pixels]) -> None:
    for place, expected in enumerate(one.pictures):
        got = shown[place] if place < len(shown) else None
        if got is None or got.shape != expected.shape:
            _note(verdict.pixels, f"{one.name}.{place}")
            continue
        apart = float(np.abs(got - expected).max())
        if apart > ROUNDING:
            _note(verdict.pixels, f"{one.name}.{place}")
        else:
            verdict.apart = max(verdict.apart, apart)
