"""Which path an exported row names for a picture, and which pictures travel with the export."""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cadc.data import PictureLimits, Sample, picture_path
from cadc.data.limits import USUAL
from cadc.data.parquet import EMBEDDED
from cadc.study import replacing

FOLDER = "images"
"""Folder beside the JSONL for pictures that travel with it."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Where the pictures of the pool lie."""

    root: Path
    """Image root: `Sample.images` are relative to it."""
    embedded: Path | None = None
    """Folder of pictures that were embedded in the input."""
    absolute: bool = False
    """Write absolute paths (Axolotl needs them; the files then fit this machine only)."""
    limits: PictureLimits = USUAL
    """What pictures may be."""


class Shown:
    """The paths of one export. As soon as one picture was embedded in the input, all travel: trainers know one root."""

    def __init__(self, pictures: Pictures, folder: Path, samples: Iterable[Sample]) -> None:
        self.pictures, self.folder = pictures, Path(os.path.abspath(folder))
        names = dict.fromkeys(name for sample in samples for name in sample.images)
        self.travel = any(name.startswith(EMBEDDED) for name in names)
        self.names = {name: self._path(name) for name in names}

    def _path(self, name: str) -> str:
        short = name.removeprefix(EMBEDDED) if name.startswith(EMBEDDED) else os.path.normpath(name)
        if self.travel:
            path = f"{FOLDER}/{short}"
            return str(self.folder / path) if self.pictures.absolute else path
        return os.path.join(os.path.abspath(self.pictures.root), short) if self.pictures.absolute else name

    def of(self, sample: Sample) -> Sequence[str]:
        """The path to write for each picture of a sample."""
        return [self.names[name] for name in sample.images]

    def place(self) -> str:
        """A sentence or two about where the pictures lie."""
        if self.pictures.absolute:
            return "Picture paths are absolute: they fit the machine that wrote them."
        if self.travel:
            return "Picture paths are relative to this folder (IMAGE_ROOT below); the pictures lie in `images/`."
        return ("Picture paths are relative to the image root of the input (IMAGE_ROOT below). "
                f"Where this was written it was `{self.pictures.root}`.")

    def copy(self) -> list[str]:
        """Copy what travels into the folder; names relative to it. Raises DataError for a picture that is gone."""
        if not self.travel:
            return []
        copied = []
        for name, path in self.names.items():
            origin = picture_path(name, self.pictures.root, self.pictures.embedded, self.pictures.limits)
            copy = self.folder / path  # an absolute path stays itself
            with origin.open("rb") as read, replacing(copy) as handle:
                shutil.copyfileobj(read, handle)
            copied.append(os.path.relpath(copy, self.folder))
        return copied
