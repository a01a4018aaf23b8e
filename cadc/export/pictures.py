"""What becomes of the pictures of an export: copied, linked, named by absolute paths, or put into parquet files."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from PIL import Image

from cadc.data import PictureLimits, Sample, open_images, picture_path
from cadc.data.decoding import opened
from cadc.data.indices import FileIndex
from cadc.data.limits import USUAL
from cadc.data.parquet import EMBEDDED
from cadc.data.reasons import SetAside
from cadc.errors import DataError
from cadc.export.outline import How
from cadc.export.shapes import Json
from cadc.study import file_digest, replacing

_ORIENTATION = 0x0112
_USUAL = ("1", "L", "P", "RGB")
"""Modes that every reader turns into the same RGB, where no colour is marked as transparent."""

WAYS: dict[How, str] = {
    "copy": "copied beside the rows",
    "link": "hard links: no second copy, same disk only",
    "absolute": "left where they are; for this machine only",
    "parquet": "inside parquet files with the rows",
}
"""What may become of pictures, for a person. Hard links, not symbolic ones: the folder names no place of this machine
and can be moved, mounted and packed like a copy; a picture that is *changed in place* changes in both."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Where the pictures of the pool lie."""

    root: Path
    """Image root: `Sample.images` are relative to it."""
    embedded: Path | None = None
    """Folder of pictures that were embedded in the input."""
    how: How | None = None
    """What becomes of them; None: what the format does best."""
    limits: PictureLimits = USUAL
    """What pictures may be."""
    known: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each picture as the study read it, where that is known."""

    def origin(self, name: str) -> Path:
        """Where one lies. Raises DataError for one that is gone."""
        return picture_path(name, self.root, self.embedded, self.limits)


class Shown:
    """The paths that one export writes."""

    def __init__(self, pictures: Pictures, folder: Path, samples: Iterable[Sample], how: How, beside: str = "images"
                 ) -> None:
        """beside: see `Format.beside`."""
        self.pictures, self.folder, self.how, self.beside = pictures, Path(os.path.abspath(folder)), how, beside
        names = dict.fromkeys(name for sample in samples for name in sample.images)
        self._read: dict[str, str] = {}
        for name in names:
            self._require_unchanged(name)
        self.odd = frozenset(name for name in names if _odd(pictures.origin(name), pictures.limits))
        """Pictures that a trainer would see otherwise than the study did: turned by EXIF data, partly transparent, of
        16 bits, for print, moving. Trainers get what the study saw, upright RGB as PNG."""
        self.names = {name: self._path(name) for name in names}
        self._digests: dict[str, str] = {}

    def _path(self, name: str) -> str:
        """Relative to the folder; absolute where asked: the copy of an embedded or an odd picture then lies in the
        folder."""
        short = name.removeprefix(EMBEDDED) if name.startswith(EMBEDDED) and self.beside else os.path.normpath(name)
        made = ".png" if self._rewritten(name) else ""
        if self.how != "absolute":
            return f"{self.beside}/{short}{made}" if self.beside else name
        root = self.folder / self.beside if self._inside(name) else Path(os.path.abspath(self.pictures.root))
        return str(root / f"{short}{made}")

    def _inside(self, name: str) -> bool:
        """Whether a picture's file comes into the folder."""
        return self.how != "absolute" or name.startswith(EMBEDDED) or self._rewritten(name)

    def of(self, sample: Sample) -> Sequence[str]:
        """The path to write for each picture of a sample."""
        return [self.names.get(name, name) for name in sample.images]  # rows that name none are told none

    def place(self) -> str:
        """A sentence about where the pictures lie."""
        if not self.names:
            return "No row has a picture."
        where = f"in `{self.beside}/`" if self.beside else "beside the rows, under their names in the pool"
        return {"copy": f"Pictures lie {where}; paths are relative to this folder.",
                "link": f"Pictures lie {where} as hard links of the pool's; paths are relative to this folder.",
                "absolute": "Picture paths are absolute: they fit the machine that wrote them, and this folder at the "
                            "place where it was written.",
                "parquet": "Pictures are inside the parquet files."}[self.how]

    def require_elsewhere(self) -> None:
        """Raises DataError where a picture lies in the folder that is written to: an export replaces an earlier one,
        and would take its own source away."""
        inside = os.path.realpath(self.folder) + os.sep
        for name in self.names:
            if str(self.pictures.origin(name)).startswith(inside):
                raise DataError(f"the picture {name} lies in {self.folder}, where the export would go. Choose another "
                                "folder.")

    def travel(self) -> list[Json]:
        """Bring into the folder what travels; name, bytes and SHA-256 of each such file. Raises DataError for a picture
        that is gone, or that cannot be linked."""
        if self.how == "parquet":
            return []
        goals = {path: name for name, path in self.names.items()
                 if self._inside(name)}
        if self.how == "copy":
            _require_room(self.folder, sum(self.pictures.origin(name).stat().st_size for name in goals.values()))
        return [self._bring(name, self.folder / path) for path, name in goals.items()]

    def _bring(self, name: str, goal: Path) -> Json:
        if goal.exists():
            if file_digest(goal) != self.digest(name):
                raise DataError(f"{goal} is there already and not of an export. Choose another folder.")
        elif self._rewritten(name):
            with replacing(goal) as handle:
                handle.write(self.content(name))
        else:
            _place(self.pictures.origin(name), goal, link=self.how == "link")
        return {"file": Path(os.path.normpath(goal)).relative_to(self.folder).as_posix(), "bytes": goal.stat().st_size,
                "sha256": self.digest(name)}

    def content(self, name: str) -> bytes:
        """A picture's bytes as they travel. Raises DataError for one that is gone."""
        return self._plain(name) if self._rewritten(name) else self.pictures.origin(name).read_bytes()

    def _rewritten(self, name: str) -> bool:
        """Whether trainers get another file than the pool's, whatever becomes of others. (`input` keeps its own.)"""
        return name in self.odd and bool(self.beside)

    def _plain(self, name: str) -> bytes:
        """The picture as the study saw it, as PNG: no pixel changes."""
        sample = Sample(index=FileIndex(0), id=name, images=(name,), turns=())
        out = BytesIO()
        open_images(sample, self.pictures.root, self.pictures.embedded, self.pictures.limits)[0].save(out, "PNG")
        return out.getvalue()

    def digest(self, name: str) -> str:
        """SHA-256 of a picture as it travels. Raises DataError for one that is gone."""
        if name not in self._digests:
            self._digests[name] = (hashlib.sha256(self.content(name)).hexdigest() if self._rewritten(name)
                                   else self._of_file(name))
        return self._digests[name]

    def _of_file(self, name: str) -> str:
        """SHA-256 of a picture's own file."""
        if name not in self._read:
            self._read[name] = file_digest(self.pictures.origin(name))
        return self._read[name]

    def _require_unchanged(self, name: str) -> None:
        """Raises DataError where a picture is not the one that the study read: scores and order are of that one."""
        if (wanted := self.pictures.known.get(name)) and self._of_file(name) != wanted:
            raise DataError(f"the picture {name} has changed since the study read it ({self.pictures.origin(name)}): "
                            "its scores are of another one. Put it back, or run the study again.")


def _odd(path: Path, limits: PictureLimits) -> bool:
    """Whether readers that trainers use show a picture otherwise than the study saw it. Looks at its head.

    They do not turn it, put transparent parts on black, clip grey of 16 bits, change colours for print where they keep
    them in a file of their own in between (`datasets`), and some take a moving picture for a video.
    """
    try:
        with path.open("rb") as handle, opened(handle, path.name, limits) as image:
            moving = image.format != "MPO" and bool(getattr(image, "is_animated", False))
            odd = moving or image.mode not in _USUAL or "transparency" in image.info
            return odd or (_may_be_turned(image, path) and image.getexif().get(_ORIENTATION, 1) not in (0, 1))
    except (OSError, ValueError, SyntaxError, SetAside):
        return False  # what cannot be opened is named when it is decoded


def _may_be_turned(image: Image.Image, path: Path) -> bool:
    """False for a PNG without EXIF data: Pillow decodes the whole of it to look for some behind the pixels."""
    told = any(str(key).startswith(("exif", "xmp", "XML", "Raw profile")) for key in image.info)
    return image.format != "PNG" or told or b"eXIf" in path.read_bytes()


def _place(origin: Path, goal: Path, *, link: bool) -> None:
    """A copy or a hard link, whole or not at all; not flushed one by one, as the manifest that comes last has every
    digest. Raises DataError for a link across file systems."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    temporary = goal.with_name(f".{goal.name[:80]}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        if link:
            os.link(origin, temporary)
        else:
            shutil.copyfile(origin, temporary)
        os.replace(temporary, goal)
    except OSError as error:
        if not link or error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        raise DataError(f"{origin} cannot be linked into {goal.parent} ({error.strerror}). Use --pictures copy."
                        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _require_room(folder: Path, needed: int) -> None:
    """Raises DataError where a copy would not fit."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(f"the pictures take {needed >> 20:,} MiB and {folder} has {free >> 20:,} MiB left. Choose "
                        "another folder, or --pictures link.")
