"""Cutting rows into batches, and what happens when memory runs out."""

import json
import threading
from dataclasses import dataclass

import pytest
import tiny_vlm
import torch
from hypothesis import given
from hypothesis import strategies as st
from lengths import items, padded

from cadc.data import run_ingest
from cadc.errors import DataError, ModelError
from cadc.models import load_vlm
from cadc.models.batching import ROWS, TOKENS, halving, packed, run_batches
from cadc.models.feed import Feed
from cadc.study import Study, StudyConfig
from cadc.study.progress import Silent

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


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    return load_vlm(str(tiny_vlm.idefics3(tmp_path_factory.mktemp("model"))), max_tokens=60)


@pytest.fixture
def feed_of(tmp_path, vlm):
    """A feed over a study's pool of these answers."""

    def made(answers) -> Feed:
        rows = [{"id": str(i), "question": "say it", "answer": answer} for i, answer in enumerate(answers)]
        for role in ("pool", "target"):
            (tmp_path / f"{role}.json").write_text(json.dumps(rows))
        config = StudyConfig(pool=str(tmp_path / "pool.json"), target=str(tmp_path / "target.json"), model="none")
        study = Study.create("s", config, created="2026-01-01", root=tmp_path / "cache")
        run_ingest(study, Silent())
        return Feed(study, "pool", vlm)

    return made


@dataclass(frozen=True)
class Budget:
    rows: int = ROWS
    tokens: int = TOKENS


def test_rows_that_cannot_be_encoded_are_set_aside_and_the_others_come_in_order_with_what_was_computed(feed_of):
    feed = feed_of(["one", "two three", "much too long " * 40, "four"])
    failed: dict[int, str] = {}
    batches = run_batches(feed, [3, 2, 0, 1], lambda items: [e.id for _, e in items], failed, Budget(rows=2))
    assert list(batches) == [([3, 0], ["3", "0"]), ([1], ["1"])] and batches.halved == 0
    assert failed == {2: "too long: 588 tokens, at most max_tokens=60"}


def test_without_a_plan_batches_are_the_fixed_ones(feed_of):
    feed = feed_of(["yes"] * (ROWS + 1))
    assert [len(rows) for rows, _ in run_batches(feed, range(ROWS + 1), len, {})] == [ROWS, 1]


def test_each_batch_that_does_not_fit_is_counted_once_however_often_it_is_halved(feed_of):
    def room_for_two(batch):
        if len(batch) > 2:
            raise torch.OutOfMemoryError("on purpose")
        return len(batch)

    batches = run_batches(feed_of(["yes"] * 18), range(18), room_for_two, {}, Budget(rows=8))
    assert [rows for rows, _ in batches] == [[i, i + 1] for i in range(0, 18, 2)]
    assert batches.halved == 2  # 8 and 8 rows; the last 2 fit


def test_another_encoder_may_stand_in_for_the_feeds_own(feed_of):
    feed = feed_of(["one", "two", "three"])

    def swapped(row):
        if row == 1:
            raise DataError("no pictures to swap")
        return feed.encode(2 - row)

    failed: dict[int, str] = {}
    found = list(run_batches(feed, [0, 1, 2], lambda items: [e.id for _, e in items], failed, encode=swapped))
    assert found == [([0, 2], ["2", "0"])] and failed == {1: "no pictures to swap"}


def test_lanes_beside_each_other_give_the_same_batches_in_the_same_order(feed_of):
    feed, both, seen = feed_of(["yes"] * 12), threading.Barrier(2, timeout=60), []

    def lane(name):
        def compute(batch):
            if len(seen) < 2:
                seen.append(name)
                both.wait()  # neither lane ends its first batch before the other has begun one
            if len(batch) > 2:
                raise torch.OutOfMemoryError("on purpose")
            return [e.id for _, e in batch]
        return compute

    batches = run_batches(feed, range(12), lane("a"), {}, Budget(rows=3), beside=[lane("b")])
    assert [row for rows, _ in batches for row in rows] == list(range(12)) and sorted(seen) == ["a", "b"]
    assert batches.halved == 4


def test_an_error_in_a_lane_reaches_the_reader_and_nothing_more_is_computed(feed_of):
    done: list[int] = []

    def compute(batch):
        done.append(batch[0][0])
        if batch[0][0] == 2:
            raise ValueError("on purpose")
        return len(batch)

    with pytest.raises(ValueError, match="on purpose"):
        list(run_batches(feed_of(["yes"] * 40), range(40), compute, {}, Budget(rows=1), beside=[compute]))
    assert max(done) <= 5
