"""The rounds of `studio` by one signal alone: same filters, same capabilities, so that only the signal differs."""

from collections.abc import Iterator
from functools import partial

from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.signals import SIGNALS


def by_signal(context: SelectionContext, name: str) -> TrainingRows:
    """Rounds of `studio` by the signal of this name."""
    known = context.known
    return TrainingRows.of(known.round_robin(known.similarity(name), context.budget))


def signal_arms() -> Iterator[Arm]:
    """An arm for every signal."""
    for signal in SIGNALS.values():
        yield Arm(name=signal.name, about=f"studio's rounds by {signal.about}", needs=signal.needs,
                  select=partial(by_signal, name=signal.name))
