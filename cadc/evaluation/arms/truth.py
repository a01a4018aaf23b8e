"""What could be reached by knowing the truth: the generator's own account of every pool row."""

import numpy as np

from cadc.errors import DataError
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.evaluation.material import Material

_NONE = "the pool has no ground truth beside it (generated pools have)"


def _oracle(context: SelectionContext) -> TrainingRows:
    """Clean rows that the target asks for, none twice, balanced over the target's units: known to the generator.

    A unit that runs out leaves its turn to the others. Drawn anew for each seed.
    """
    truth, rng = context.known.truth, np.random.default_rng([context.seed, 73])
    if truth is None:
        raise DataError(f"arm 'oracle' cannot be run on this study: {_NONE}. Leave it out.")
    good = truth["on_target"].astype(bool) & ~truth["wrong"].astype(bool) & context.allowed
    first = truth["duplicate_of"].isna()
    waiting = [rng.permutation(np.flatnonzero(good & first & (truth["unit"] == unit))).tolist()
               for unit in context.known.scores.units]
    out: list[int] = []
    while len(out) < context.budget and any(waiting):
        for rows in waiting:
            if rows and len(out) < context.budget:
                out.append(rows.pop())
    return TrainingRows(positions=np.array(out, np.int64))


def _no_truth(material: Material) -> str:
    return "" if material.truth is not None else _NONE


ORACLE = Arm(name="oracle", about="clean rows, balanced over the target's units: needs the generator's ground truth",
             select=_oracle, seeded=True, available=_no_truth, called="the oracle")
