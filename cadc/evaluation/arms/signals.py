"""The rounds of `studio` by one signal alone: same filters, same capabilities, so that only the signal differs."""

from collections.abc import Iterator
from functools import partial

from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS
from cadc.study.config import OF_GRADIENTS


def by_signal(context: SelectionContext, name: str) -> TrainingRows:
    """Rounds of `studio` by the signal of this name."""
    known = context.known
    if name in OF_GRADIENTS:  # these have lists of their own for each target sample
        return TrainingRows.of(known.by_scores(Scores.load(known.study, near=name), context.budget))
    return TrainingRows.of(known.round_robin(known.similarity(name), context.budget))


def signal_arms() -> Iterator[Arm]:
    """An arm for every signal."""
    for signal in SIGNALS.values():
        yield Arm(name=signal.name, about=f"studio's rounds by {signal.about}", needs=signal.needs,
                  select=partial(by_signal, name=signal.name))
