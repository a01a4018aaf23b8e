"""Selection without gradients: what people use or could use instead (METHOD §6).

All get as many rows as the curriculum has. Where a paper leaves a choice open, the docstring says which was made.
"""

import numpy as np

from cadc.evaluation.arms.coincide import coincide
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.evaluation.material import Material


def _last_loss(context: SelectionContext) -> np.ndarray:
    """Rows whose loss nobody knows count as the lowest."""
    return np.nan_to_num(np.asarray(context.known.scores.last_loss).astype(np.float64), nan=0.0)


def _loss(context: SelectionContext) -> TrainingRows:
    """Highest answer loss (perplexity) at the last checkpoint; without one, under the untrained base."""
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


def _no_loss(material: Material) -> str:
    return "" if np.isfinite(material.scores.last_loss).any() else ("it needs a loss of every row, and this study has "
                                                                    "neither gradients nor judges")


def _no_tokens(material: Material) -> str:
    return "" if np.any(material.scores.tokens) else ("it needs the answers' tokens, and this study has neither "
                                                      "gradients nor judges, which count them")


LOSS = Arm(name="loss", about="highest loss at the last checkpoint, or of the base where there is none", select=_loss,
           available=_no_loss)
MIDDLE_LOSS = Arm(name="middle-loss", about="loss nearest to the median", select=_middle_loss, available=_no_loss)
LENGTH = Arm(name="length", about="longest answers", select=_length, available=_no_tokens)
COINCIDE = Arm(name="coincide", about="clusters of embeddings, by how near and how spread they are",
               select=_coincide, needs="embedding")
