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
    good, unit = _good(context)
    rng = np.random.default_rng([context.seed, 73])
    waiting = [rng.permutation(np.flatnonzero(good & (unit == name))).tolist() for name in context.known.scores.units]
    out: list[int] = []
    while len(out) < context.budget and any(waiting):
        for rows in waiting:
            if rows and len(out) < context.budget:
                out.append(rows.pop())
    return TrainingRows(positions=np.array(out, np.int64))


def _oracle_rounds(context: SelectionContext) -> TrainingRows:
    """The same rows to choose from, taken in the rounds of `studio`: what its choice reaches where nothing is junk."""
    return TrainingRows.of(context.known.rounds_among(_good(context)[0], context.budget))


def _good(context: SelectionContext) -> tuple[np.ndarray, np.ndarray]:
    """(rows that are clean, asked by the target, allowed and repeat none: bool [N]; unit of each row: object [N])."""
    truth = context.known.truth
    if truth is None:
        raise DataError(f"the oracles cannot be run on this study: {_NONE}. Leave them out.")
    good = truth["on_target"].astype(bool) & ~truth["wrong"].astype(bool) & truth["duplicate_of"].isna()
    return good.to_numpy() & context.allowed, truth["unit"].to_numpy(object)


def _no_truth(material: Material) -> str:
    return "" if material.truth is not None else _NONE


ORACLE = Arm(name="oracle", about="clean rows, balanced over the target's units: needs the generator's ground truth",
             select=_oracle, seeded=True, available=_no_truth, called="the oracle")
ORACLE_ROUNDS = Arm(name="oracle-rounds", select=_oracle_rounds, available=_no_truth, called="the oracle in rounds",
                    about="studio's rounds among clean rows that the target asks for: needs the ground truth")
