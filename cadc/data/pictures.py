"""Pictures: found inside the image root only, decoded once within limits, hashed on the way."""

import hashlib
import logging
import os
import stat
import struct
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cadc.data.parquet import EMBEDDED
from cadc.data.rawrow import Embedded
from cadc.data.reasons import SetAside, printable
from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.study import replacing

log = logging.getLogger(__name__)

MAX_BYTES = 64 << 20
"""Larger files are not opened."""
MAX_PIXELS = 64_000_000
"""Larger pictures are not decoded (decompression bombs)."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Decoders that may be used; others (EPS runs a program) are not."""
GREY, COLOUR = 32, 8
"""Perceptual hashes keep a GREY × GREY grey and a COLOUR × COLOUR RGB miniature."""
THREADS = 2

# Pillow warns of large pictures (ours is an error, below) and of odd metadata (which costs nothing here). Not per call:
# filters are global, and pictures are opened in threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP",
             ".tif": "TIFF", ".tiff": "TIFF"}
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RuntimeError,
           ArithmeticError, MemoryError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning)


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
    warning: str = ""
    hash: PerceptualHash | None = None
    bytes: int = -1
    """Size of its file; −1 where none was read."""
    mtime_ns: int = -1
    """When its file was last written, seen before it was read; −1 where there is none."""
    sha256: str = ""
    """Digest of its content, '' where it was not read."""
    width: int = 0
    """Pixels, upright; 0 where it was not decoded."""
    height: int = 0


def resolve(root: Path, name: str) -> Path:
    """The real path of a picture. Raises SetAside when it is missing, no file, or outside the root (links followed)."""
    try:
        real = os.path.realpath(os.path.join(root, name), strict=True)
        info = os.stat(real)
    except (OSError, ValueError):
        real = os.path.realpath(os.path.join(root, name)) if "\0" not in name else ""
        inside = real.startswith(str(root).rstrip(os.sep) + os.sep)
        raise SetAside(f"picture {'not found' if inside else 'outside the image root'}: {printable(name)}") from None
    if not real.startswith(str(root).rstrip(os.sep) + os.sep):
        raise SetAside(f"picture outside the image root: {printable(name)}")
    if not stat.S_ISREG(info.st_mode):
        raise SetAside(f"picture is not a file: {printable(name)}")
    if info.st_size == 0:
        raise SetAside(f"picture file is empty: {printable(name)}")
    if info.st_size > MAX_BYTES:
        raise SetAside(f"picture file is too large: {printable(name)}, {info.st_size >> 20} MiB, at most 64")
    return Path(real)


def relative(root: Path, name: str) -> str:
    """The picture's path as `Sample.images` has it: relative to the root, never mistaken for an embedded picture."""
    if os.path.isabs(name):
        for base in (os.path.abspath(root), os.path.realpath(root)):
            if os.path.normpath(name).startswith(base.rstrip(os.sep) + os.sep):
                return os.path.relpath(os.path.normpath(name), base)
        raise SetAside(f"picture outside the image root: {printable(name)}")
    return f"./{name}" if name.startswith(EMBEDDED) else name


def _opened(data: bytes, name: str) -> Image.Image:
    """Open a picture without decoding it. Raises SetAside when it is none, or too large."""
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise SetAside(f"picture has too many pixels: {printable(name)}") from None
    except _BROKEN:
        raise SetAside(f"not a picture: {printable(name)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise SetAside(f"picture has too many pixels: {printable(name)}, {image.width} × {image.height}")
    return image


def _decoded(image: Image.Image, name: str) -> Image.Image:
    """Decode the first frame to upright RGB. Raises SetAside when the data is truncated or broken."""
    try:
        image.load()
        return _rgb(_upright(image))
    except _BROKEN as error:
        what = "truncated" if "truncated" in str(error) or "Truncated" in str(error) else "broken"
        raise SetAside(f"picture is {what}: {printable(name)}") from None


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF data says; a picture whose EXIF data is broken stays as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN:
        log.debug("EXIF data cannot be read, picture left as it is")
        return image


def _rgb(image: Image.Image) -> Image.Image:
    """RGB, transparent pixels on white (as Idefics3's own processor has it), 16-bit grey scaled to 8."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if grey.size and grey.max() > 255 else 255.0
        image = Image.fromarray((np.clip(grey / top, 0, 1) * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def read_picture(root: Path, name: str) -> tuple[bytes, Fact]:
    """Content of a picture under the real path `root`, and size and time of its file. Raises SetAside."""
    try:
        with resolve(root, name).open("rb") as handle:
            info = os.fstat(handle.fileno())
            return handle.read(), Fact(bytes=info.st_size, mtime_ns=info.st_mtime_ns)
    except OSError as error:
        raise SetAside(f"picture cannot be opened: {printable(name)}, {error.strerror}") from None


def examine(data: bytes, name: str) -> Fact:
    """Decode a picture once (JPEG at reduced size, which still reads all of its data) and hash it."""
    content = hashlib.sha256(data)
    return replace(_examined(data, name, content.digest()[:16]), sha256=content.hexdigest())


def _examined(data: bytes, name: str, digest: bytes) -> Fact:
    try:
        image = _opened(data, name)
        width, height, form = image.width, image.height, image.format or ""
        warning = ""
        suffix = os.path.splitext(name)[1].lower()
        if _SUFFIXES.get(suffix, form) != form and form != "MPO":
            warning = f"extension does not match the content: {printable(name)} is {form}"
        if form != "MPO" and getattr(image, "is_animated", False):
            warning = f"animated picture, the first frame is used: {printable(name)}"
        image.draft("RGB", (4 * GREY, 4 * GREY))
        upright = _decoded(image, name)
    except SetAside as reason:
        return Fact(problem=str(reason))
    except _BROKEN:
        return Fact(problem=f"picture is broken: {printable(name)}")
    if (upright.width > upright.height) != (width > height):
        width, height = height, width
    small = upright.resize((GREY, GREY), Image.Resampling.BOX)
    return Fact(warning=warning, width=width, height=height, hash=PerceptualHash(
        digest=digest, aspect=width / height, grey=small.convert("L").tobytes(),
        colour=small.resize((COLOUR, COLOUR), Image.Resampling.BOX).tobytes()))


class PictureBox:
    """Looks at every picture of an input once, however many rows share it."""

    def __init__(self, root: Path, embedded_to: Path | None = None) -> None:
        self.given, self.root = root, Path(os.path.realpath(root))
        self.embedded_to = embedded_to
        self.facts: dict[str, Fact] = {}
        if embedded_to is not None:
            embedded_to.mkdir(parents=True, exist_ok=True)

    def examine(self, pictures: Iterable[str | Embedded]) -> None:
        """Make sure that `facts` knows all of these (paths by name, embedded ones by their given name)."""
        new = {}
        for picture in pictures:
            name = picture.name if isinstance(picture, Embedded) else picture
            if name not in self.facts:
                new[name] = picture
        if not new:
            return
        with ThreadPoolExecutor(THREADS) as pool:
            self.facts.update(zip(new, pool.map(self._examine, new.values()), strict=True))

    def _examine(self, picture: str | Embedded) -> Fact:
        if isinstance(picture, Embedded):
            return self._examine_embedded(picture)
        try:
            data, file = read_picture(self.root, picture)
        except SetAside as reason:
            return Fact(problem=str(reason))
        return replace(examine(data, picture), bytes=file.bytes, mtime_ns=file.mtime_ns)

    def _examine_embedded(self, picture: Embedded) -> Fact:
        short = picture.name.removeprefix(EMBEDDED)
        if len(picture.data) > MAX_BYTES:
            return Fact(problem=f"picture file is too large: {short}, {len(picture.data) >> 20} MiB, at most 64")
        if not picture.data:
            return Fact(problem="picture file is empty: embedded")
        fact = replace(examine(picture.data, short), bytes=len(picture.data))
        if fact.problem or self.embedded_to is None:
            return fact
        target = self.embedded_to / short
        if not target.exists() or target.read_bytes() != picture.data:  # a damaged copy is made anew
            with replacing(target) as handle:
                handle.write(picture.data)
        return replace(fact, mtime_ns=target.stat().st_mtime_ns)


def picture_path(name: str, root: Path | str, embedded: Path | str | None) -> Path:
    """Where a picture of a `Sample` lies. Raises DataError when it is missing, too large, or outside the root."""
    try:
        if name.startswith(EMBEDDED):
            if embedded is None:
                raise SetAside(f"picture not found: {name}, embedded pictures were not kept")
            return resolve(Path(os.path.realpath(embedded)), name.removeprefix(EMBEDDED))
        return resolve(Path(os.path.realpath(root)), name)
    except SetAside as reason:
        raise DataError(f"{reason} (image root {root}). Put it back, or set the image root anew.") from None


def open_images(sample: Sample, root: Path | str, embedded: Path | str | None = None) -> list[Image.Image]:
    """The pictures of a sample, decoded: upright RGB, transparent parts on white.

    `root` is the image root, `embedded` the folder of pictures that were embedded in the input (`Study.ingest_images`).
    Raises DataError when one is missing, outside its root, broken or over the limits.
    """
    images = []
    for name in sample.images:
        path = picture_path(name, root, embedded)
        try:
            images.append(_decoded(_opened(path.read_bytes(), name), name))
        except (SetAside, OSError) as reason:
            raise DataError(f"row {sample.index} ({sample.id}): {reason}. Repair the file or take the row out."
                            ) from None
    return images
