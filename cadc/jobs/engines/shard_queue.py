"""Who computes which shard, and how many rows that makes: the same bookkeeping for every engine."""

from collections import Counter, deque
from collections.abc import Hashable, Sequence

from cadc.jobs.shards import Shard
from cadc.study.progress import Progress


class ShardQueue:
    """Shards wait, are held by a worker, and are done, or given up after being lost `tries` times.

    Rows are reported to `progress` batch by batch; those of a lost shard are taken back, and a finished shard counts
    with all its rows, so that the total is right whoever died.
    """

    def __init__(self, shards: Sequence[Shard], progress: Progress, tries: int = 2) -> None:
        self._rows = {s.number: len(s.rows) for s in shards}
        self._waiting = deque(self._rows)
        self._held: dict[Hashable, int] = {}
        self._said: Counter[int] = Counter()
        self._losses: Counter[int] = Counter()
        self._progress, self._tries = progress, tries
        self.done: set[int] = set()
        """Numbers of finished shards."""
        self.given_up: list[int] = []
        """Numbers of shards that were lost too often."""

    @property
    def waiting(self) -> bool:
        """Whether a shard waits for a worker."""
        return bool(self._waiting)

    @property
    def open(self) -> bool:
        """Whether a shard waits or is held."""
        return bool(self._waiting or self._held)

    def take(self, worker: Hashable) -> int | None:
        """Give a waiting shard to a worker; None when none waits."""
        if not self._waiting:
            return None
        self._held[worker] = self._waiting.popleft()
        return self._held[worker]

    def said(self, worker: Hashable, rows: int, loss: float) -> None:
        """A worker finished a batch of its shard. Raises Cancelled."""
        if (number := self._held.get(worker)) is not None:
            self._said[number] += rows
            self._progress.step(rows, loss=loss)

    def finish(self, worker: Hashable) -> None:
        """A worker finished its shard. Raises Cancelled."""
        number = self._held.pop(worker)
        self.done.add(number)
        self._progress.step(self._rows[number] - self._said.pop(number, 0))

    def lose(self, worker: Hashable) -> int | None:
        """A worker died: its shard waits again, first in the row, or is given up. Returns it. Raises Cancelled."""
        number = self._held.pop(worker, None)
        if number is not None:
            self._losses[number] += 1
            if self._losses[number] < self._tries:
                self._waiting.appendleft(number)
            else:
                self.given_up.append(number)
            self._progress.step(-self._said.pop(number, 0))
        return number
