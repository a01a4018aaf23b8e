"""Which rows of its pool a capability takes, in which order, and why (METHOD §5). Every picker goes once through all
rows that it is given.

`paper`: highest influence first. `studio`: in rounds every unit of the capability takes a row, its target samples in
turn, each the best one not yet taken.
"""

from collections.abc import Iterator
from itertools import cycle

import numpy as np

from cadc.scores.scores import Scores
from cadc.selection.ranking import Pick


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


def round_robin(scores: Scores, members: np.ndarray, inside: np.ndarray) -> Iterator[Pick]:
    """`studio` (METHOD §5): unit by unit a target sample takes its best row not yet taken.

    members: unit positions of the capability; inside: bool [N], rows of its pool. In a round every unit takes one row,
    so that units get equally many wherever the ranking is cut, also one of few target samples; within a unit its
    samples take turns, one a round. A unit without single target samples has no turn.

    Exactness: `best_index` lists the L best rows of a target sample over the whole pool, so as long as one listed row
    is free, the one taken is its best free row exactly. When the list of a sample is used up its turn goes to the
    free row of largest near(z, s) in its unit (reason `near`), named after the target sample that this row serves
    best there (`winner`): an approximation, since Inf(z, z') was not kept for rows outside the list. So the pool can
    always be emptied, and a budget that the pool can meet is met.
    """
    of = np.asarray(scores.sample_unit)
    own = {int(unit): np.flatnonzero(of == unit).tolist() for unit in members}
    turns = {unit: cycle(samples) for unit, samples in own.items() if samples}
    lists = {sample: _listed(scores, sample, inside) for unit in turns for sample in own[unit]}
    free = bytearray(np.asarray(inside).astype(np.uint8).tobytes())
    nearest = {unit: _by_near(scores, unit, inside, free) for unit in turns}
    while turns:
        for unit, samples in turns.items():
            sample = next(samples)
            listed = next((row for row in lists[sample] if free[row[0]]), None)
            if listed is not None:
                pick = listed[0], sample, listed[1], "rounds"
            else:
                position = next(nearest[unit], None)
                if position is None:
                    return  # the pool is empty: nobody has a turn any more
                pick = (position, int(scores.winner[unit, position]), float(scores.near[unit, position]), "near")
            free[pick[0]] = 0
            yield pick


def _listed(scores: Scores, sample: int, inside: np.ndarray) -> Iterator[tuple[int, float]]:
    """Rows of the pool in the list of one target sample, best first, read when first asked for."""
    index = np.asarray(scores.best_index[sample])
    there = index >= 0
    there[there] = inside[index[there]]
    yield from zip(index[there].tolist(), np.asarray(scores.best_value[sample])[there].tolist(), strict=True)


def _by_near(scores: Scores, unit: int, inside: np.ndarray, free: bytearray) -> Iterator[int]:
    """Free rows of the pool by near(z, s) of one unit, highest first, ties to the earlier row; sorted in growing
    pieces."""
    positions = np.flatnonzero(inside)
    values, size = np.asarray(scores.near[unit, positions]), 4096
    while len(positions):
        top = np.ones(len(positions), bool)
        if size < len(positions):
            # With all rows as good as the last of the piece, so that ties do not depend on the cut.
            top = values >= np.partition(values, len(values) - size)[len(values) - size]
        for position in positions[top][np.argsort(-values[top], kind="stable")].tolist():
            if free[position]:
                yield position
        positions, values, size = positions[~top], values[~top], 4 * size
