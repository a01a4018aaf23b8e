"""The rounds of `studio` by one signal alone, in the same map and behind the same filter, and the curricula of the
presets: each behind the filter of rows that look wrong, and without it. So only the signal differs, and what the filter
does can be told."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from cadc.curation.presets import PRESETS
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows, with_gradients
from cadc.evaluation.material import Material
from cadc.signals import SIGNALS
from cadc.study.config import joined_signals


class Select(Protocol):
    """How an arm of this file chooses."""

    def __call__(self, context: SelectionContext, name: str, filtered: bool) -> TrainingRows: ...


UNFILTERED = "-unfiltered"
"""End of the name of an arm that keeps the rows that look wrong."""


def by_signal(context: SelectionContext, name: str, filtered: bool) -> TrainingRows:
    """Rounds by the signal of this name."""
    known = context.known
    return TrainingRows.of(known.rounds(known.nearness(name), context.budget, filtered=filtered))


def by_preset(context: SelectionContext, name: str, filtered: bool) -> TrainingRows:
    """The curriculum of a preset, shuffled."""
    return TrainingRows.of(context.known.curriculum(name, context.budget, filtered=filtered))


def signal_arms() -> Iterator[Arm]:
    """Two arms for every signal, and for every preset but `paper`, which has arms of its own and filters nothing."""
    for signal in SIGNALS.values():
        yield from _both(signal.name, f"studio's rounds by {signal.about}", by_signal, signal.needs,
                         AVAILABLE.get(signal.name, _always))
    for preset in PRESETS.values():
        if preset.name != "paper":
            needs, available = (preset.near, _joins) if preset.near == "quick" else ("", _always)
            yield from _both(preset.name, f"the rows of the preset {preset.name}, shuffled", by_preset, needs,
                             available)


def _both(name: str, about: str, select: Select, needs: str, available: Callable[[Material], str]) -> Iterator[Arm]:
    yield Arm(name=name, about=about, needs=needs, available=available,
              select=partial(select, name=name, filtered=True))
    yield Arm(name=name + UNFILTERED, about=f"the same as {name}, rows that look wrong not left out", needs=needs,
              available=available, select=partial(select, name=name, filtered=False))


def _always(material: Material) -> str:
    return ""


def _whitened(material: Material) -> str:
    whitens = material.study.config.whitens
    return with_gradients(material) or ("" if whitens else "its gradients are not whitened (setting whitened)")


def _answers(material: Material) -> str:
    kept = material.study.config.answer_states
    return "" if kept else "its embedding keeps no hidden states of answers (setting answer_states)"


def _joins(material: Material) -> str:
    joined = joined_signals(material.study.config)
    return "" if joined else "its near(z, s) has no signal without gradients (setting nearness)"


AVAILABLE = {"gradients": with_gradients, "whitened": _whitened, "answers": _answers}
"""Of signals that not every study has."""
