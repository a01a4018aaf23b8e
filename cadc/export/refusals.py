"""Why some trainers cannot hold some rows, and what a row becomes where a trainer knows no system turn."""

from dataclasses import replace

from cadc.data.sample import Sample, Turn


def unlearnt(sample: Sample, trainer: str) -> str:
    """A reason where an answer is not to be learnt from and the trainer has no mark for that; '' otherwise."""
    if all(turn.learnt for turn in sample.turns):
        return ""
    return f"an answer is not to be learnt from, and {trainer} would train on it"


def folded(sample: Sample) -> Sample:
    """The system turn at the head of the first question, a line between them; the sample itself where it has none."""
    if sample.turns[0].role != "system" or len(sample.turns) < 2:
        return sample
    first, second, *rest = sample.turns
    parts: tuple[str | int, ...] = (*first.parts, "\n", *second.parts)
    return replace(sample, turns=(Turn(role="user", parts=_joined(parts)), *rest))


def _joined(parts: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Neighbouring texts as one."""
    found: list[str | int] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)
