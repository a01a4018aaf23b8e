"""Small pure functions over numpy arrays that several rooms share."""

import hashlib

import numpy as np


def largest_remainder(ideal: np.ndarray, total: int) -> np.ndarray:
    """int64 [k] with the sum `total`: each of the non-negative `ideal` [k] (whose sum is `total`) rounded down, and the
    largest remainders rounded up; ties to the earlier one (METHOD §5).

    Remainders that differ by a rounding error of float64 count as equal.
    """
    whole = np.floor(np.asarray(ideal, np.float64) + 1e-9).astype(np.int64)
    order = np.argsort(-np.round(ideal - whole, 9), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def standardise(values: np.ndarray, axis: int) -> np.ndarray:
    """float64, mean 0 and standard deviation 1 along `axis`; 0 where constant."""
    wide = np.asarray(values, np.float64)
    spread = wide.std(axis, keepdims=True)
    return np.divide(wide - wide.mean(axis, keepdims=True), spread, out=np.zeros_like(wide), where=spread > 0)


def spearman(one: np.ndarray, other: np.ndarray, *, constant: float = 0.0) -> np.ndarray:
    """Rank correlation of each column of two [n, C] arrays: float64 [C]; equal values share their mean rank, `constant`
    where a column does not vary."""
    from scipy.stats import rankdata

    a, b = (rankdata(np.asarray(x, np.float64), axis=0) if np.size(x) else np.zeros(np.shape(x)) for x in (one, other))
    a, b = a - a.mean(0), b - b.mean(0)
    length = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return np.divide((a * b).sum(0), length, out=np.full(a.shape[1], constant), where=length > 1e-9)


def top_mean(values: np.ndarray, q: int) -> np.ndarray:
    """Mean of the q largest values of each row of [n, k] (of all, where k < q): [n], in the type of `values`."""
    take = min(q, values.shape[1])
    cut = values.shape[1] - take
    return np.partition(values, cut, axis=1)[:, cut:].mean(1)


def digest(values: np.ndarray) -> bytes:
    """16 bytes that tell arrays apart by type, shape and content: what results are remembered by."""
    packed = np.packbits(values) if values.dtype == bool else np.ascontiguousarray(values)
    head = f"{values.dtype.str} {values.shape} ".encode()
    return hashlib.blake2b(head + packed.tobytes(), digest_size=16).digest()
