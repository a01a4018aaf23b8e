"""Cutting rows into batches, and what happens when memory runs out."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cadc.errors import ModelError
from cadc.models.batching import halving, packed


@dataclass(frozen=True)
class Long:
    """As much of an `Encoded` as batching looks at."""

    length: int


def items(lengths) -> list:
    return [(row, Long(length)) for row, length in enumerate(lengths)]


def padded(batch) -> int:
    return len(batch) * max(one.length for _, one in batch)


LENGTHS = st.lists(st.integers(1, 300), max_size=60)


@given(LENGTHS, st.integers(1, 20), st.integers(1, 1000))
def test_no_row_is_lost_doubled_or_moved_and_budgets_hold(lengths, rows, tokens):
    batches = list(packed(items(lengths), rows, tokens))
    assert [row for batch in batches for row, _ in batch] == list(range(len(lengths)))
    assert all(1 <= len(batch) <= rows for batch in batches)
    assert all(padded(batch) <= tokens or len(batch) == 1 for batch in batches)


@given(LENGTHS, st.integers(1, 20), st.integers(1, 1000))
def test_batches_are_as_full_as_order_allows(lengths, rows, tokens):
    batches = list(packed(items(lengths), rows, tokens))
    for batch, after in zip(batches, batches[1:], strict=False):
        assert len(batch) == rows or padded([*batch, after[0]]) > tokens


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(300, 2000))
def test_halving_runs_every_row_once_in_order_whatever_fits(lengths, room):
    def run(batch):
        if padded(batch) > room:
            raise torch.OutOfMemoryError("on purpose")
        return [row for row, _ in batch]

    done = [row for _, rows in halving(run, items(lengths)) for row in rows]
    assert done == list(range(len(lengths)))


def test_one_sample_too_large_is_an_error_that_says_so_and_other_errors_pass():
    def full(batch):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(ModelError, match="one sample of 5 tokens does not fit"):
        list(halving(full, items([5, 5])))

    def broken(batch):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(halving(broken, items([5, 5])))
