"""Selection without gradients: what people use or could use instead (METHOD §6).

All get as many rows as the curriculum has. Where a paper leaves a choice open, the docstring says which was made.
"""

import numpy as np

from cadc.evaluation.arms.coincide import coincide
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows


def _last_loss(context: SelectionContext) -> np.ndarray:
    return np.asarray(context.known.scores.loss)[:, -1].astype(np.float64)


def _loss(context: SelectionContext) -> TrainingRows:
    """Highest answer loss (perplexity) at the last checkpoint."""
    return TrainingRows(positions=context.best(_last_loss(context)))


def _middle_loss(context: SelectionContext) -> TrainingRows:
    """The middle of the loss distribution, which perplexity pruning keeps (Marion et al. 2023)."""
    loss = _last_loss(context)
    rank = np.argsort(np.argsort(loss, kind="stable"))
    return TrainingRows(positions=context.best(-np.abs(rank - np.median(rank[context.allowed]))))


def _length(context: SelectionContext) -> TrainingRows:
    """Longest answers (Zhao et al. 2024, "Long is more"), ties by the earlier row."""
    return TrainingRows(positions=context.best(np.asarray(context.known.scores.tokens)))


def _coincide(context: SelectionContext) -> TrainingRows:
    known = context.known
    return TrainingRows(positions=coincide(known.embedded[0], context.allowed, context.budget, known.study.config.seed))


LOSS = Arm(name="loss", about="highest loss at the last checkpoint", select=_loss)
MIDDLE_LOSS = Arm(name="middle-loss", about="loss nearest to the median", select=_middle_loss)
LENGTH = Arm(name="length", about="longest answers", select=_length)
COINCIDE = Arm(name="coincide", about="clusters of embeddings, by how near and how spread they are",
               select=_coincide, needs="embedding")
