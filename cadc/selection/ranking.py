"""The order in which a capability takes the rows of its pool: one list, whose prefixes are the budgets (METHOD §5).

It depends on the rows that may be taken, the capability's units and what was measured, and on no budget, share, tag or
cap: those only say how far it is read and which of its rows are passed over. So a slider moves an end, and no row is
ranked twice.
"""

import threading
from array import array
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

Pick = tuple[int, int, float, str]
"""(position, target sample or -1 for "not by one", Inf(z, z') or influence, reason)."""


class Ranking:
    """Picks of one capability, best first, worked out as far as anyone has read; threads may share it."""

    def __init__(self, start: Callable[[], Iterator[Pick]]) -> None:
        """start: the picks from the first one; each call gives the same ones, and no position twice."""
        self.position, self.target, self.value = array("q"), array("q"), array("d")
        """Of each pick so far; `position` is the one that counts."""
        self.reason: list[str] = []
        self._start = start
        self._rest = start()
        self._lock = threading.Lock()

    def reach(self, count: int) -> int:
        """Work out the first `count` picks; how many there are now, fewer only where there are no more."""
        with self._lock:
            have = len(self.position)
            if have < count:
                try:
                    for position, target, value, reason in islice(self._rest, count - have):
                        self.target.append(target)
                        self.value.append(value)
                        self.reason.append(reason)
                        self.position.append(position)
                except BaseException:  # a generator that was interrupted is at its end: the next reader starts anew
                    have = len(self.position)
                    del self.target[have:], self.value[have:], self.reason[have:]
                    self._rest = islice(self._start(), have, None)
                    raise
            return len(self.position)


class Taken:
    """Rows already chosen, by anyone, and how often each source was."""

    def __init__(self, open_: np.ndarray, source: np.ndarray, caps: np.ndarray) -> None:
        """open_: bool [N], rows that may be taken at all; source: int [N], number of each row's source; caps: int
        [sources], most rows of each, 0 for no cap; both empty: no source has one."""
        # A bytearray, because single reads of it are fast; `_all` is the same memory for many at once.
        self._rows = bytearray(np.asarray(open_).astype(np.uint8).tobytes())
        self._all = np.frombuffer(self._rows, np.uint8)
        self._source, self._caps = source, np.asarray(caps).tolist()
        self._counts = [0] * len(self._caps)

    @property
    def capped(self) -> bool:
        """Whether what is free depends on how often a source was taken."""
        return any(self._caps)

    def free(self, position: int) -> bool:
        """Whether the row may be taken now."""
        if not self._rows[position]:
            return False
        if not self._caps:
            return True
        source = int(self._source[position])
        return not self._caps[source] or self._counts[source] < self._caps[source]

    def take(self, position: int) -> None:
        """Nobody can take the row any more; its source has one more."""
        self._rows[position] = 0
        if self._caps:
            self._counts[int(self._source[position])] += 1

    def take_first(self, positions: np.ndarray, count: int) -> np.ndarray:
        """Take the first `count` free rows among these, all different, where no source has a cap; their places, int64,
        fewer where no more are free."""
        places = np.flatnonzero(self._all[positions])[:count]
        self._all[positions[places]] = 0
        return places


PIECE = 512
"""Picks that are worked out at once, at least."""


class Reader:
    """Takes rows along a ranking. Rows that are taken already, or of a source that is used up, are passed over for
    good: whoever ranked them does not get another one instead."""

    def __init__(self, ranking: Ranking, taken: Taken) -> None:
        self.ranking, self.places = ranking, array("q")
        """Places in the ranking of the rows that were taken, ascending."""
        self._taken = taken
        self._next = self._reached = 0

    def take(self, count: int) -> int:
        """Take so many more rows; how many there were."""
        return self._one_by_one(count) if self._taken.capped else self._at_once(count)

    def _at_once(self, count: int) -> int:
        missing = count
        while missing > 0:
            self._reached = self.ranking.reach(self._next + max(missing, PIECE))
            if self._next == self._reached:
                break
            # A slice is a copy: others may go on with the ranking.
            rows = np.array(self.ranking.position[self._next:self._reached], np.int64)
            found = self._taken.take_first(rows, missing)
            self.places.frombytes((found + self._next).astype(np.int64).tobytes())
            missing -= len(found)
            self._next = self._reached if missing else self._next + int(found[-1]) + 1
        return count - missing

    def _one_by_one(self, count: int) -> int:
        position, taken, before = self.ranking.position, self._taken, len(self.places)
        while len(self.places) - before < count:
            if self._next == self._reached:
                self._reached = self.ranking.reach(self._next + max(count - len(self.places) + before, PIECE))
                if self._next == self._reached:
                    break
            row = position[self._next]
            if taken.free(row):
                taken.take(row)
                self.places.append(self._next)
            self._next += 1
        return len(self.places) - before

    def picks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """position int64, target int64, value float64, reason object of the rows taken: [n] each."""
        places, ranking = np.array(self.places, np.int64), self.ranking
        end = int(places[-1]) + 1 if len(places) else 0  # slices are copies: others may go on with the ranking
        return (np.array(ranking.position[:end], np.int64)[places], np.array(ranking.target[:end], np.int64)[places],
                np.array(ranking.value[:end], np.float64)[places], np.array(ranking.reason[:end], object)[places])
