"""Pictures: each examined once, however many rows share it, hashed on the way, and opened as training sees them."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from cadc.data.decoding import BROKEN, GATE, decoded, is_animated, opened
from cadc.data.limits import MAX_BYTES, USUAL, PictureLimits
from cadc.data.parquet import EMBEDDED
from cadc.data.places import Places, resolve
from cadc.data.rawrow import Embedded
from cadc.data.reasons import SetAside, printable
from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.study import replacing

GREY, COLOUR = 32, 8
"""Perceptual hashes keep a GREY × GREY grey and a COLOUR × COLOUR RGB miniature."""
THREADS = 2
NARROW, SMALL = 200, 4
"""Proportions above which, and pixels of a side below which, processors of common models refuse a picture."""

_SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP",
             ".tif": "TIFF", ".tiff": "TIFF", ".avif": "AVIF"}


@dataclass(frozen=True)
class PerceptualHash:
    """What tells one picture from another, re-encoded copies aside."""

    digest: bytes
    """First 16 bytes of the content's SHA-256."""
    aspect: float
    """Width / height."""
    grey: bytes
    """Miniature, GREY × GREY bytes."""
    colour: bytes
    """RGB miniature, COLOUR × COLOUR × 3 bytes."""


@dataclass(frozen=True)
class Fact:
    """What was found out about one picture of the input."""

    problem: str = ""
    warnings: tuple[str, ...] = ()
    hash: PerceptualHash | None = None
    bytes: int = -1
    """Size of its file; −1 where none was read."""
    mtime_ns: int = -1
    """When its file was last written, seen before it was read; −1 where there is none."""
    sha256: str = ""
    """Digest of its content, '' where it was not read."""
    used: str = ""
    """The name under which it lies; '' where it lies under the one that was asked for, or nowhere."""
    width: int = 0
    """Pixels, upright; 0 where it was not decoded."""
    height: int = 0


@dataclass(frozen=True)
class Looked:
    """What is known of the pictures of one row."""

    names: tuple[str, ...]
    """As in `Sample.images`: the names under which they lie."""
    problem: str
    """Why the row cannot be used, '' where it can."""
    warnings: tuple[str, ...]


def read_picture(path: Path, name: str) -> tuple[bytes, Fact]:
    """Content of a picture that was found at `path`, and size and time of its file. Raises SetAside."""
    try:
        with path.open("rb") as handle:
            info = os.fstat(handle.fileno())
            return handle.read(), Fact(bytes=info.st_size, mtime_ns=info.st_mtime_ns)
    except OSError as error:
        raise SetAside(f"picture cannot be opened: {printable(name)}, {error.strerror}") from None


def examine(data: bytes, name: str, limits: PictureLimits = USUAL) -> Fact:
    """Decode a picture once (JPEG at reduced size, which still reads all of its data) and hash it. There is a problem
    exactly when `open_images` would refuse it."""
    content = hashlib.sha256(data)
    return replace(_examined(data, name, limits, content.digest()[:16]), sha256=content.hexdigest())


def _examined(data: bytes, name: str, limits: PictureLimits, digest: bytes) -> Fact:
    warnings = []
    try:
        image = opened(data, name, limits)
        width, height, form = image.width, image.height, image.format or ""
        suffix = os.path.splitext(name)[1].lower()
        if _SUFFIXES.get(suffix, form) != form and form != "MPO":
            warnings.append(f"extension does not match the content: {printable(name)} is {form}")
        with GATE.hold(width * height):
            image.draft("RGB", (4 * GREY, 4 * GREY))
            upright, warning = decoded(image, name)
            small = upright.resize((GREY, GREY), Image.Resampling.BOX)
    except SetAside as reason:
        return Fact(problem=str(reason))
    except BROKEN:
        return Fact(problem=f"picture is broken: {printable(name)}")
    if max(width, height) > NARROW * min(width, height):
        warnings.append(f"very narrow picture: {printable(name)}, {width} × {height}; some processors refuse more than "
                        f"{NARROW} to 1")
    if min(width, height) < SMALL:
        warnings.append(f"very small picture: {printable(name)}, {width} × {height}; some processors cannot tell its "
                        "sides from its colours")
    if is_animated(data):
        warnings.append(f"animated picture, the first frame is used: {printable(name)}")
    if (upright.width > upright.height) != (width > height):
        width, height = height, width
    return Fact(warnings=(*warnings, *filter(None, [warning])), width=width, height=height, hash=PerceptualHash(
        digest=digest, aspect=width / height, grey=small.convert("L").tobytes(),
        colour=small.resize((COLOUR, COLOUR), Image.Resampling.BOX).tobytes()))


class PictureBox:
    """Looks at every picture of an input once, however many rows share it."""

    def __init__(self, root: Path, embedded_to: Path | None = None, limits: PictureLimits = USUAL) -> None:
        self.given, self.limits, self.embedded_to = root, limits, embedded_to
        self.facts: dict[str, Fact] = {}
        """By the name that was asked for."""
        self._places = Places(root, limits)
        if embedded_to is not None:
            embedded_to.mkdir(parents=True, exist_ok=True)

    def examine(self, pictures: Iterable[str | Embedded]) -> None:
        """Make sure that `facts` knows all of these (paths by name, embedded ones by their given name)."""
        new = {}
        for picture in pictures:
            name = _name(picture)
            if name not in self.facts:
                new[name] = picture
        if not new:
            return
        with ThreadPoolExecutor(THREADS) as pool:
            self.facts.update(zip(new, pool.map(self._examine, new.values()), strict=True))

    def looked(self, pictures: Sequence[str | Embedded]) -> Looked:
        """What is known of the pictures of a row, all of which were examined."""
        asked = [_name(picture) for picture in pictures]
        facts = [self.facts[name] for name in asked]
        return Looked(tuple(fact.used or name for name, fact in zip(asked, facts, strict=True)),
                      next((fact.problem for fact in facts if fact.problem), ""),
                      tuple(dict.fromkeys(warning for fact in facts for warning in fact.warnings)))

    @property
    def found(self) -> dict[str, Fact]:
        """Facts by the names under which pictures lie (of one that lies nowhere, the name that was asked for)."""
        return {fact.used or name: fact for name, fact in self.facts.items()}

    def _examine(self, picture: str | Embedded) -> Fact:
        if isinstance(picture, Embedded):
            return self._examine_embedded(picture)
        try:
            place = self._places.find(picture)
            data, file = read_picture(place.path, place.used)
        except SetAside as reason:
            return Fact(problem=str(reason))
        fact = replace(examine(data, place.used, self.limits), bytes=file.bytes, mtime_ns=file.mtime_ns)
        if place.used != picture:
            fact = replace(fact, used=place.used, warnings=(*place.warnings, *fact.warnings))
        return fact

    def _examine_embedded(self, picture: Embedded) -> Fact:
        short = picture.name.removeprefix(EMBEDDED)
        if len(picture.data) > MAX_BYTES:
            return Fact(problem=f"picture file is too large: {short}, {len(picture.data) >> 20} MiB, at most 64")
        if not picture.data:
            return Fact(problem="picture file is empty: embedded")
        fact = replace(examine(picture.data, short, self.limits), bytes=len(picture.data))
        if fact.problem or self.embedded_to is None:
            return fact
        target = self.embedded_to / short
        if not target.exists() or target.read_bytes() != picture.data:  # a damaged copy is made anew
            with replacing(target) as handle:
                handle.write(picture.data)
        return replace(fact, mtime_ns=target.stat().st_mtime_ns)


def _name(picture: str | Embedded) -> str:
    return picture.name if isinstance(picture, Embedded) else picture


def picture_path(name: str, root: Path | str, embedded: Path | str | None, limits: PictureLimits = USUAL) -> Path:
    """Where a picture of a `Sample` lies. Raises DataError when it is missing, too large, or outside the root."""
    try:
        if name.startswith(EMBEDDED):
            if embedded is None:
                raise SetAside(f"picture not found: {name}, embedded pictures were not kept")
            return resolve(Path(os.path.realpath(embedded)), name.removeprefix(EMBEDDED))
        return resolve(Path(os.path.realpath(root)), name, limits)
    except SetAside as reason:
        raise DataError(f"{reason} (image root {root}). Put it back, or set the image root anew.") from None


@contextmanager
def opened_images(sample: Sample, root: Path | str, embedded: Path | str | None = None,
                  limits: PictureLimits = USUAL) -> Iterator[list[Image.Image]]:
    """`open_images` for threads: until the block is left, no other one decodes more pictures than memory has room for
    (`cadc.data.decoding.AT_ONCE`). Not to be nested."""
    with ExitStack() as stack:
        try:
            images = []
            for name in sample.images:
                handle = stack.enter_context(picture_path(name, root, embedded, limits).open("rb"))
                images.append(opened(handle, name, limits))
            stack.enter_context(GATE.hold(sum(image.width * image.height for image in images)))
            whole = [decoded(image, name)[0] for image, name in zip(images, sample.images, strict=True)]
        except (SetAside, OSError) as reason:
            raise DataError(f"row {sample.index} ({sample.id}): {reason}. Repair the file or take the row out."
                            ) from None
        yield whole


def open_images(sample: Sample, root: Path | str, embedded: Path | str | None = None,
                limits: PictureLimits = USUAL) -> list[Image.Image]:
    """The pictures of a sample, decoded: upright RGB, transparent parts on white.

    `root` is the image root, `embedded` the folder of pictures that were embedded in the input (`Study.ingest_images`).
    Raises DataError when one is missing, outside its root, broken or over the limits.
    """
    with opened_images(sample, root, embedded, limits) as images:
        return images
