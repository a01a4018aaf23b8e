"""The rounds of `studio` by one signal alone: same filters, same capabilities, so that only the signal differs."""

from collections.abc import Iterator
from functools import partial

from cadc.evaluation.context import Arm, SelectionContext, TrainingRows, with_gradients
from cadc.evaluation.material import Material
from cadc.scores import columns
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS
from cadc.study.config import OF_GRADIENTS


def by_signal(context: SelectionContext, name: str) -> TrainingRows:
    """Rounds of `studio` by the signal of this name."""
    known = context.known
    if name in OF_GRADIENTS:  # these have lists of their own for each target sample
        return TrainingRows.of(known.by_scores(Scores.load(known.study, near=name), context.budget))
    return TrainingRows.of(known.round_robin(known.similarity(name), context.budget))


def _available(material: Material, name: str) -> str:
    """Why a study has no such signal."""
    if name not in OF_GRADIENTS:
        return ""
    computed = name in columns.of_gradients(material.study)
    return with_gradients(material) or ("" if computed else f"{name} gradients were not computed (see the settings "
                                                            "whitened, features and landmarks)")


def signal_arms() -> Iterator[Arm]:
    """An arm for every signal."""
    for signal in SIGNALS.values():
        yield Arm(name=signal.name, about=f"studio's rounds by {signal.about}", needs=signal.needs,
                  select=partial(by_signal, name=signal.name), available=partial(_available, name=signal.name))
