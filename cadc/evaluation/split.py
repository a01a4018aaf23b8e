"""Which target samples are scored: where possible none that a gradient has seen (METHOD §6,
docs/evaluation.md)."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

HELD_OUT, MEANS_ONLY, SAME = "held out", "means only", "same samples"
ENOUGH = 5
"""A rest counts when every unit has at least this many samples in it."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The target samples that every arm is scored on."""

    kind: str
    """`held out`: no gradient saw them. `means only`: they entered unit means, but no single target sample of
    near(z, s) is among them. `same samples`: the target is too small to keep any back."""
    positions: tuple[int, ...]
    """Positions in the list of accepted target samples, ascending."""


def scored_samples(units: Sequence[str], *, in_means: Collection[int], single: Collection[int],
                   at_most: int) -> Scored:
    """Choose the samples to score, at most so many of each unit, the first in file order.

    units: unit of each accepted target sample; in_means, single: positions whose gradients entered a unit mean, or
    counted one by one in near(z, s). The kind is one for all units, so that accuracies can be averaged.
    """
    names = set(units)
    for kind, used in ((HELD_OUT, {*in_means, *single}), (MEANS_ONLY, set(single)), (SAME, set())):
        rest = [position for position in range(len(units)) if position not in used]
        sizes = Counter(units[position] for position in rest)
        if kind == SAME or all(sizes[name] >= ENOUGH for name in names):
            break
    taken: Counter[str] = Counter()
    chosen = []
    for position in rest:
        if taken[units[position]] < at_most:
            taken[units[position]] += 1
            chosen.append(position)
    return Scored(kind=kind, positions=tuple(chosen))
