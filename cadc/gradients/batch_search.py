"""The batch size of a job, chosen once (`batch_plan` keeps it).

On a GPU the budget is searched: doubled on real samples until memory runs out or nothing is gained. On a CPU it is the
fixed default: batches fit the cache or not, and a measured choice would differ from run to run
(docs/decisions/0012).
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

from cadc.data.indices import FeedRow
from cadc.errors import DataError
from cadc.gradients.batch_plan import BatchPlan, read, restore, write_first
from cadc.gradients.composition import Measured, disagreement
from cadc.models.batching import ROWS, TOKENS, Item, out_of_memory
from cadc.study import Study
from cadc.study.files import alone

if TYPE_CHECKING:
    from cadc.models import Vlm
    from cadc.models.feed import Feed

log = logging.getLogger(__name__)

SHARE = 0.85
"""Of the device's memory at most."""
GAIN = 1.05
"""A larger budget must be this much faster."""
PER_ROW = TOKENS // ROWS
MOST = 1 << 19
PROBES = 32
"""Distinct samples at each end of the lengths that are run in the search; larger batches repeat them."""


class Meter(Protocol):
    """The device's clock and memory."""

    def now(self) -> float:
        """Seconds, when everything asked for so far is done."""

    def reset(self) -> None:
        """Forget the peak."""

    def peak(self) -> float:
        """Share of the device's memory that was used at most since `reset`, 0 … 1."""


class CudaMeter:
    """`Meter` of the current GPU."""

    def now(self) -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    def reset(self) -> None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float:
        return torch.cuda.max_memory_reserved() / torch.cuda.get_device_properties().total_memory


R = TypeVar("R")
Run = Callable[[Sequence[Item]], object]


def fixed(why: str = "") -> BatchPlan:
    """The default; why: in place of what was searched for."""
    return BatchPlan(ROWS, TOKENS, f"fixed default: {why}" if why else "fixed default")


def choose_batch_size(study: Study, job: str, vlm: "Vlm", feed: "Feed", run: Callable[[Sequence[Item]], R],
                      measure: Callable[[R], Measured]) -> BatchPlan:
    """The plan of a job ('targets' or 'attribute'): read when it is there, else found by running a few batches.

    One process searches, those beside it wait; where locks are not shared between machines, the first file wins. A plan
    that was lost beside finished shards is taken from them. `measure`: losses and gradient norms of what `run` returns.
    """
    path = study.batch_file(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_suffix(".lock")):
        if not path.exists() and not restore(study, job):
            short, long = _ends(feed)
            if found := disagreement(lambda items: measure(run(items)), short[:1] + long[-1:], vlm):
                log.warning(found)
            warnings = (found,) if found else ()
            plan = search(run, short, long, CudaMeter()) if vlm.device.startswith("cuda") else fixed()
            write_first(study, job, replace(plan, warnings=warnings))
    return read(study, job)


def search(run: Run, short: Sequence[Item], long: Sequence[Item], meter: Meter) -> BatchPlan:
    """The fastest budget within `SHARE` of the memory, starting from the default.

    Each budget is run on the longest samples, which fill its tokens, and on the shortest, which fill its rows. One that
    does not fit is halved until it does, else it is doubled while that gains `GAIN` in samples/s.
    """
    if not long:
        return fixed("no sample could be encoded")
    tokens, best, fits = TOKENS, 0.0, False
    plan = fixed("not even one sample fits")
    _speed(run, short, long, tokens, meter)  # warms kernels and allocator up
    while PER_ROW <= tokens <= MOST:
        speed = _speed(run, short, long, tokens, meter)
        log.info("batch search: %d tokens, %.1f samples/s", tokens, speed)
        if speed == 0:
            if fits:
                break
            tokens //= 2
            continue
        if fits and speed < GAIN * best:
            break
        plan = BatchPlan(max(1, tokens // PER_ROW), tokens, f"searched: {speed:.3g} of the longest samples/s")
        best, shrunk, fits = speed, tokens < TOKENS, True
        if shrunk:
            break
        tokens *= 2
    return plan


def _speed(run: Run, short: Sequence[Item], long: Sequence[Item], tokens: int, meter: Meter) -> float:
    """Samples/s on the longest samples; 0 when the budget does not fit."""
    longest = max(item[1].length for item in long)
    meter.reset()
    try:
        run(_filled(short, min(tokens // PER_ROW, tokens // max(item[1].length for item in short))))
        began = meter.now()
        many = _filled(long, min(tokens // PER_ROW, tokens // longest))
        run(many)
        seconds = meter.now() - began
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return 0.0
    return len(many) / max(seconds, 1e-9) if meter.peak() <= SHARE else 0.0


def _filled(items: Sequence[Item], count: int) -> list[Item]:
    """`count` items (at least one), repeated in turn from the last."""
    return [items[-1 - i % len(items)] for i in range(max(1, count))]


def _ends(feed: "Feed") -> tuple[list[Item], list[Item]]:
    """Encoded samples from the short and the long end of the feed, ascending in length."""
    order = feed.by_length()
    count = min(PROBES, max(1, len(order) // 2))
    return _encoded(feed, order[:count]), _encoded(feed, order[-count:])


def _encoded(feed: "Feed", rows: Sequence[FeedRow]) -> list[Item]:
    found: list[Item] = []
    for row in rows:
        try:
            found.append((row, feed.encode(row)))
        except DataError:
            log.debug("row %d cannot be a probe", row)
    return sorted(found, key=lambda item: item[1].length)
