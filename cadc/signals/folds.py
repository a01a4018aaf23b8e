"""How much the out-of-fold job trains and reads (METHOD §5, decision 0016): what it does and what its estimate counts
alike."""

from cadc.study import StudyConfig

FOLDS = 2
PASSES = 6
"""Over a fold, while that is at most `STEPS` steps; a larger fold is passed once."""
STEPS = 150


def candidate_rows(config: StudyConfig, pool: int) -> int:
    """Rows of a pool of so many that the models of one round are trained on, both folds together."""
    return max(FOLDS, round(config.out_of_fold_share * pool))


def fold_batch(config: StudyConfig, rows: int) -> int:
    """Samples per step on a fold of so many samples: the warm-up's, or all of a smaller fold."""
    return min(config.warmup_batch, max(1, rows))


def fold_steps(config: StudyConfig, rows: int) -> int:
    """Optimiser steps on a fold of so many samples."""
    one_pass = -(-rows // fold_batch(config, rows))
    return max(one_pass, min(STEPS, PASSES * one_pass))


def repeats(config: StudyConfig, rows: int, taught: int) -> int:
    """How often each of `taught` target samples stands in a pass over them and so many pool rows: so often that a
    model which passes its pool rows once still sees the target samples about `PASSES` times."""
    together = max(1, rows + taught)
    passes = fold_steps(config, together) * fold_batch(config, together) // together
    return max(1, PASSES // passes)


def work(config: StudyConfig, pool: int, singles: int, targets: int) -> tuple[int, int]:
    """(samples trained on, samples whose loss is read) over all rounds, repeats counted.

    pool, singles, targets: pool rows, single target samples, target samples that gradients see.
    """
    rows = candidate_rows(config, pool) // FOLDS
    taught = targets // FOLDS if config.out_of_fold_target else 0
    size = rows + taught * repeats(config, rows, taught)
    trained = FOLDS * fold_steps(config, size) * fold_batch(config, size)
    read = singles if config.out_of_fold_target else FOLDS * singles
    return config.out_of_fold * trained, config.out_of_fold * (pool + read)
