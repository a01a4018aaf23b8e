"""Rows of which nothing but the length is known: as much as the cutting of batches looks at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Long:
    """As much of an `Encoded` as batching looks at."""

    length: int


def items(lengths) -> list:
    """(row, sample) of each length."""
    return [(row, Long(length)) for row, length in enumerate(lengths)]


def padded(batch) -> int:
    """Tokens of a batch with its padding."""
    return len(batch) * max(one.length for _, one in batch)
