"""Small pure functions over numpy arrays that several rooms share."""

import hashlib
from collections.abc import Iterable

import numpy as np

from cadc.errors import DataError


def largest_remainder(ideal: np.ndarray, total: int) -> np.ndarray:
    """int64 [k] with the sum `total`: each of the non-negative `ideal` [k] (whose sum is `total`) rounded down, and the
    largest remainders rounded up; ties to the earlier one (METHOD §5).

    Remainders that differ by a rounding error of float64 count as equal.
    """
    whole = np.floor(np.asarray(ideal, np.float64) + 1e-9).astype(np.int64)
    order = np.argsort(-np.round(ideal - whole, 9), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def highest(values: np.ndarray, keep: int) -> np.ndarray:
    """int64 [S, min(keep, n)]: places of the largest values of each row of [S, n], highest first; ties to the earlier
    one. Sorts only what can be among them."""
    keep = min(keep, values.shape[1])
    low = -values
    bound = np.partition(low, keep - 1, axis=1)[:, keep - 1] if 0 < keep < values.shape[1] else np.full(1, np.nan)
    if np.isnan(bound).any():  # nothing to be left out, or too much that is no number: such come last
        return np.argsort(low, axis=1, kind="stable")[:, :keep]
    order = np.empty((len(values), keep), np.int64)
    for row, (one, most) in enumerate(zip(low, bound, strict=True)):
        found = np.flatnonzero(one <= most)
        order[row] = found[np.argsort(one[found], kind="stable")[:keep]]
    return order


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


def spans(numbers: Iterable[int] | np.ndarray) -> str:
    """A set of whole numbers ≥ 0 as text, neighbours joined: `0-12,15,18-20`; '' for none."""
    found = np.unique(np.asarray(numbers if isinstance(numbers, np.ndarray) else list(numbers), np.int64))
    if not len(found):
        return ""
    cuts = np.flatnonzero(np.diff(found) != 1) + 1
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in np.split(found, cuts))


def numbers_of(text: str, most: int = 50_000_000) -> np.ndarray:
    """int64, ascending: the set that `spans` wrote. Raises DataError for anything else, and for ranges of more than
    `most` numbers together: a few characters in a link must not fill the memory."""
    try:
        ends = [tuple(int(end) for end in part.split("-")) for part in text.split(",")] if text else []
        if sum(max(e[-1] - e[0], 0) + 1 for e in ends) > most or any(e[-1] >= 2**62 for e in ends):
            raise ValueError(text)
        parts = [np.arange(first, last + 1, dtype=np.int64) for first, last in ((e[0], e[-1]) for e in ends)]
        if any(len(e) > 2 for e in ends) or any(len(part) == 0 for part in parts):
            raise ValueError(text)
    except (ValueError, OverflowError, MemoryError) as error:
        raise DataError(f"{text[:60]!r} is no set of rows such as 3,5-9.") from error
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
