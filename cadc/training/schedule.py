"""Which row is trained at which step: the same number of draws for every arm, whatever its rows and order.

METHOD §6. D = steps × batch draws; n rows in an arm.
"""

import numpy as np

from cadc.arrays import largest_remainder


def mixed(rows: int, draws: int, seed: int) -> np.ndarray:
    """int64 [draws]: seeded passes over all rows, each pass a new shuffle; the last one may be cut short."""
    rng = np.random.default_rng([seed, 31])
    passes = -(-draws // rows)
    return np.concatenate([rng.permutation(rows) for _ in range(passes)])[:draws]


def sequenced(stages: np.ndarray, draws: int) -> np.ndarray:
    """int64 [draws]: stage after stage, each with draws in proportion to its rows (METHOD §5).

    A stage with more draws than rows repeats its rows in their order before the next stage begins, so that the order of
    the curriculum survives several passes. A stage with fewer draws than rows takes evenly spaced rows, in order.
    """
    names, first, counts = np.unique(stages, return_index=True, return_counts=True)
    order = np.argsort(first, kind="stable")
    parts = largest_remainder(counts[order] / len(stages) * draws, draws)
    pieces = []
    for name, part in zip(names[order], parts, strict=True):
        own = np.flatnonzero(stages == name)
        step = np.arange(part)
        pieces.append(own[step % len(own)] if part >= len(own) else own[step * len(own) // max(part, 1)])
    return np.concatenate(pieces).astype(np.int64)


def plan(rows: int, stages: np.ndarray | None, *, steps: int, batch: int, seed: int,
         shuffled: bool = True) -> np.ndarray:
    """int64 [steps, batch]: positions into the arm's rows (n ≥ 1), for every optimiser step.

    stages: see `sequenced`; None: whole passes, shuffled or (one stage) in order.
    """
    draws = steps * batch
    if stages is None and shuffled:
        return mixed(rows, draws, seed).reshape(steps, batch)
    return sequenced(np.zeros(rows, int) if stages is None else stages, draws).reshape(steps, batch)


def rate(step: int, peak: float, rise: int) -> float:
    """Learning rate of step 0, 1, …: a linear rise over `rise` steps, constant afterwards."""
    return peak * min(1.0, (step + 1) / max(rise, 1))
