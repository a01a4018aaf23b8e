"""near(z, s) of different signals and units on one scale: 0 is "as any row", 1 "as near as the samples of the unit are
to each other" (METHOD §4, docs/decisions/0028).

Each signal is put between two points that its units own, then signals are summed. N pool rows, S single target samples,
M units.
"""

from dataclasses import dataclass

import numpy as np

SHRINK = 0.5
"""How far a unit's two points are drawn to those of all units: a unit's own are noisy (32 samples), and where they are
taken as they are, a unit whose samples are unlike each other draws rows of every other unit."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The two points of every unit, for one signal."""

    middle: np.ndarray
    """float64 [M]: near(z, s) of a row like any other."""
    own: np.ndarray
    """float64 [M]: near(z, s) of a row like the unit's own samples."""

    def of(self, near: np.ndarray) -> np.ndarray:
        """Calibrated near(z, s), float32 [M, N] (or [M, any])."""
        return ((np.asarray(near, np.float32) - self.middle[:, None]) / (self.own - self.middle)[:, None]
                ).astype(np.float32)

    def of_samples(self, similar: np.ndarray, unit: np.ndarray | int) -> np.ndarray:
        """Similarities with single target samples on the same scale; unit: of each value, or of all."""
        return (np.asarray(similar, np.float32) - self.middle[unit]) / (self.own - self.middle)[unit]

    @classmethod
    def same(cls, units: int) -> "Scale":
        """Of columns that are on the scale already."""
        return cls(middle=np.zeros(units), own=np.ones(units))


def scale_of(near: np.ndarray, samples: np.ndarray, sample_unit: np.ndarray, q: int) -> Scale:
    """The scale of a signal. near: [M, N]; samples: [S, S], similarities of each target sample with the others as if it
    were a pool row (left out of the metric too, where they make one); q: as in near.

    A unit's points are half its own (the median over the pool; the median over its samples of their near to the rest of
    the unit) and half the median over all units'. A unit of one sample has no second point of its own and takes the
    others'; where none has one, or it does not lie above the first, it is the pool's highest value.
    """
    middle, own = _medians(near), own_near(samples, sample_unit, q, len(near))
    known = np.isfinite(own)
    common = float(np.median(own[known])) if known.any() else float("-inf")
    own = np.where(known, own, common)
    middle = (1 - SHRINK) * middle + SHRINK * np.median(middle)
    own = (1 - SHRINK) * own + SHRINK * common if known.any() else own
    highest = np.array([float(row.max()) if row.size else 1.0 for row in near])
    own = np.where(own > middle + 1e-9, own, highest)
    return Scale(middle=middle, own=np.where(own > middle + 1e-9, own, middle + 1.0))


def own_near(samples: np.ndarray, sample_unit: np.ndarray, q: int, units: int) -> np.ndarray:
    """Median over the samples of a unit of the mean of their q largest similarities to the unit's other samples:
    float64 [M]; nan for a unit of fewer than two."""
    of, found = np.asarray(sample_unit), np.full(units, np.nan)
    for unit in range(units):
        own = np.flatnonzero(of == unit)
        if len(own) > 1:
            block = np.array(samples[np.ix_(own, own)], np.float64)
            np.fill_diagonal(block, -np.inf)
            found[unit] = np.median(np.sort(block, axis=1)[:, ::-1][:, :min(q, len(own) - 1)].mean(1))
    return found


def _medians(near: np.ndarray) -> np.ndarray:
    """Median of each unit's column over the pool: float64 [M]; 0 without a row."""
    return np.array([float(np.median(row)) if len(row) else 0.0 for row in near], np.float64)
