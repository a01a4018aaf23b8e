"""How much a study asks of its jobs, before any has run: counted with the jobs' own plans.

Shape letters: N pool samples, T checkpoints, S single target samples, M units, R = S + M (+ M grounded) target
vectors.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cadc.gradients.choice import choose, swappable
from cadc.jobs import shards
from cadc.study import Study, StudyConfig
from cadc.training import warmup


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers that times and bytes follow from."""

    pool: int
    """N."""
    distinct: int
    """Of these, rows that have to be computed: copies within a shard are not."""
    fresh_rows: int
    """Warm-up rows seen for the first time."""
    known_rows: int
    """Warm-up rows seen again."""
    singles: int
    """S."""
    targets: int
    """Target samples that gradients see."""
    target_rows: int
    """All target samples: so many the forwards of embedding and judges read."""
    units: int
    """M."""
    passes: int
    """Target rows of all passes, those with other pictures included."""
    grounded: bool

    @property
    def vectors(self) -> int:
        """R."""
        return target_vectors(self.singles, self.units, self.grounded)


def sizes(study: Study) -> Sizes:
    """The sizes of a study that has read its pool and target. Raises JobError before that."""
    from cadc.data import read_samples
    from cadc.models.copies import Copies
    from cadc.models.feed import by_length

    study.require("ingest")
    config, rows = study.config, read_samples(study.samples_file("pool"))
    pool = len(rows)
    pieces = shards.cut(by_length(rows), config.shard_rows)
    target = read_samples(study.samples_file("target"))
    choice = choose(config, target)
    moved = [swappable([target[row].images for row in rows]) for rows in choice.rows]
    plan = warmup.plan(study, pool)
    seen = sum(len(rows) for rows in warmup.batches(config, plan.rows, plan.ends[-1]))
    fresh = min(seen, len(plan.rows))
    return Sizes(pool=pool, distinct=sum(len(Copies(rows, piece.rows).firsts) for piece in pieces), fresh_rows=fresh,
                 known_rows=seen - fresh, singles=sum(map(len, choice.singles)),
                 targets=sum(map(len, choice.rows)), target_rows=len(target), units=len(choice.units),
                 passes=target_passes(config, map(len, choice.rows), moved), grounded=config.grounded)


def target_vectors(singles: int, units: int, grounded: bool) -> int:
    """R: every single target sample, and one mean of every unit (two with grounded gradients)."""
    return singles + units * (2 if grounded else 1)


def target_passes(config: StudyConfig, rows: Iterable[int], moved: Iterable[bool]) -> int:
    """Target rows that the target job goes through: `rows` of each unit once, and those of a unit whose pictures can
    be `moved` once more for every permutation of them."""
    permutations = config.permutations if config.grounded else 0
    return sum(count * (1 + permutations * changes) for count, changes in zip(rows, moved, strict=True))
