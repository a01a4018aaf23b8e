"""Which target samples gradients see, and whose pictures they get in the grounded passes (METHOD §2)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cadc.data.indices import FeedRow
from cadc.data.sample import Sample
from cadc.study import StudyConfig

_CHOICE = 21  # stream of the study's seed


@dataclass(frozen=True)
class Choice:
    """Which target samples are used."""

    units: tuple[str, ...]
    """M names, in order of first appearance."""
    rows: tuple[tuple[FeedRow, ...], ...]
    """Rows of each unit that enter its mean, ascending."""
    singles: tuple[tuple[FeedRow, ...], ...]
    """Rows of each unit that also count one by one, ascending."""

    @property
    def unit_of(self) -> dict[FeedRow, int]:
        """Unit of each row used."""
        return {row: u for u, rows in enumerate(self.rows) for row in rows}


def choose(config: StudyConfig, samples: Sequence[Sample]) -> Choice:
    """At most `samples_per_unit` rows of each unit by a seeded draw; the first `near_samples` of the draw count
    singly."""
    draws = drawn(config, samples)
    return Choice(tuple(draws), tuple(tuple(sorted(draw)) for draw in draws.values()),
                  tuple(tuple(sorted(draw[:config.near_samples])) for draw in draws.values()))


def drawn(config: StudyConfig, samples: Sequence[Sample]) -> dict[str, list[FeedRow]]:
    """Rows of each unit that enter its mean, in the order of the draw; units in order of first appearance."""
    of_unit: dict[str, list[FeedRow]] = {}
    for row, sample in enumerate(samples):
        of_unit.setdefault(sample.unit or sample.id, []).append(FeedRow(row))
    found = {}
    for number, (unit, members) in enumerate(of_unit.items()):
        draw = np.random.default_rng([config.seed, _CHOICE, number]).permutation(members).tolist()
        found[unit] = [FeedRow(row) for row in draw[:config.samples_per_unit]]
    return found


def donors(pictures: Sequence[tuple[str, ...]], round_: int, seed: Sequence[int]) -> list[int]:
    """Whose pictures each row of a unit gets in permutation `round_`: a derangement inside each group of equal
    picture count.

    `pictures`: picture paths of the unit's rows. Returns positions in the unit; a row that cannot swap keeps its own.
    Of several seeded draws the one is taken that leaves the fewest rows with the same pictures.
    """
    result = list(range(len(pictures)))
    groups: dict[int, list[int]] = {}
    for position, paths in enumerate(pictures):
        groups.setdefault(len(paths), []).append(position)
    for count, group in sorted(groups.items()):
        if count == 0 or len(group) < 2:
            continue
        rng = np.random.default_rng([*seed, round_, count])
        draws: list[tuple[int, int, dict[int, int]]] = []
        for _ in range(8):
            order = rng.permutation(group)
            moved = np.roll(order, 1 + round_ % (len(group) - 1))
            same = sum(pictures[a] == pictures[b] for a, b in zip(order, moved, strict=True))
            draws.append((same, len(draws), dict(zip(order.tolist(), moved.tolist(), strict=True))))
        for position, donor in min(draws)[2].items():
            result[position] = donor
    return result


def swappable(pictures: Sequence[tuple[str, ...]]) -> bool:
    """Whether any two rows of a unit have equally many, different pictures: else the unit stays plain."""
    seen: dict[int, tuple[str, ...]] = {}
    return any(paths and seen.setdefault(len(paths), paths) != paths for paths in pictures)


def gradient_samples(config: StudyConfig, samples: Sequence[Sample]
                     ) -> tuple[set[FeedRow], set[FeedRow]]:
    """(positions that entered a unit mean, positions that counted singly) of the accepted target samples."""
    sizes = Counter(sample.unit or sample.id for sample in samples)
    if max(sizes.values(), default=0) <= min(config.samples_per_unit, config.near_samples):
        everything = {FeedRow(row) for row in range(len(samples))}
        return everything, everything
    choice = choose(config, samples)
    return {p for rows in choice.rows for p in rows}, {p for rows in choice.singles for p in rows}
