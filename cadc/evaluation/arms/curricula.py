"""The curriculum that is compared, and the other preset's: in their order, and shuffled."""

from cadc.evaluation.context import Arm, SelectionContext, TrainingRows, with_gradients


def _cadc(context: SelectionContext) -> TrainingRows:
    """As a trainer goes through the exported file for several epochs with a sequential sampler."""
    return TrainingRows(positions=context.curriculum[context.allowed[context.curriculum]], shuffled=False)


def _cadc_staged(context: SelectionContext) -> TrainingRows:
    keep = context.allowed[context.curriculum]
    return TrainingRows(positions=context.curriculum[keep], stages=context.stages[keep])


def _cadc_mixed(context: SelectionContext) -> TrainingRows:
    """The same rows as `cadc`, as often as it has them: the control that tells selection from sequencing."""
    return TrainingRows(positions=context.curriculum[context.allowed[context.curriculum]])


def _paper(context: SelectionContext) -> TrainingRows:
    return TrainingRows.of(context.known.curriculum("paper", context.budget), staged=True)


def _paper_mixed(context: SelectionContext) -> TrainingRows:
    return TrainingRows.of(context.known.curriculum("paper", context.budget))


CADC = Arm(name="cadc", about="the curriculum in its order, the whole file again and again", select=_cadc,
           called="the curriculum")
CADC_STAGED = Arm(name="cadc-staged", about="the curriculum, each stage to its end before the next",
                  select=_cadc_staged, called="the curriculum stage after stage")
CADC_MIXED = Arm(name="cadc-mixed", about="the same rows, shuffled", select=_cadc_mixed,
                 called="the shuffled curriculum")
PAPER = Arm(name="paper", about="the paper preset: top influence, stage after stage", select=_paper,
            called="the paper preset", available=with_gradients)
PAPER_MIXED = Arm(name="paper-mixed", about="the paper preset's rows, shuffled", select=_paper_mixed,
                  called="the paper preset's rows, shuffled", available=with_gradients)
