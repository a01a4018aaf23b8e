"""The same filters and signals as `studio` under another rule: rounds over the pool as one, and selection by design."""

from itertools import islice

import numpy as np

from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.evaluation.material import Material
from cadc.scores import columns
from cadc.selection.design import by_design, span


def _rounds(context: SelectionContext) -> TrainingRows:
    """Any unit may take any row, whichever capability it is nearest to."""
    return TrainingRows.of(context.known.as_one_pool(context.budget))


def kernels(known: Material) -> tuple[np.ndarray, np.ndarray]:
    """k(z, z'_j) float32 [N, S] and K_TT float64 [S, S]: of whitened gradients where the study has them, else of the
    embedding. Of whitened ones the best rows of each target sample are kept; the others count as 0, which they nearly
    are. Their sum takes ten times as many rows off target (docs/decisions/0033-rounds-within-capabilities.md)."""
    if not (known.study.finished("scores") and "whitened" in columns.of_gradients(known.study)):
        similarity = known.similarity("embedding")
        rows = np.concatenate([block for _, block in similarity.blocks()])
        return rows, np.asarray(similarity.samples, np.float64)
    best = columns.read_all(known.study, {part: f"best_{part}.whitened" for part in ("index", "value")})
    rows = np.zeros((len(known.scores.index), len(best["index"])), np.float32)
    sample, place = np.nonzero(np.asarray(best["index"]) >= 0)
    rows[best["index"][sample, place], sample] = np.maximum(best["value"][sample, place], 0)
    among = np.array(known.similarity("whitened").samples, np.float64)
    np.fill_diagonal(among, 1.0)  # beside the others, each as if it were a pool row
    return rows, among


def _design(context: SelectionContext) -> TrainingRows:
    """Rows that leave the least posterior variance at the target samples, units weighing alike (METHOD §5)."""
    known, of = context.known, np.asarray(context.known.scores.sample_unit)
    weight = 1.0 / np.bincount(of)[of]
    picks = by_design(span(*kernels(known)), weight / weight.sum(), context.allowed & known.filtered)
    return TrainingRows(positions=np.array([row for row, _ in islice(picks, context.budget)], np.int64))


ROUNDS = Arm(name="rounds", about="studio's rounds with all rows as one pool: any unit may take any row",
             select=_rounds, called="rounds over the pool as one")
DESIGN = Arm(name="design", about="rows that leave the least uncertainty at the target samples", select=_design,
             needs="embedding", called="selection by design")
