"""Pool rows that repeat a target sample: no arm may train on what it is scored on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.duplicates import group_rows, word_key
from cadc.data.sample import Sample

if TYPE_CHECKING:
    from cadc.data.pictures import PerceptualHash
    from cadc.study import Study

PictureHashes = Callable[[str, Sample], "tuple[PerceptualHash, ...]"]
"""hashes(role, sample), role 'pool' or 'target': perceptual hashes of its pictures."""


def repeats_target(pool: Sequence[Sample], target: Sequence[Sample], hashes: PictureHashes) -> np.ndarray:
    """bool [len(pool)]: rows that are near-duplicates of a target sample, by the rule of `cadc.data.duplicates`.

    The same words but for case, spacing and punctuation, about the same pictures, re-encoded or not. Every row is held
    against every target sample of its words, so no chain of likenesses hides one. `hashes` is asked only where the
    words are the same.
    """
    words: dict[bytes, list[Sample]] = {}
    for sample in target:
        words.setdefault(word_key(sample), []).append(sample)
    met: dict[bytes, list[int]] = {}
    for position, sample in enumerate(pool):
        if (key := word_key(sample)) in words:
            met.setdefault(key, []).append(position)
    found = np.zeros(len(pool), bool)
    for key, positions in met.items():
        looks = [hashes("pool", pool[p]) for p in positions]
        for sample in words[key]:
            groups = group_rows([sample, *(pool[p] for p in positions)], [hashes("target", sample), *looks])
            found[positions] |= groups[1:] == 0
    return found


def picture_hashes(study: "Study") -> PictureHashes:
    """Perceptual hashes of the pictures of a study, each picture read once."""
    from cadc.data.limits import PictureLimits
    from cadc.data.pictures import examine, picture_path
    from cadc.errors import DataError

    limits = PictureLimits.of(study.config)
    known: dict[tuple[str, str], PerceptualHash] = {}

    def one(role: str, name: str) -> "PerceptualHash":
        if (role, name) not in known:
            path = picture_path(name, study.image_root(role), study.ingest_images(role), limits)
            fact = examine(path.read_bytes(), name, limits)
            if fact.hash is None:
                raise DataError(f"{role} picture {name} cannot be read any more ({fact.problem}). Put it back, or run "
                                "the ingest job again.")
            known[role, name] = fact.hash
        return known[role, name]

    return lambda role, sample: tuple(one(role, name) for name in sample.images)
