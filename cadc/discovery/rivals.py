"""Rival explanations of a map: what question words, answer formats or pictures alone would have grouped
(METHOD §3). Always shown beside a map.

M target units, n target samples. A map that agrees more with a rival than with anything else has not found a skill.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cadc.arrays import standardise
from cadc.discovery.partition import Partition, apart, automatic, leiden, modularity, ordered_labels

if TYPE_CHECKING:
    from PIL.Image import Image

FEATURES = 216
"""Length of `picture_features`."""


def words_similarity(questions: Sequence[str], unit: np.ndarray, units: int) -> np.ndarray:
    """Cosine of TF-IDF vectors of all questions of a unit: float64 [M, M]. questions: n texts; unit: int [n]."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    unit = np.asarray(unit)
    documents = [" ".join(questions[i] for i in np.flatnonzero(unit == m).tolist()) for m in range(units)]
    # Every script counts: a token is a run of word characters, single ones included (A, B, 3).
    vectors = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True)
    try:
        weight = vectors.fit_transform(documents)
    except ValueError:  # no word in any question (picture-only targets): nothing is similar
        return np.eye(units)
    similar = (weight @ weight.T).toarray()
    np.fill_diagonal(similar, 1.0)
    return np.clip(similar, 0, 1)


def pictures_similarity(features: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """Cosine of unit means of standardised picture features: float64 [M, M]. features: [n, F], NaN rows have no
    picture."""
    features, unit = np.asarray(features, np.float64), np.asarray(unit)
    seen = np.isfinite(features).all(1)
    if not seen.any():
        return np.eye(units)
    standard = np.zeros_like(features)
    standard[seen] = standardise(features[seen], 0)
    means = np.stack(
        [
            standard[seen & (unit == m)].mean(0) if (seen & (unit == m)).any() else np.zeros(features.shape[1])
            for m in range(units)
        ]
    )
    norm = np.linalg.norm(means, axis=1, keepdims=True)
    means = np.divide(means, norm, out=np.zeros_like(means), where=norm > 0)
    similar = np.clip(means @ means.T, -1, 1)
    np.fill_diagonal(similar, 1.0)
    return similar


def picture_features(picture: "Image", side: int = 8, bins: int = 8) -> np.ndarray:
    """A small thumbnail (side² RGB values) and a colour histogram (3 × bins): float32 [3·side² + 3·bins], in [0, 1]."""
    picture = picture.convert("RGB")
    small = np.asarray(picture.resize((side, side)), np.float32) / 255  # [side, side, 3]
    pixels = np.asarray(picture.resize((64, 64)), np.float32).reshape(-1, 3) / 256
    counts = [np.bincount((pixels[:, c] * bins).astype(int), minlength=bins) / len(pixels) for c in range(3)]
    return np.concatenate([small.ravel(), *counts]).astype(np.float32)


def by_similarity(similar: np.ndarray, *, tau: float | None = None, gamma: float = 1.0, seed: int = 0) -> Partition:
    """The same Leiden as for gradients; τ by the same automatic rule unless given (scales of similarity differ)."""
    return automatic(similar, gamma, seed) if tau is None else leiden(similar, tau, gamma, seed)


def by_words(questions: Sequence[str], unit: np.ndarray, units: int, *, tau: float | None = None, gamma: float = 1.0,
             seed: int = 0) -> Partition:
    """Communities of units by their question words; settings as in `by_similarity`."""
    return by_similarity(words_similarity(questions, unit, units), tau=tau, gamma=gamma, seed=seed)


def by_pictures(features: np.ndarray, unit: np.ndarray, units: int, *, tau: float | None = None, gamma: float = 1.0,
                seed: int = 0) -> Partition:
    """Communities of units by what their pictures look like; settings as in `by_similarity`."""
    return by_similarity(pictures_similarity(features, unit, units), tau=tau, gamma=gamma, seed=seed)


def by_format(formats: Sequence[str], unit: np.ndarray, units: int) -> Partition:
    """Units grouped by the format that most of their answers have (ties: the first in the alphabet); a format of one
    unit: -1."""
    unit, majority = np.asarray(unit), []
    for m in range(units):
        counts = Counter(formats[i] for i in np.flatnonzero(unit == m).tolist())
        majority.append(min(counts, key=lambda f: (-counts[f], f)) if counts else "")
    names = {name: i for i, name in enumerate(sorted(set(majority)))}
    labels = ordered_labels(np.array([names[name] for name in majority]))
    same = (labels[:, None] == labels[None, :]).astype(float)
    return Partition(labels=labels, modularity=modularity(same, labels), method="answer format")


def agreement(labels: np.ndarray, rivals: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Adjusted Rand index of the map with each rival: DataFrame(rival, ari, k), highest first; -1 counts as alone."""
    from sklearn.metrics import adjusted_rand_score

    rows = [(name, float(adjusted_rand_score(apart(other), apart(labels))), int(np.max(other, initial=-1)) + 1)
            for name, other in rivals.items()]
    return pd.DataFrame(rows, columns=["rival", "ari", "k"]).sort_values("ari", ascending=False, ignore_index=True,
                                                                         kind="stable")
