"""The curriculum that is compared, and the other preset's: as exported, in a kept order, in stages, shuffled."""

import numpy as np

from cadc.curation.sequence import mixed_order
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows, with_gradients


def _cadc(context: SelectionContext) -> TrainingRows:
    """As a trainer goes through the exported folder: a mixed curriculum is shuffled anew in every pass, a staged one
    keeps its order (decision 0040)."""
    return _cadc_mixed(context) if _is_mixed(context) else _cadc_kept(context)


def _cadc_kept(context: SelectionContext) -> TrainingRows:
    """The file with a sequential sampler, pass after pass. A mixed order is one draw of many, so each seed draws its
    own: seeds that share one share its luck."""
    positions = mixed_order(context.curriculum, context.seed) if _is_mixed(context) else context.curriculum
    return TrainingRows(positions=positions[context.allowed[positions]], shuffled=False)


def _is_mixed(context: SelectionContext) -> bool:
    known = context.material
    return known is not None and known.inputs.settings.staging == "mix"


def _cadc_soft(context: SelectionContext) -> TrainingRows:
    """The same rows in soft stages, read as `cadc` is."""
    positions, _ = _in_stages(context)
    return TrainingRows(positions=positions, shuffled=False)


def _cadc_staged(context: SelectionContext) -> TrainingRows:
    positions, stages = _in_stages(context)
    return TrainingRows(positions=positions, stages=stages)


def _in_stages(context: SelectionContext) -> tuple[np.ndarray, np.ndarray]:
    """(positions, stages) of the curriculum's rows that are allowed: in its own stages, or in soft ones where it is
    mixed."""
    positions, stages = context.curriculum, context.stages
    if _is_mixed(context):
        rows = context.known.soft(context.asked).rows
        positions, stages = (rows[name].to_numpy(np.int64) for name in ("position", "stage"))
    keep = context.allowed[positions]
    return positions[keep], stages[keep]


def _cadc_mixed(context: SelectionContext) -> TrainingRows:
    """The same rows as `cadc`, as often as it has them: the control that tells selection from sequencing."""
    return TrainingRows(positions=context.curriculum[context.allowed[context.curriculum]])


def _paper(context: SelectionContext) -> TrainingRows:
    return TrainingRows.of(context.known.curriculum("paper", context.budget), staged=True)


def _paper_mixed(context: SelectionContext) -> TrainingRows:
    return TrainingRows.of(context.known.curriculum("paper", context.budget))


CADC = Arm(name="cadc", about="the curriculum as exported: a mixed one shuffled in every pass, a staged one in order",
           select=_cadc, called="the curriculum")
CADC_KEPT = Arm(name="cadc-kept", about="the curriculum in one order that every pass keeps (a mixed one: of each seed)",
                select=_cadc_kept, called="the curriculum in one kept order", seeded=True)
CADC_SOFT = Arm(name="cadc-soft", about="the curriculum's rows in soft stages, the whole file again and again",
                select=_cadc_soft, called="the curriculum in soft stages")
CADC_STAGED = Arm(name="cadc-staged", about="the curriculum's rows in stages, each to its end before the next",
                  select=_cadc_staged, called="the curriculum stage after stage")
CADC_MIXED = Arm(name="cadc-mixed", about="the same rows, shuffled", select=_cadc_mixed,
                 called="the shuffled curriculum")
PAPER = Arm(name="paper", about="the paper preset: top influence, stage after stage", select=_paper,
            called="the paper preset", available=with_gradients)
PAPER_MIXED = Arm(name="paper-mixed", about="the paper preset's rows, shuffled", select=_paper_mixed,
                  called="the paper preset's rows, shuffled", available=with_gradients)
