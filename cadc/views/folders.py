"""Folders that may be looked into from a page, below the allowed roots, and what lies in them.

A page lists names of this machine for whoever opens it, so it lists them below the roots only: `$CADC_ROOTS` (separated
as `$PATH` is), else the folder that the app was started in and the home folder. Links are followed to where they lead;
what leads out of every root is not shown. A path that is typed is not held to the roots: it must be known already.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cadc.errors import DataError
from cadc.study.inputs import DATA, PACKED
from cadc.views.words import counted

VARIABLE = "CADC_ROOTS"
LISTED = 500
"""Names of a folder that are listed; a pool does not lie among more."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What lies in a folder."""

    path: Path
    """Its real path."""
    above: tuple[Path, ...]
    """The folders from its root down to it, itself the last."""
    folders: tuple[str, ...]
    """Names of the folders in it, hidden ones left aside."""
    files: tuple[str, ...]
    """Names of the files in it that could be data."""
    others: int
    """Files that are no data, links out of the roots, and names beyond `LISTED`."""

    @property
    def note(self) -> str:
        """What lies in it, in words."""
        said = f"{counted(len(self.folders), 'folder')}, {counted(len(self.files), 'data file')}"
        return f"{said}; {self.others:,} more are not listed" if self.others else said


def roots() -> tuple[Path, ...]:
    """Real paths of the allowed roots that are there, each once."""
    given = os.environ.get(VARIABLE, "")
    named = [Path(one).expanduser() for one in given.split(os.pathsep) if one] if given else [Path.cwd(), Path.home()]
    return tuple(dict.fromkeys(_real(one) for one in named if one.is_dir()))


def _real(path: str | Path) -> Path:
    """Where a path leads; unlike `Path.resolve` it does not raise for links that go round."""
    return Path(os.path.realpath(path))


def inside(path: Path) -> Path | None:
    """The innermost root that a real path lies in; None outside them all."""
    found = [root for root in roots() if path == root or root in path.parents]
    return max(found, key=lambda root: len(root.parts), default=None)


def look(path: str | Path) -> Folder:
    """What lies in a folder. Raises DataError where it is none, cannot be read, or lies outside every root."""
    real = _real(Path(path).expanduser())
    root = inside(real)
    if root is None:  # whether there is such a folder is not told
        raise DataError(f"{path} does not lie below a folder that may be looked into. Type the path, or name its root "
                        f"in ${VARIABLE} and start the app again.")
    try:
        with os.scandir(real) as found:
            entries = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        raise DataError(f"{path} cannot be looked into ({error.strerror}). Choose another folder.") from None
    kinds = [(_shown(one), one.name) for one in entries]
    folders, files = ([name for kind, name in kinds if kind == wanted][:LISTED] for wanted in ("folder", "file"))
    up = [real, *real.parents]
    return Folder(path=real, above=tuple(up[:up.index(root) + 1][::-1]), folders=tuple(folders), files=tuple(files),
                  others=len(entries) - len(folders) - len(files))


def _shown(entry: os.DirEntry[str]) -> str:
    """`folder`, `file`, or '' of what is not listed."""
    try:
        entry.name.encode()
        if entry.is_symlink() and inside(_real(entry.path)) is None:
            return ""
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() and _data(entry.name) else ""
    except (OSError, UnicodeEncodeError):
        return ""


def _data(name: str) -> bool:
    """Whether a file could be a pool or a target, by its name."""
    for ending in PACKED:
        name = name.removesuffix(ending)
    return name.lower().endswith(DATA)
