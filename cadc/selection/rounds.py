"""Which rows of its pool a capability takes, in which order, and why (METHOD §5). Pickers are iterators over
positions.

`paper`: highest influence first. `studio`: in rounds every target sample of the capability takes its best row not yet
taken.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cadc.scores.scores import Scores

Pick = tuple[int, int, float, str]
"""(position, target sample or -1 for "not by one", Inf(z, z') or influence, reason)."""


@dataclass
class Taken:
    """Rows already chosen, by anyone, and how often each source was."""

    open: np.ndarray
    """bool [N]: rows that may be taken at all."""
    source: np.ndarray
    """int [N]: source of each row (all 0 when there is no cap)."""
    source_cap: int
    """Most rows of one source; 0: no cap."""
    rows: bytearray = field(init=False)
    """1 where a row can still be taken; a bytearray because single reads of it are fast."""
    counts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = bytearray(self.open.astype(np.uint8).tobytes())

    def free(self, position: int) -> bool:
        """Whether the row may be taken now."""
        if not self.rows[position]:
            return False
        return not self.source_cap or self.counts.get(int(self.source[position]), 0) < self.source_cap

    def take(self, position: int) -> None:
        """Nobody can take the row any more; its source has one more."""
        self.rows[position] = 0
        if self.source_cap:
            source = int(self.source[position])
            self.counts[source] = self.counts.get(source, 0) + 1


def by_influence(influence: np.ndarray, positions: np.ndarray) -> Iterator[Pick]:
    """`paper` (CADC §5): the rows of one pool by Inf^Traj on its capability, highest first, ties to the earlier row.

    influence: [N] of this capability; positions: rows of its pool, ascending.
    """
    values = influence[positions]
    order = np.argsort(-values, kind="stable")
    for position, value in zip(positions[order].tolist(), values[order].tolist(), strict=True):
        yield position, -1, value, "influence"


def at_random(positions: np.ndarray, rng: np.random.Generator) -> Iterator[Pick]:
    """The share ε: rows of one pool in random order."""
    for position in rng.permutation(positions).tolist():
        yield position, -1, float("nan"), "random"


def round_robin(scores: Scores, members: np.ndarray, inside: np.ndarray, taken: Taken) -> Iterator[Pick]:
    """`studio` (METHOD §5): in rounds every target sample of the capability takes its best row not yet taken.

    members: unit positions of the capability; inside: bool [N], rows of its pool. Within a round the samples of all
    units take turns (first samples of each unit, then the second ones, …), so that an unfinished round is spread over
    the units too.

    Exactness: `best_index` lists the L best rows of a target sample over the whole pool, so as long as one listed row
    is free, the one taken is its best free row exactly. When the list of a sample is used up its turn goes to the
    free row of largest near(z, s) in its unit (reason `near`), named after the target sample that this row serves
    best there (`winner`): an approximation, since Inf(z, z') was not kept for rows outside the list. So the pool can
    always be emptied, and a budget that the pool can meet is met.
    """
    turns = _turns(np.asarray(scores.sample_unit), members)
    lists = {sample: _listed(scores, sample, inside) for sample in turns}
    nearest = {int(unit): _by_near(scores, int(unit), inside, taken) for unit in members}
    waiting = deque(turns)
    while waiting:
        sample = waiting.popleft()
        listed = next((row for row in lists[sample] if taken.free(row[0])), None)
        if listed is not None:
            yield listed[0], sample, listed[1], "rounds"
        else:
            unit = int(scores.sample_unit[sample])
            position = next(nearest[unit], None)
            if position is None:
                continue  # the pool is empty: nobody has a turn any more
            yield position, int(scores.winner[unit, position]), float(scores.near[unit, position]), "near"
        waiting.append(sample)


def _turns(sample_unit: np.ndarray, members: np.ndarray) -> list[int]:
    """Target samples of the capability in the order of a round: by rank inside their unit, then by unit."""
    samples = np.flatnonzero(np.isin(sample_unit, members))
    seen: dict[int, int] = {}
    rank = []
    for unit in sample_unit[samples].tolist():
        rank.append(seen.get(unit, 0))
        seen[unit] = rank[-1] + 1
    return samples[np.lexsort((sample_unit[samples], np.array(rank, np.int64)))].tolist()


def _listed(scores: Scores, sample: int, inside: np.ndarray) -> Iterator[tuple[int, float]]:
    """Rows of the pool in the list of one target sample, best first, read when first asked for."""
    index = np.asarray(scores.best_index[sample])
    there = index >= 0
    there[there] = inside[index[there]]
    yield from zip(index[there].tolist(), np.asarray(scores.best_value[sample])[there].tolist(), strict=True)


def _by_near(scores: Scores, unit: int, inside: np.ndarray, taken: Taken) -> Iterator[int]:
    """Free rows of the pool by near(z, s) of one unit, highest first, ties to the earlier row; sorted in growing
    pieces."""
    positions = np.flatnonzero(inside)
    values, size = np.asarray(scores.near[unit, positions]), 4096
    while len(positions):
        top = np.ones(len(positions), bool)
        if size < len(
            positions
        ):  # with all rows as good as the last of the piece, so that ties do not depend on the cut
            top = values >= np.partition(values, len(values) - size)[len(values) - size]
        for position in positions[top][np.argsort(-values[top], kind="stable")].tolist():
            if taken.free(position):
                yield position
        positions, values, size = positions[~top], values[~top], 4 * size
