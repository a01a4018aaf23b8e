"""What an export format is. One is one file in `cadc/export/formats` and one line in its table, `FORMATS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cadc.data.sample import Sample


@dataclass(frozen=True, kw_only=True)
class StageFile:
    """One stage as a file of its own."""

    stage: int
    """From 1."""
    file: str
    first: int
    """Line of `curriculum.jsonl`, from 0, that the stage begins with."""
    last: int
    """The line after its last."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One export as the texts beside its rows speak of it."""

    format: str
    rows: int
    stages: tuple[StageFile, ...]
    input_format: str
    """Shape and container of the pool file (`llava jsonl`)."""
    system_turns: int
    """Rows with a system turn."""

    @property
    def input_shape(self) -> str:
        """`llava`, `messages-tags`, `messages-blocks`, `question-answer`, or what else the pool file holds."""
        return self.input_format.split(" ")[0]


Row = dict[str, object] | str
"""A row as JSON values, or as a line of JSON."""


def _none(outline: Outline) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Format:
    """A way to write rows that some trainers read."""

    name: str
    about: str
    """One line for a person: what a row looks like."""
    render: Callable[[Sample, Sequence[str], str], Row]
    """(sample, path to write for each of its pictures, its row as it stood in the pool file) → row to write.

    Samples are in the normal form of `cadc.data.rows`: pictures in order, no literal `<image>` in any text.
    """
    training: Callable[[Outline], str]
    """The sections of TRAINING.md that say, trainer by trainer, what keeps the order of these rows."""
    companions: Mapping[str, Callable[[Outline], str]] = field(default_factory=dict)
    """Other files beside the rows: name → what writes the text; '' where this export needs none."""
    listed: Callable[[Outline], bool] = _none
    """Whether the rows are also written as one JSON list, for trainers that read only that."""
