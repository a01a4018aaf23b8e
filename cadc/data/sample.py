"""One instruction sample, independent of the file format it came from."""

from dataclasses import dataclass
from typing import Literal

from cadc.data.indices import FileIndex

Role = Literal["system", "user", "assistant"]
IMAGE_TAG = "<image>"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    role: Role
    parts: tuple[str | int, ...]
    """Text pieces (str), as they stand in the input, and pictures (int: a position in `Sample.images`), in reading
    order."""
    learnt: bool = True
    """Whether an assistant turn is trained on: no loss, gradient or label falls on one that is not. True for others."""

    @property
    def text(self) -> str:
        """The words alone, without picture tags, pieces joined by a space, stripped."""
        return " ".join(p.strip() for p in self.parts if isinstance(p, str) and p.strip())


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One pool or target sample (METHOD §2: z)."""

    index: FileIndex
    """Position in the input file, counted from 0 over all rows, set-aside ones included."""
    id: str
    images: tuple[str, ...] = ()
    """Picture paths relative to the image root; `ingest/images/…` for pictures embedded in the input."""
    turns: tuple[Turn, ...]
    source: str = ""
    """Where the row came from (a `source`/`dataset` column), else the folder of its picture, else ''."""
    unit: str = ""
    """Target unit (METHOD §2: s); for a pool row ''."""
    kept: str = ""
    """The row's other columns as one JSON object ('' for none): model, licence, meta …; exports write them again."""

    @property
    def question(self) -> str:
        """All user words, joined."""
        return "\n".join(t.text for t in self.turns if t.role == "user")

    @property
    def answer(self) -> str:
        """The words of the last assistant turn."""
        answers = [t.text for t in self.turns if t.role == "assistant"]
        return answers[-1] if answers else ""
