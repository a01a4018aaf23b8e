"""Near-duplicates: the same words, but for case, spacing and punctuation, about the same picture, re-encoded or not.

Two pictures are the same when their bytes are, or when their 16 × 16 miniatures differ by little everywhere: a limit on
the largest difference, not only on the mean, since one dot more or another digit changes a picture in one place.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cadc.data.ingestion import Ingest
from cadc.data.pictures import THUMB, Fingerprint, PictureBox
from cadc.data.sample import Sample
from cadc.errors import DataError

MEAN_DIFFERENCE = 3.0
"""Mean absolute difference of miniatures (0–255) up to which two pictures are the same."""
LARGEST_DIFFERENCE = 20
"""Largest difference of one colour of one miniature pixel, likewise."""
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


def duplicate_groups(ingest: Ingest, images_root: Path | str | None = None) -> np.ndarray:
    """int64 [N]: rows of one number are near-duplicates; the number is the position (0…N-1) of the group's first row.

    Fingerprints come from `ingest.prints`; pictures that are not in there are read under `images_root`.
    """
    prints = dict(ingest.prints)
    missing = {name for sample in ingest.samples for name in sample.images if name not in prints}
    if missing:
        box = PictureBox(Path(images_root or os.curdir))
        box.examine(sorted(missing))
        for name in missing:
            if (found := box.facts[name].fingerprint) is None:
                raise DataError(f"{box.facts[name].problem}. Set the image root that the file was read with.")
            prints[name] = found
    return group_rows(ingest.samples, [tuple(prints[name] for name in s.images) for s in ingest.samples])


def group_rows(samples: Sequence[Sample], prints: Sequence[tuple[Fingerprint, ...]]) -> np.ndarray:
    """int64 [N]: position of the first row that each row is a near-duplicate of (itself, if none)."""
    groups = np.arange(len(samples), dtype=np.int64)
    by_words: dict[bytes, list[int]] = {}
    for position, sample in enumerate(samples):
        by_words.setdefault(word_key(sample), []).append(position)
    for members in by_words.values():
        if len(members) > 1:
            first = _same_pictures([prints[m] for m in members])
            groups[members] = np.asarray(members, dtype=np.int64)[first]
    return groups


def _same_pictures(prints: list[tuple[Fingerprint, ...]]) -> np.ndarray:
    """int64 [n]: for each row the first row with the same pictures. Leaders, not chains: no drift along a series."""
    n = len(prints)
    first = np.arange(n, dtype=np.int64)
    by_content: dict[tuple[bytes, ...], int] = {}
    for i, row in enumerate(prints):
        first[i] = by_content.setdefault(tuple(p.digest for p in row), i)
    left = np.flatnonzero(first == np.arange(n))
    if not prints[0] or len(left) < 2:
        return first
    thumbs = np.frombuffer(b"".join(p.thumb for i in left for p in prints[i]), dtype=np.uint8)
    thumbs = thumbs.reshape(len(left), len(prints[0]) * THUMB * THUMB * 3)  # [n, pictures · pixels]
    aspects = np.array([[p.aspect for p in prints[i]] for i in left])
    merged = first[left].copy()
    free = np.ones(len(left), dtype=bool)
    coarse = thumbs[:, ::37].astype(np.int16)
    for i in range(len(left)):
        if not free[i]:
            continue
        rest = i + 1 + np.flatnonzero(free[i + 1:])
        rest = rest[np.abs(coarse[rest] - coarse[i]).max(axis=1) <= LARGEST_DIFFERENCE] if len(rest) else rest
        rest = rest[(np.abs(aspects[rest] / aspects[i] - 1) <= ASPECT).all(axis=1)]
        difference = np.abs(thumbs[rest].astype(np.int16) - thumbs[i].astype(np.int16))
        same = rest[(difference.max(axis=1, initial=0) <= LARGEST_DIFFERENCE) & (_means(difference) <= MEAN_DIFFERENCE)]
        merged[same], free[same] = left[i], False
    first[left] = merged
    return first[first]


def _means(difference: np.ndarray) -> np.ndarray:
    """Mean per row, also for no rows."""
    return difference.mean(axis=1) if len(difference) else np.zeros(0)
