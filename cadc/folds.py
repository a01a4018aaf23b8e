"""How much the crossfit job trains and reads (docs/decisions/0016): what it does and what its estimate counts alike."""

from cadc.study import StudyConfig

FOLDS = 2
PASSES = 6
"""Over a fold, while that is at most `STEPS` steps; a larger fold is passed once."""
STEPS = 150


def candidate_rows(config: StudyConfig, pool: int) -> int:
    """Rows of a pool of so many that the models of one round are trained on, both folds together."""
    return max(FOLDS, round(config.crossfit_share * pool))


def fold_batch(config: StudyConfig, rows: int) -> int:
    """Samples per step on a fold of so many rows: the warm-up's, or all of a smaller fold."""
    return min(config.warmup_batch, max(1, rows))


def fold_steps(config: StudyConfig, rows: int) -> int:
    """Optimiser steps on a fold of so many rows."""
    one_pass = -(-rows // fold_batch(config, rows))
    return max(one_pass, min(STEPS, PASSES * one_pass))


def work(config: StudyConfig, pool: int, singles: int) -> tuple[int, int]:
    """(samples trained on, samples whose loss is read) over all rounds, repeats counted."""
    rows = candidate_rows(config, pool) // FOLDS
    trained = FOLDS * fold_steps(config, rows) * fold_batch(config, rows)
    return config.crossfit * trained, config.crossfit * (pool + FOLDS * singles)
