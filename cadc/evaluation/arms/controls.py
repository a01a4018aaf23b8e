"""The controls: no training, the whole pool, and rows drawn at random, anew for each seed."""

import numpy as np

from cadc.evaluation.context import Arm, SelectionContext, TrainingRows


def _base(context: SelectionContext) -> TrainingRows:
    return TrainingRows(positions=np.zeros(0, np.int64))


def _full(context: SelectionContext) -> TrainingRows:
    return TrainingRows(positions=np.flatnonzero(context.allowed))


def _random(context: SelectionContext) -> TrainingRows:
    return _drawn(context, context.allowed, 71)


def _random_no_duplicates(context: SelectionContext) -> TrainingRows:
    """At most one row of each group of near-duplicates."""
    return _drawn(context, context.allowed & ~context.known.repeats, 72)


def _random_filtered(context: SelectionContext) -> TrainingRows:
    """Behind the filters of `studio` (rows that look wrong, near-duplicates)."""
    return _drawn(context, context.allowed & context.known.filtered, 74)


def _drawn(context: SelectionContext, open_: np.ndarray, stream: int) -> TrainingRows:
    """As many rows as the curriculum has out of those that are open (bool [N]); all of them where there are fewer."""
    rows = np.flatnonzero(open_)
    rng = np.random.default_rng([context.seed, stream])
    return TrainingRows(positions=np.sort(rng.choice(rows, min(context.budget, len(rows)), replace=False)))


BASE = Arm(name="base", about="the model as it came, not trained", select=_base, called="the untrained base")
FULL = Arm(name="full", about="every row of the pool", select=_full, called="the full pool")
RANDOM = Arm(name="random", about="as many rows, drawn at random for each seed", select=_random, seeded=True,
             called="random rows")
RANDOM_NO_DUPLICATES = Arm(name="random-no-duplicates", about="random rows, one of each group of near-duplicates",
                           select=_random_no_duplicates, seeded=True, called="random rows without duplicates")
RANDOM_FILTERED = Arm(name="random-filtered", select=_random_filtered, seeded=True,
                      about="random rows behind studio's filters: what the filters do alone",
                      called="random rows behind the filters")
