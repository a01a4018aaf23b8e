"""Every arm of a comparison by its name. A new selector is one function and one line here or in `selectors.py`."""

import numpy as np

from cadc.errors import DataError
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.evaluation.selectors import CONTROLS

UNTRAINED = "base"
RENAMED = {"curated": "cadc-staged", "curated-passes": "cadc", "curated-mixed": "cadc-mixed"}
"""Names in files of earlier versions."""


def _base(context: SelectionContext) -> TrainingRows:
    return TrainingRows(positions=np.zeros(0, np.int64))


def _cadc(context: SelectionContext) -> TrainingRows:
    """As a trainer goes through the exported file for several epochs with a sequential sampler."""
    return TrainingRows(positions=context.curriculum[context.allowed[context.curriculum]], shuffled=False)


def _cadc_staged(context: SelectionContext) -> TrainingRows:
    keep = context.allowed[context.curriculum]
    return TrainingRows(positions=context.curriculum[keep], stages=context.stages[keep])


def _cadc_mixed(context: SelectionContext) -> TrainingRows:
    """The same rows as `cadc`, as often as it has them: the control that tells selection from sequencing."""
    return TrainingRows(positions=context.curriculum[context.allowed[context.curriculum]])


def _random(context: SelectionContext) -> TrainingRows:
    candidates = np.flatnonzero(context.allowed)
    rng = np.random.default_rng([context.seed, 71])
    return TrainingRows(positions=np.sort(rng.choice(candidates, context.budget, replace=False)))


def _full(context: SelectionContext) -> TrainingRows:
    return TrainingRows(positions=np.flatnonzero(context.allowed))


ARMS: dict[str, Arm] = {s.name: s for s in (
    Arm(name=UNTRAINED, describe="the model as it came, not trained", select=_base),
    Arm(name="cadc", describe="the curriculum in its order, the whole file again and again", select=_cadc),
    Arm(name="cadc-staged", describe="the curriculum, each stage to its end before the next", select=_cadc_staged),
    Arm(name="cadc-mixed", describe="the same rows, shuffled", select=_cadc_mixed),
    Arm(name="random", describe="as many rows, drawn at random for each seed", select=_random, seeded=True),
    Arm(name="full", describe="every row of the pool", select=_full),
    *CONTROLS,
)}
"""Every known arm."""


def arm_of(name: str) -> Arm:
    """Raises DataError for a name that nobody has defined."""
    if name not in ARMS:
        raise DataError(f"unknown arm {name!r}. Known: {', '.join(ARMS)}")
    return ARMS[name]
