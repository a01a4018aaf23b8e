"""Where a picture lies: inside its root only; one that is not there is looked for once more before its row is set
aside, and the reason says what is there instead.

Names that mean the same file in another writing (back slashes, percent signs, another Unicode form) are used, with a
warning. Anything that could be another file (other letter case, other ending, another folder) is only named.
"""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import unquote

from cadc.data.limits import MAX_BYTES, USUAL, PictureLimits
from cadc.data.parquet import EMBEDDED
from cadc.data.reasons import SetAside, printable

ENTRIES = 400_000
"""So many names of files are remembered at most (about 80 MB) to say what lies where a picture is missed."""
FOLDERS = 64
"""Of so many folders directly below the image root it is known whether they would do as the root."""
LINK_TEXT = "a link that was copied as a text with its path: copy the folder anew, with its links"
"""What to say of a file of which `is_link_text` holds."""
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".pgm", ".heic", ".svg"}
_WINDOWS = re.compile(r"/?[A-Za-z]:[\\/]|\\\\")
_LINK_TEXT = re.compile(rb"(?:\.{0,2}/[^\x00-\x1f]*|[^\x00-\x20/]+(?:/[^\x00-\x20/]+)+)\s?")
_ABSENT = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True)
class Place:
    """A picture that was found."""

    path: Path
    """Its real path."""
    used: str
    """The name under which it lies below the root: the one that was asked for, or another writing of it."""
    warnings: tuple[str, ...] = ()
    """How that differs from what was asked for."""


def resolve(root: Path, name: str, limits: PictureLimits = USUAL) -> Path:
    """The real path of a picture under the real path `root`. Raises SetAside when it is missing, no file, empty, too
    large, or outside the root; links may lead out of it only where the limits say so, `..` never."""
    try:
        real = os.path.realpath(os.path.join(root, name), strict=True)
        info = os.stat(real)
    except PermissionError:
        raise SetAside(f"picture cannot be opened: {printable(name)}, permission denied") from None
    except UnicodeEncodeError:
        raise SetAside(f"picture name cannot be a file's: {printable(name)}, it has an unpaired surrogate") from None
    except (OSError, ValueError):
        if "\0" in name:
            raise SetAside(f"picture name cannot be a file's: {printable(name)}, it has a NUL character") from None
        _require_inside(root, name, os.path.realpath(os.path.join(root, name)), limits)
        raise SetAside(f"picture not found: {printable(name)}") from None
    _require_inside(root, name, real, limits)
    if not stat.S_ISREG(info.st_mode):
        raise SetAside(f"picture is not a file: {printable(name)}")
    if info.st_size == 0:
        raise SetAside(f"picture file is empty: {printable(name)}")
    if info.st_size > MAX_BYTES:
        raise SetAside(f"picture file is too large: {printable(name)}, {info.st_size >> 20} MiB, at most 64")
    return Path(real)


def _require_inside(root: Path, name: str, real: str, limits: PictureLimits) -> None:
    """Raises SetAside for a picture that is really elsewhere, whether or not there is one: nothing is told about
    files outside the root."""
    base = str(root).rstrip(os.sep) + os.sep
    if real.startswith(base):
        return
    inside = os.path.normpath(os.path.join(root, name)).startswith(base)
    if ".." in name.split(os.sep) or not inside:  # behind a link, `..` is not the folder that the name shows
        raise SetAside(f"picture outside the image root: {printable(name)}")
    if not limits.follow_links:
        raise SetAside(f"picture is a link out of the image root: {printable(name)}. The setting follow_links "
                       "(`--follow-links`) allows links below the image root")


def relative(root: Path, name: str) -> str:
    """The picture's path as `Sample.images` has it: relative to the root, never mistaken for an embedded picture."""
    if os.path.isabs(name):
        for base in (os.path.abspath(root), os.path.realpath(root)):
            if os.path.normpath(name).startswith(base.rstrip(os.sep) + os.sep):
                return os.path.relpath(os.path.normpath(name), base)
        raise SetAside(f"picture outside the image root: {printable(name)}{_windows(name)}")
    return f"./{name}" if name.startswith(EMBEDDED) else name


def _windows(name: str) -> str:
    """What to say of a path that holds on a Windows machine only, '' of others."""
    return ". It is an absolute Windows path: write it relative to the image root" if _WINDOWS.match(name) else ""


def _writings(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Other ways to write a name (Unicode aside), each with the warnings it is used with."""
    if name.strip() not in ("", name):
        yield name.strip(), (f"picture path written with white space at its ends: {printable(name)}",)
    slashed = "picture path written with back slashes"
    if "\\" in name:
        yield name.replace("\\", "/"), (f"{slashed}: {printable(name)}",)
    if "%" in name:
        try:
            plain = unquote(name, errors="strict")
        except UnicodeDecodeError:
            return
        if plain != name and "\0" not in plain:
            coded = f"picture path written with percent signs: {printable(name)}"
            yield plain, (coded,)
            if "\\" in plain:
                yield plain.replace("\\", "/"), (coded, f"{slashed}: {printable(name)}")


def is_link_text(content: bytes) -> bool:
    """Whether a file holds nothing but a path: so a link ends that git or an archive wrote where there are no links."""
    return len(content) < 1024 and _LINK_TEXT.fullmatch(content) is not None


class _Folder:
    """Names in one folder, by their beginning without regard to letter case."""

    def __init__(self, names: list[str]) -> None:
        self._names: dict[str, list[str]] = {}
        for name in names:
            self._names.setdefault(_beginning(name), []).append(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names.get(_beginning(name), ())

    def like(self, name: str, last: bool) -> str | None:
        """The name itself, else one that differs in letter case or, of a file (`last`), in its ending."""
        known = self._names.get(_beginning(name), ())
        if name in known:
            return name
        folded = _folded(name)
        others = (one for one in known if _folded(one) == folded)
        ended = (one for one in known if last and os.path.splitext(one)[1].lower() in _ENDINGS)
        return next(others, None) or next(ended, None)


def _folded(name: str) -> str:
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _beginning(name: str) -> str:
    """What pictures that differ in letter case and ending have in common; the whole of any other name."""
    start, ending = os.path.splitext(name)
    return _folded(start if ending.lower() in _ENDINGS else name)


class Places:
    """Looks for the pictures of one image root; folders are listed once, however many rows miss a picture there."""

    def __init__(self, root: Path, limits: PictureLimits = USUAL) -> None:
        self.given, self.root, self.limits = root, Path(os.path.realpath(root)), limits
        self._above = Path(os.path.abspath(root))
        self._listed: dict[str, _Folder | None] = {}
        self._outside: dict[str, bool] = {}
        """Folders that were missed in, and whether they lie outside."""
        self._texts: dict[str, str] = {}
        self._left = ENTRIES
        self._below: tuple[str, ...] | None = None
        self._lock = Lock()

    def find(self, name: str) -> Place:
        """A picture under this or another writing of its name. Raises SetAside, with what is there instead."""
        try:
            return self.exact(name)
        except _ABSENT:
            raise SetAside(f"picture not found: {printable(name)}{self._instead(name)}") from None

    def exact(self, name: str) -> Place:
        """The same without a look around. Raises FileNotFoundError where there is none inside the root, SetAside where
        there is one of no use."""
        try:
            os.lstat(os.path.join(self.root, name))
        except _ABSENT:
            pass
        except (OSError, ValueError):
            return Place(resolve(self.root, name, self.limits), name)  # says what is wrong with the name
        else:
            return Place(resolve(self.root, name, self.limits), name)
        for other, warnings in ((name, ()), *_writings(name)):
            if other != name and (os.path.isabs(other) or os.path.normpath(other).startswith("..")):
                raise SetAside(f"picture outside the image root: {printable(name)}{_windows(name)}")
            if self._barred(os.path.dirname(other)):
                return Place(resolve(self.root, other, self.limits), other)  # says why
            form = None if other == name and name.isascii() else self._form(other)
            if form is not None:
                if form != other:
                    warnings = (*warnings, f"picture name in another Unicode form: {printable(name)}")
                return Place(resolve(self.root, form, self.limits), form, warnings)
        raise FileNotFoundError(name)

    def _barred(self, folder: str) -> bool:
        """Whether a folder, there or not, lies outside the root, by a way that is not allowed."""
        if folder not in self._outside:
            try:
                real = os.path.realpath(os.path.join(self.root, folder))
                _require_inside(self.root, folder, os.path.join(real, ""), self.limits)
                found = False
            except SetAside:
                found = True
            if len(self._outside) >= ENTRIES:
                return found
            self._outside[folder] = found
        return self._outside[folder]

    def _form(self, name: str) -> str | None:
        """The name as it is on the disk, where that may have another Unicode form; None where there is none."""
        if name.isascii():
            return name if _there(self.root, name) else None
        parts: list[str] = []
        for part in name.split("/"):
            forms = dict.fromkeys((part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part)))
            found = next((form for form in forms if _there(self.root, "/".join((*parts, form)))), None)
            if found is None:
                return None
            parts.append(found)
        return "/".join(parts)

    # ---- what is there instead ---------------------------------------------------------------------------------------
    def _instead(self, name: str) -> str:
        """What a person may do about a picture that is not there; '' where nothing is known."""
        if _WINDOWS.match(name):
            return _windows(name)
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            return ""
        with self._lock:  # one thread lists, the other one reads what it found
            near = self._near(parts)
            if near:
                return f"; there is {printable(near)}. Letters and ending must agree: rename the one or the other"
            root, text = self._other_root(parts), self._link_text("/".join(parts[:-1]))
        if text:
            return f". {printable(text)} should be a folder and is {LINK_TEXT}"
        return f". The image root {printable(root)} would find it" if root else ""

    def _near(self, parts: list[str]) -> str:
        """A path that differs in letter case or in its ending; '' where there is none."""
        found: list[str] = []
        for at, part in enumerate(parts):
            folder = self._folder("/".join(found))
            like = None if folder is None else folder.like(part, at == len(parts) - 1)
            if like is None:
                return ""
            found.append(like)
        return "/".join(found) if self._useful("/".join(found)) else ""

    def _link_text(self, folder: str) -> str:
        """The first part of a folder's path that is a link written out as text; '' where none is."""
        if folder in self._texts:
            return self._texts[folder]
        found, parts = "", folder.split("/") if folder else []
        for at in range(1, len(parts) + 1):
            part = "/".join(parts[:at])
            if not _there(self.root, part):
                break
            try:
                with resolve(self.root, part, self.limits).open("rb") as handle:
                    found = part if is_link_text(handle.read(1024)) else ""
                break
            except (SetAside, OSError):  # a folder, or nothing that may be looked into
                continue
        if len(self._texts) < ENTRIES:
            self._texts[folder] = found
        return found

    def _other_root(self, parts: list[str]) -> str:
        """An image root that would find the picture: a folder above whose name the path repeats, or one below."""
        for above in range(1, min(4, len(parts))):
            if tuple(parts[:above]) == self._above.parts[-above:] and self._useful("/".join(parts[above:])):
                return str(self._above.parents[above - 1])
        if self._below is None:
            self._below = tuple(self._folders_below())
        for name in self._below:
            folder = self._folder(name)
            if folder is not None and parts[0] in folder and self._useful("/".join((name, *parts))):
                return str(Path(self.given) / name)
        return ""

    def _useful(self, name: str) -> bool:
        try:
            resolve(self.root, name, self.limits)
        except SetAside:
            return False
        return True

    def _folders_below(self) -> Iterator[str]:
        """The first folders directly below the root, by name."""
        try:
            with os.scandir(self.root) as entries:
                yield from sorted(entry.name for entry in entries if entry.is_dir())[:FOLDERS]
        except OSError:
            return

    def _folder(self, name: str) -> _Folder | None:
        """A folder below the root, listed once; None where it cannot be, is outside, or enough names are remembered."""
        if name not in self._listed:
            if len(self._listed) >= ENTRIES:
                return None
            self._listed[name] = self._list(name)
        return self._listed[name]

    def _list(self, name: str) -> _Folder | None:
        if self._left <= 0 or self._barred(name):
            return None
        names: list[str] = []
        try:
            with os.scandir(os.path.join(self.root, name)) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if len(names) > self._left:
                        self._left = 0
                        return None
        except OSError:
            return None
        self._left -= len(names)
        return _Folder(sorted(names))


def _there(root: Path, name: str) -> bool:
    """Whether there is anything of this name; a link counts, wherever it leads."""
    try:
        os.lstat(os.path.join(root, name))
    except (OSError, ValueError):
        return False
    return True
