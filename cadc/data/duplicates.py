"""Near-duplicates: the same words, but for case, spacing and punctuation, about the same picture, re-encoded or not.

Two pictures are the same when their bytes are, or when their miniatures agree: the difference holds little of what the
pictures themselves vary (thin lines on white vary little, so a plain mean would take them all for one), and no colour
differs much anywhere.
"""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from cadc.data.indices import FeedRows
from cadc.data.ingestion import Ingest
from cadc.data.pictures import PerceptualHash
from cadc.data.sample import Sample

DIFFERENCE = 0.02
"""Largest Σ(a − b)² / (Σ(a − ā)² + Σ(b − b̄)²) of grey miniatures: JPEG at quality 40 stays below it 19 times in 20."""
COLOUR_DIFFERENCE = 24
"""Largest difference (0–255) of one colour in one cell of the colour miniatures."""
NOISE = 1.0
"""Mean square difference that never counts: re-encoding makes it, also of a flat picture."""
ASPECT = 0.03
"""Relative difference of width / height, likewise."""

_NOT_WORDS = re.compile(r"[\W_]+")


def word_key(sample: Sample) -> bytes:
    """16 bytes for who says which words, without case, spacing and punctuation, and for the number of pictures.

    Text without any letter or digit (a formula of symbols) keeps its characters.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{len(sample.images)}\n".encode())
    for turn in sample.turns:
        text = turn.text.casefold()
        words = _NOT_WORDS.sub(" ", text).strip() or " ".join(text.split())
        digest.update(f"{turn.role} {words}\n".encode())
    return digest.digest()


def duplicate_groups(ingest: Ingest) -> FeedRows:
    """int64 [N]: rows of one number are near-duplicates; the number is the position of the group's first row."""
    return group_rows(ingest.samples, [tuple(ingest.hashes[name] for name in s.images) for s in ingest.samples])


def group_rows(samples: Sequence[Sample], hashes: Sequence[tuple[PerceptualHash, ...]]) -> FeedRows:
    """int64 [N]: position of the first row that each row is a near-duplicate of (itself, if none)."""
    groups = np.arange(len(samples), dtype=np.int64)
    by_words: dict[bytes, list[int]] = {}
    for position, sample in enumerate(samples):
        by_words.setdefault(word_key(sample), []).append(position)
    for members in by_words.values():
        if len(members) > 1:
            first = _same_pictures([hashes[m] for m in members])
            groups[members] = np.asarray(members, dtype=np.int64)[first]
    return groups


def _same_pictures(hashes: list[tuple[PerceptualHash, ...]]) -> np.ndarray:
    """int64 [n]: for each row the first row with the same pictures. Leaders, not chains: no drift along a series."""
    n = len(hashes)
    first = np.arange(n, dtype=np.int64)
    by_content: dict[tuple[bytes, ...], int] = {}
    for i, row in enumerate(hashes):
        first[i] = by_content.setdefault(tuple(p.digest for p in row), i)
    left = np.flatnonzero(first == np.arange(n))
    if not hashes[0] or len(left) < 2:
        return first
    looks = _Looks([hashes[i] for i in left])
    merged = first[left].copy()
    free = np.ones(len(left), dtype=bool)
    for i in range(len(left)):
        if free[i]:
            rest = i + 1 + np.flatnonzero(free[i + 1:])
            same = looks.like(i, rest)
            merged[same], free[same] = left[i], False
    first[left] = merged
    return first[first]


class _Looks:
    """Miniatures of n rows with k pictures each."""

    def __init__(self, hashes: list[tuple[PerceptualHash, ...]]) -> None:
        n, k = len(hashes), len(hashes[0])
        grey = np.frombuffer(b"".join(p.grey for row in hashes for p in row), dtype=np.uint8)
        colour = np.frombuffer(b"".join(p.colour for row in hashes for p in row), dtype=np.uint8)
        self.grey = grey.reshape(n, k, -1)  # [n, k, GREY²]
        self.spread = self.grey.var(axis=2, dtype=np.float64)  # [n, k]
        self.colour = colour.reshape(n, -1).astype(np.int16)  # [n, k · COLOUR² · 3]
        self.aspect = np.array([[p.aspect for p in row] for row in hashes])  # [n, k]

    def like(self, i: int, rest: np.ndarray) -> np.ndarray:
        """Those of the rows `rest` whose pictures all look like those of row i; the cheap tests come first."""
        if len(rest):
            rest = rest[(np.abs(self.aspect[rest] / self.aspect[i] - 1) <= ASPECT).all(axis=1)]
        if len(rest):
            rest = rest[np.abs(self.colour[rest] - self.colour[i]).max(axis=1) <= COLOUR_DIFFERENCE]
        if len(rest):
            difference = self.grey[rest].astype(np.float32) - self.grey[i].astype(np.float32)
            allowed = np.maximum(DIFFERENCE * (self.spread[rest] + self.spread[i]), NOISE)  # [rest, k]
            rest = rest[(np.square(difference).mean(axis=2) <= allowed).all(axis=1)]
        return rest
