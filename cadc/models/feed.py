"""Samples of a study, opened and encoded: what warm-up, targets and attribution walk over."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from cadc.data.indices import FeedRow
from cadc.data.reasons import PICTURE, UNFIT
from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.models.encode import Encoded
from cadc.models.refusal import refusing
from cadc.models.vlm import Vlm
from cadc.study import Study

AHEAD_BYTES = 1 << 30
"""Encoded samples that wait for the device hold about this much at most."""
AHEAD_ROWS = 256

Outcome = Encoded | DataError


def ahead(encode: Callable[[FeedRow], Encoded], rows: Iterable[FeedRow], workers: int
          ) -> Iterator[tuple[FeedRow, Outcome]]:
    """Rows in their order with what `encode` makes of them, or the DataError it raised; any other error is raised.

    `workers` threads work ahead of the reader, by at most `AHEAD_ROWS` rows and about `AHEAD_BYTES`; with 0 each row is
    encoded when it is asked for. Leaving the loop, however it happens, stops them after the row at hand.
    """
    if workers == 0:
        for row in rows:
            yield row, _outcome(encode, row)
        return
    todo, waiting, limit = iter(rows), deque[tuple[FeedRow, Future[Outcome]]](), 2 * workers
    pool = ThreadPoolExecutor(workers, thread_name_prefix="encode")
    try:
        while True:
            for row in islice(todo, max(0, limit - len(waiting))):
                waiting.append((row, pool.submit(_outcome, encode, row)))
            if not waiting:
                return
            row, future = waiting.popleft()
            outcome = future.result()
            if isinstance(outcome, Encoded):
                size = sum(value.nbytes for value in outcome.inputs.values())
                limit = max(workers, min(AHEAD_ROWS, AHEAD_BYTES // max(size, 1)))
            yield row, outcome
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(encode: Callable[[FeedRow], Encoded], row: FeedRow) -> Outcome:
    try:
        return encode(row)
    except DataError as error:
        return error


def encoders(device: str) -> int:
    """Threads that encode ahead: a GPU must not wait for pictures, so it gets its share of the cores; a CPU worker has
    one core, which the model needs."""
    if not device.startswith("cuda"):
        return 0
    import torch

    return max(1, min(8, len(os.sched_getaffinity(0)) // max(1, torch.cuda.device_count()) - 1))


class Feed:
    """The pool or the target of a study, in the order of its samples file."""

    def __init__(self, study: Study, role: str, vlm: Vlm) -> None:
        from cadc.data import PictureLimits, read_samples

        self.samples: list[Sample] = read_samples(study.samples_file(role))
        self._vlm = vlm
        self._root = study.image_root(role)
        self._embedded = study.ingest_images(role)
        self._limits = PictureLimits.of(study.config)

    def __len__(self) -> int:
        return len(self.samples)

    def ahead(self, rows: Iterable[FeedRow], encode: Callable[[FeedRow], Encoded] | None = None
              ) -> Iterator[tuple[FeedRow, Outcome]]:
        """`ahead` with as many threads as the model's device deserves; `encode` replaces this feed's own."""
        return ahead(encode or self.encode, rows, encoders(self._vlm.device))

    def encode(self, row: FeedRow, pictures_of: FeedRow | None = None) -> Encoded:
        """Encode a row, with its own pictures or those of another row (METHOD §2, grounded). Raises RowRefused."""
        from cadc.data import opened_images

        donor = self.samples[row if pictures_of is None else pictures_of]
        with (refusing(PICTURE), opened_images(donor, self._root, self._embedded, self._limits) as images,
              refusing(UNFIT)):
            return self._vlm.encode(self.samples[row], images)

    def by_length(self, rows: Iterable[FeedRow] | None = None) -> list[FeedRow]:
        """`by_length` of this feed's samples."""
        return by_length(self.samples, rows)


def by_length(samples: Sequence[Sample], rows: Iterable[FeedRow] | None = None) -> list[FeedRow]:
    """Rows (all, where none are given) sorted so that neighbours have about the same number of tokens, judged before
    anything is opened.

    Pictures first, then characters; ties by position, so that the order is always the same.
    """

    def key(row: FeedRow) -> tuple[int, int, int]:
        sample = samples[row]
        words = sum(len(part) for turn in sample.turns for part in turn.parts if isinstance(part, str))
        return len(sample.images), words, row

    return sorted(map(FeedRow, range(len(samples))) if rows is None else rows, key=key)
