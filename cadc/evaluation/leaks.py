"""Pool rows that repeat a target sample: no arm may train on what it is scored on."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from cadc.data.sample import Sample


def repeats_target(pool: Sequence[Sample], target: Sequence[Sample],
                   picture_digest: Callable[[str, Sample], str]) -> np.ndarray:
    """bool [len(pool)]: rows with the words (question and answer, case folded) and the pictures of a target sample.

    `picture_digest(role, sample)` with role 'pool' or 'target' is asked only where the words are the same.
    """
    words: dict[str, list[Sample]] = {}
    for sample in target:
        words.setdefault(_words(sample), []).append(sample)
    pictures: dict[str, set[str]] = {}
    found = np.zeros(len(pool), bool)
    for position, sample in enumerate(pool):
        key = _words(sample)
        if key not in words:
            continue
        if key not in pictures:
            pictures[key] = {picture_digest("target", twin) for twin in words[key]}
        found[position] = picture_digest("pool", sample) in pictures[key]
    return found


def _words(sample: Sample) -> str:
    """Role and folded words of every turn."""
    return "\n".join(f"{turn.role}: {' '.join(turn.text.casefold().split())}" for turn in sample.turns)


def pixel_digest(images: Sequence) -> str:
    """SHA-256 over size and pixels of PIL pictures, so that the same picture in another file is found."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.size}".encode())
        digest.update(image.convert("RGB").tobytes())
    return digest.hexdigest()
