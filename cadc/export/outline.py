"""One export in words: its stages, its pictures, and what the texts beside its rows speak of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cadc.export.shapes import Json

if TYPE_CHECKING:
    from cadc.export.recipe import Recipe

How = Literal["copy", "link", "absolute", "parquet"]
"""What becomes of pictures (`cadc.export.pictures:Pictures.how`)."""


@dataclass(frozen=True, kw_only=True)
class StageFile:
    """One stage as a file of its own."""

    stage: int
    """From 1."""
    file: str
    """Its file, or the first of `files`."""
    first: int
    """Row of the curriculum, from 0, that the stage begins with."""
    last: int
    """The row after its last."""
    files: tuple[str, ...] = ()
    """Its files in order, where it is more than one."""


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
    recipe: "Recipe"
    """How the study itself retrains."""
    data: tuple[str, ...]
    """The files that hold all rows in training order, in this order."""
    mixed: bool = False
    """Whether all rows are one mixed stage: trainers then shuffle them anew in every pass (decision 0040)."""
    how: str = "copy"
    """What became of the pictures (`How`)."""
    pictures: int = 0
    """Distinct pictures; 0: rows of words alone."""
    several: int = 0
    """Rows with more than one picture."""
    marked: int = 0
    """Rows with an answer that is not to be learnt from."""
    odd: int = 0
    """Pictures that Pillow alone would show otherwise than the study saw them (`Shown.odd`)."""
    anew: bool = True
    """Whether these are written anew as the study saw them."""
    loads: str = ""
    """See `cadc.export.format:Format.loads`."""
    types: tuple[str, ...] = ()
    """Types of the columns as lines of YAML; () where the files tell them."""

    @property
    def input_shape(self) -> str:
        """`llava`, `messages-tags`, `messages-blocks`, `question-answer`, or what else the pool file holds."""
        return self.input_format.split(" ")[0]


Row = Json | str
"""A row as JSON values, or as a line of JSON."""
