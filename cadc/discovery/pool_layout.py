"""The jobs `layout` and `profile_layout`: where each pool row lies on the map of the pool (docs/decisions/0037).

By the embedding of the untrained base, or by near(z, s) in a study that has none. A few landmark rows are drawn by
t-SNE; every other row lies between the landmarks that it is most like, so that time grows with the rows and not with
their square. n rows, W numbers of a row, L landmarks.
"""

import json
import logging
from dataclasses import dataclass

import numpy as np

from cadc.scores import columns
from cadc.signals.embedding import embedded_rows, file_of
from cadc.study import JOBS, Study, StudyConfig, write_array, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

FITTED = 20_000
"""Rows that the principal axes are found from, at most."""
AXES = 32
"""Principal axes that a row is described by."""
LANDMARKS = 2_000
"""Rows that t-SNE draws, at most."""
STEPS = 500
"""Of t-SNE."""
PERPLEXITY = 30
NEAREST = 3
"""Landmarks that another row lies between."""
CHUNK = 4_096
"""Rows that are placed at once: their distances to all landmarks take 33 MB."""
FEW = 12
"""With fewer rows neighbours mean nothing: the first two axes instead of t-SNE."""
SIDE = 65_535
"""The map is a square of this side."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolLayout:
    """What the job found."""

    rows: np.ndarray
    """int64 [n]: positions in the pool file, ascending."""
    spots: np.ndarray
    """uint16 [n, 2]: their places on the map, 0 … `SIDE`."""
    landmarks: int
    """L: rows that t-SNE drew."""


def layout_job(config: StudyConfig) -> str:
    """Which of the two jobs a study with these settings has."""
    return next(job for job in ("layout", "profile_layout") if JOBS[job].wanted(config))


def run_layout(study: Study, progress: Progress) -> None:
    """The job. Nothing is kept of a run that was stopped: it takes seconds to minutes. Raises Cancelled, and JobError
    where what it reads is damaged."""
    result = study.result(layout_job(study.config))
    if result.finished:
        progress.note("the pool is laid out already")
        return
    rows, features = _features(study)
    spots = plane(features, study.config.seed, progress)
    write_array(result.folder / "rows.npy", np.asarray(rows, np.int64))
    write_array(result.folder / "spots.npy", quantised(spots))
    write_json(result.folder / "layout.json", {"rows": len(rows), "landmarks": min(LANDMARKS, len(rows))})
    result.finish()


def pool_layout(study: Study) -> PoolLayout:
    """What the finished job found, memory-mapped. Raises JobError before it ran, or where a file is damaged."""
    result = study.require(layout_job(study.config))
    rows, spots = (np.load(result.intact(f"{name}.npy"), mmap_mode="r", allow_pickle=False)
                   for name in ("rows", "spots"))
    return PoolLayout(rows=rows, spots=spots,
                      landmarks=json.loads(result.intact("layout.json").read_text())["landmarks"])


def _features(study: Study) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the pool file [n] and what the rows are told apart by, float32 [n, W], memory-mapped."""
    if layout_job(study.config) == "profile_layout":
        return columns.read(study, "index"), columns.read(study, "near.joined").T
    values = study.require("embedding").intact(file_of("pool", "values"))
    return embedded_rows(study, "pool"), np.load(values, mmap_mode="r", allow_pickle=False)


def plane(features: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    """Places float32 [n, 2] of rows with these features [n, W]: like rows lie together. Same seed, same map.

    Only directions count: features are centred and brought to unit length first. Raises Cancelled.
    """
    total, rng = len(features), np.random.default_rng(seed)
    progress.start(total, unit="rows")
    order = rng.permutation(total)
    axes = Axes.of(features[np.sort(order[:FITTED])], seed)
    if total < FEW:
        found = axes.project(features)[:, :2]
        progress.step(total)
        return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
    chosen = np.sort(order[:LANDMARKS])
    progress.note(f"t-SNE of {len(chosen):,} landmark rows")
    landmarks = axes.project(features[chosen])
    drawn = drawn_by_tsne(landmarks, seed)
    progress.note("every other row between the landmarks that it is most like")
    spots = np.empty((total, 2), np.float32)
    for start in range(0, total, CHUNK):
        part = axes.project(features[start:start + CHUNK])
        spots[start:start + CHUNK] = between(part, landmarks, drawn)
        progress.step(len(part))
    spots[chosen] = drawn
    return spots


@dataclass(frozen=True, eq=False)
class Axes:
    """Centre [W] and principal axes [W, ≤ AXES] of rows at unit length."""

    centre: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, seed: int) -> "Axes":
        """By a randomised singular value decomposition of these rows [m, W]."""
        from sklearn.utils.extmath import randomized_svd

        centre = rows.mean(0, dtype=np.float64).astype(np.float32)
        _, _, found = randomized_svd(_unit(rows - centre), min(AXES, *rows.shape), random_state=seed)
        return cls(centre, np.ascontiguousarray(found.T, np.float32))

    def project(self, rows: np.ndarray) -> np.ndarray:
        """float32 [m, ≤ AXES] of rows [m, W]."""
        return _unit(rows - self.centre) @ self.directions


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def drawn_by_tsne(rows: np.ndarray, seed: int) -> np.ndarray:
    """float32 [L, 2]: t-SNE (Barnes-Hut) of rows [L, A], begun from their first two axes."""
    from sklearn.manifold import TSNE

    start = np.pad(rows[:, :2], ((0, 0), (0, max(0, 2 - rows.shape[1]))))
    start = start * np.float32(1e-4 / (start[:, 0].std() or 1.0))
    return TSNE(perplexity=min(PERPLEXITY, (len(rows) - 1) / 3), init=start, max_iter=STEPS, random_state=seed,
                learning_rate="auto").fit_transform(rows).astype(np.float32)


def between(rows: np.ndarray, landmarks: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """float32 [m, 2]: the mean place of the `NEAREST` landmarks [L, A] of each of these rows [m, A], weighted by the
    inverse of their squared distances; `drawn` [L, 2]: the landmarks' places."""
    squares = (landmarks**2).sum(1)
    far = squares - 2 * (rows @ landmarks.T) + (rows**2).sum(1, keepdims=True)  # [m, L]
    nearest = np.argpartition(far, NEAREST, axis=1)[:, :NEAREST]
    far = np.maximum(np.take_along_axis(far, nearest, 1), 0)
    weight = 1 / (far + np.float32(1e-6 * squares.mean() + 1e-12))  # a row like a landmark lies on it
    weight /= weight.sum(1, keepdims=True)
    return np.einsum("mk,mkd->md", weight, drawn[nearest])


def quantised(spots: np.ndarray) -> np.ndarray:
    """uint16 [n, 2]: places in the middle of a square of side `SIDE`, both axes by one scale."""
    if not len(spots):
        return np.zeros((0, 2), np.uint16)
    low, high = spots.min(0), spots.max(0)
    span = float((high - low).max()) or 1.0
    middle = (spots - (low + high) / 2) / span + 0.5
    return np.clip(np.rint(middle * SIDE), 0, SIDE).astype(np.uint16)
