"""Rows → batches of similar length, and what happens when one does not fit into memory."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

import torch

from cadc.data.indices import FeedRow
from cadc.errors import DataError, ModelError
from cadc.models.encode import Encoded
from cadc.models.feed import Feed

log = logging.getLogger(__name__)

ROWS, TOKENS = 64, 16_384
"""A batch holds at most this many samples and padded tokens; fixed, so that the same rows always meet in the same
batch."""

Item = tuple[FeedRow, Encoded]
R = TypeVar("R")


class Plan(Protocol):
    """How large a batch may be."""

    @property
    def rows(self) -> int:
        """Samples at most."""

    @property
    def tokens(self) -> int:
        """Padded tokens at most."""


class Batches(Generic[R]):
    """What `run_batches` makes: to be walked once; `halved` counts on the way."""

    def __init__(self, items: Iterable[Item], lanes: Sequence[Callable[[Sequence[Item]], R]], plan: Plan | None
                 ) -> None:
        self._items, self._lanes, self._plan = items, lanes, plan
        self.halved = 0
        """Batches that did not fit into memory and were run in parts, so far."""

    def __iter__(self) -> Iterator[tuple[list[FeedRow], R]]:
        rows, tokens = (self._plan.rows, self._plan.tokens) if self._plan else (ROWS, TOKENS)
        for batch, parts in _computed(self._lanes, packed(self._items, rows, tokens)):
            for part, found in parts:
                self.halved += part[0] is batch[0] and len(part) < len(batch)
                yield [row for row, _ in part], found


def run_batches(feed: Feed, rows: Iterable[FeedRow], compute: Callable[[Sequence[Item]], R], failed: dict[FeedRow, str],
                plan: Plan | None = None, *, encode: Callable[[FeedRow], Encoded] | None = None,
                beside: Sequence[Callable[[Sequence[Item]], R]] = ()) -> Batches[R]:
    """`for part, found in run_batches(…)`: feed rows in the order given, encoded ahead, computed in batches of at most
    `plan` (`ROWS`, `TOKENS` without one) or, where memory ends, in halves of them.

    A row that cannot be encoded goes into `failed` with its reason. `encode` stands in for the feed's own. `beside`:
    the same computation on models of their own, each in a thread beside `compute`; batches and their order stay. How
    often a batch was halved is the result's `halved`. Raises ModelError when one sample does not fit.
    """
    return Batches(encoded_rows(feed, rows, failed, encode), (compute, *beside), plan)


def _computed(lanes: Sequence[Callable[[Sequence[Item]], R]], batches: Iterable[list[Item]]
              ) -> Iterator[tuple[list[Item], Iterable[tuple[Sequence[Item], R]]]]:
    """Each batch with its parts, in order. Several lanes work ahead of the reader by one batch each."""
    if len(lanes) == 1:
        for batch in batches:
            yield batch, halving(lanes[0], batch)
        return
    free = SimpleQueue[Callable[[Sequence[Item]], R]]()
    for lane in lanes:
        free.put(lane)

    def run(batch: list[Item]) -> list[tuple[Sequence[Item], R]]:
        lane = free.get()
        try:
            return list(halving(lane, batch))
        finally:
            free.put(lane)

    waiting = deque[tuple[list[Item], Future[list[tuple[Sequence[Item], R]]]]]()
    pool = ThreadPoolExecutor(len(lanes), thread_name_prefix="lane")
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(run, batch)))
            if len(waiting) > len(lanes):
                done, parts = waiting.popleft()
                yield done, parts.result()
        while waiting:
            done, parts = waiting.popleft()
            yield done, parts.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def encoded_rows(feed: Feed, rows: Iterable[FeedRow], failed: dict[FeedRow, str],
                 encode: Callable[[FeedRow], Encoded] | None = None) -> Iterator[Item]:
    """Encode rows in turn, ahead of the reader where that pays; one that cannot be encoded goes into `failed` with its
    reason."""
    for row, outcome in feed.ahead(rows, encode):
        if isinstance(outcome, DataError):
            log.info("row %d set aside", row)
            failed[row] = str(outcome)
        else:
            yield row, outcome


def packed(items: Iterable[Item], rows: int = ROWS, tokens: int = TOKENS) -> Iterator[list[Item]]:
    """Group neighbours into batches of at most `rows` samples and `tokens` padded tokens."""
    batch: list[Item] = []
    longest = 0
    for item in items:
        length = max(longest, item[1].length)
        if batch and (len(batch) == rows or (len(batch) + 1) * length > tokens):
            yield batch
            batch, length = [], item[1].length
        batch.append(item)
        longest = length
    if batch:
        yield batch


def halving(run: Callable[[Sequence[Item]], R], batch: Sequence[Item]) -> Iterator[tuple[Sequence[Item], R]]:
    """Run a batch; when memory does not suffice, run its halves instead. Raises ModelError when one sample is too
    much."""
    try:
        done = run(batch)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        if len(batch) == 1:
            raise ModelError(f"one sample of {batch[0][1].length} tokens does not fit into memory. Lower max_tokens or "
                             "use a larger device.") from error
    else:
        yield batch, done
        return
    log.warning("batch of %d does not fit into memory: halved", len(batch))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    yield from halving(run, batch[:middle])
    yield from halving(run, batch[middle:])


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: the CPU allocator has no exception class of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
