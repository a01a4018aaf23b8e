"""How sure a difference between two arms is. Paired: both arms share units, seeds, base and number of steps.

METHOD §6. R seeds, M units. Overall accuracy is the mean over units (each counts once, however many samples it has).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean difference of two arms with its uncertainty."""

    mean: float
    low: float
    """Lower end of the interval; nan when there is nothing to estimate it from."""
    high: float
    p: float
    """Two-sided, against no difference; 1.0 when it cannot be estimated."""
    error: float
    """Standard error of the mean difference."""
    units: int
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}], p {self.p:.3g}"


def paired(ours: np.ndarray, theirs: np.ndarray, *, confidence: float = 0.95) -> Difference:
    """Difference of two arms scored as [R, M] (an arm that ignores the seed may have R = 1; nan: not scored).

    Units and seeds are two crossed sources of chance, so a t-test over all R·M cells would be too sure. Error: two-way
    cluster-robust variance of the mean, V = V_units + V_seeds − V_cells, never below either part (Cameron, Gelbach and
    Miller 2011); degrees of freedom by Satterthwaite. With one seed it is the paired t-test over units, with one unit
    the paired t-test over seeds (tests compare both with scipy).
    """
    from scipy import stats

    ours, theirs = np.atleast_2d(np.asarray(ours, float)), np.atleast_2d(np.asarray(theirs, float))
    gaps = ours - theirs
    gaps = gaps[:, ~np.isnan(gaps).any(axis=0)]
    seeds, units = gaps.shape
    if gaps.size == 0:
        return _unknown(float("nan"), units, seeds)
    mean = float(gaps.mean())
    by_unit, by_seed = _variance(gaps.mean(axis=0)), _variance(gaps.mean(axis=1))
    cells = _residual_variance(gaps)
    variance = max(by_unit + by_seed - cells, by_unit, by_seed)
    if seeds * units == 1 or not np.isfinite(variance):
        return _unknown(mean, units, seeds)
    if variance == 0:
        return Difference(mean=mean, low=mean, high=mean, p=float(mean == 0), error=0.0, units=units, seeds=seeds)
    pieces = sum(part**2 / (count - 1) for part, count in ((by_unit, units), (by_seed, seeds)) if count > 1)
    freedom = min((by_unit + by_seed) ** 2 / pieces, units * seeds - 1)
    error = variance**0.5
    reach = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Difference(mean=mean, low=mean - reach, high=mean + reach, p=p, error=error, units=units, seeds=seeds)


def _unknown(mean: float, units: int, seeds: int) -> Difference:
    """A difference without anything to estimate its error from."""
    nan = float("nan")
    return Difference(mean=mean, low=nan, high=nan, p=1.0, error=nan, units=units, seeds=seeds)


def _variance(means: np.ndarray) -> float:
    """Variance of the mean of these means; 0 for a single one."""
    return float(means.var(ddof=1) / len(means)) if len(means) > 1 else 0.0


def _residual_variance(gaps: np.ndarray) -> float:
    """Variance of the mean from what neither unit nor seed explains; 0 when one of them is single."""
    seeds, units = gaps.shape
    if min(seeds, units) < 2:
        return 0.0
    rest = gaps - gaps.mean(axis=0) - gaps.mean(axis=1, keepdims=True) + gaps.mean()
    return float((rest**2).sum() / ((seeds - 1) * (units - 1)) / (seeds * units))


def holm(p_values: list[float]) -> list[float]:
    """Holm's correction for several comparisons, in the order given."""
    order = np.argsort(p_values)
    corrected, running = np.ones(len(p_values)), 0.0
    for place, position in enumerate(order):
        running = max(running, min(1.0, p_values[position] * (len(p_values) - place)))
        corrected[position] = running
    return [float(p) for p in corrected]
