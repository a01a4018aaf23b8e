"""What an export format is. One is one file in `cadc/export/formats` and one line in its table, `FORMATS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.export.outline import How, Outline, Row, StageFile
from cadc.export.shapes import Json, Writer

if TYPE_CHECKING:
    from cadc.export.rowset import RowSet


def _none(outline: Outline) -> bool:
    return False


def _any(sample: Sample) -> str:
    return ""


def _same(sample: Sample) -> Sample:
    return sample


@dataclass(frozen=True, kw_only=True)
class Format:
    """A way to write rows that some trainers read. It gives either `shape` or `render`."""

    name: str
    about: str
    """One line for a person: what a row looks like."""
    render: Callable[[Sample, Sequence[str], str], Row] | None = None
    """(sample, path to write for each of its pictures, its row as it stood in the pool file) → row to write.

    Samples are in the normal form of `cadc.data.rows`: pictures in order, no literal `<image>` in any text.
    """
    shape: Writer | None = None
    """One of `cadc.export.shapes`: such rows also carry the sample's other columns and `cadc_stage`,
    `cadc_capability`, and our own reader restores them."""
    training: Callable[[Outline], str]
    """The section of README.md that says how to train on these rows, and what keeps their order."""
    companions: Mapping[str, Callable[[Outline], str]] = field(default_factory=dict)
    """Other files beside the rows: name → what writes the text; '' where this export needs none."""
    listed: Callable[[Outline], bool] = _none
    """Whether the rows are also written as one JSON list, for trainers that read only that."""
    pictures: tuple[How, ...] = ("copy", "link", "absolute")
    """What its trainer can do with pictures, its best first; (): the rows name none."""
    beside: str = "images"
    """Folder for pictures that travel; '': beside the rows, under the names they have in the pool."""
    refuses: Callable[[Sample], str] = _any
    """Why its trainer cannot hold a sample, '' where it can: such rows are left out, counted, and named."""
    adapt: Callable[[Sample], Sample] = _same
    """What a sample must become for its trainer (a system turn folded into the question); before `shape`."""
    typed: bool = False
    """Whether its trainer reads with `datasets` or pyarrow, which know one type a column: other columns that are not of
    one type are left. (JSON Lines never have them, since `load_dataset` reads those; a JSON list has them all.)"""
    reads: frozenset[str] = frozenset()
    """Names of columns that its trainer itself reads, beside those of the shape: the pool's of such a name are left."""
    needs: str = ""
    """What its run.sh must be told beside MODEL, as somebody would type it."""
    whole: bool = False
    """Whether its rows are those of the pool file as they stood, with every column."""
    place: str = ""
    """A sentence about where pictures lie, where `write` puts them somewhere of its own."""
    loads: str = ""
    """The file that `datasets.load_dataset` of the folder reads, where it is not the rows themselves."""
    write: "Callable[[RowSet, Path], tuple[list[Json], tuple[StageFile, ...]]] | None" = None
    """Writes the rows in a container of its own: the files written, and which of them each stage is in. None: JSON
    Lines."""

    def __post_init__(self) -> None:
        if (self.render is None) == (self.shape is None):
            raise DataError(f"export format {self.name!r} needs either `render` or `shape`. Give one of them.")

    def how(self, asked: str = "") -> How:
        """What becomes of pictures, '' for its best way. Raises DataError for what its trainer cannot read."""
        if not self.pictures:
            if asked:
                raise DataError(f"rows for {self.name} name no pictures, so --pictures {asked} says nothing. Leave it "
                                "out.")
            return "absolute"
        found = next((how for how in self.pictures if how == (asked or self.pictures[0])), None)
        if found is None:
            raise DataError(f"{self.name} cannot read pictures by `{asked}`. Choose {' or '.join(self.pictures)}.")
        return found
