"""Bytes → an upright RGB picture, within limits. What is examined and what is trained on go through the same steps."""

import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Condition
from typing import IO

import numpy as np
from PIL import Image, ImageOps, features

from cadc.data.limits import USUAL, PictureLimits
from cadc.data.places import LINK_TEXT, is_link_text
from cadc.data.reasons import SetAside, printable

AVIF = bool(features.check("avif"))
"""Whether the Pillow that is installed reads AVIF (built in since 11.3)."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", *(("AVIF",) if AVIF else ()))
"""Decoders that may be used; others (EPS runs a program) are not."""
AT_ONCE = 128_000_000
"""Pixels that are decoded at once, by all threads together: 4 to 12 bytes each. A larger picture waits to be alone."""
STRIP = 4_000_000
"""Pixels that are converted at once: a conversion needs up to 20 bytes for each."""

# Pillow warns of large pictures (ours is an error, below) and of odd metadata (which costs nothing here). Not per call:
# filters are global, and pictures are opened in threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RuntimeError,
          ArithmeticError, MemoryError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning)
"""Whatever Pillow raises on broken data."""
_BITS, _WHITE_IS_ZERO = 258, 262
"""TIFF tags: bits of each sample; photometric interpretation."""
_ORIENTATION = 0x0112
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_OTHER = ((b"%PDF-", "PDF"), (b"8BPS", "PSD"), (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
          (b"\xff\x4f\xff\x51", "JPEG 2000"), (b"\x00\x00\x00\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"))


class _Gate:
    """Lets threads in while they hold no more than `total` together; whoever needs more than that goes alone."""

    def __init__(self, total: int) -> None:
        self._total, self._held, self._free = total, 0, Condition()

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: self._held == 0 or self._held + amount <= self._total)
            self._held += amount
        try:
            yield
        finally:
            with self._free:
                self._held -= amount
                self._free.notify_all()


GATE = _Gate(AT_ONCE)
"""Held, by the number of its pixels, while a picture is decoded. Never asked twice by one thread: it could wait for
itself."""


def opened(data: bytes | IO[bytes], name: str, limits: PictureLimits = USUAL) -> Image.Image:
    """Open a picture without decoding it. Raises SetAside when it is none, or too large."""
    if (ceiling := Image.MAX_IMAGE_PIXELS) is not None and limits.max_pixels > ceiling:
        Image.MAX_IMAGE_PIXELS = limits.max_pixels  # Pillow's own bound is wider for those only who ask for it
    handle = BytesIO(data) if isinstance(data, bytes) else data
    try:
        image = Image.open(handle, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found = re.search(r"\((\d+) pixels\)", str(error))  # the size itself is not told
        raise _too_large(name, int(found[1]) if found else 0, "", limits) from None
    except BROKEN as error:
        if "MAX_TEXT" in str(error):
            raise SetAside(f"picture is broken: {printable(name)}, it carries more text than Pillow reads. Save it "
                           "without its metadata") from None
        handle.seek(0)
        raise SetAside(_no_picture(handle.read(1024), name)) from None
    if image.width * image.height > limits.max_pixels:
        raise _too_large(name, image.width * image.height, f"{image.width} × {image.height}", limits)
    return image


def _too_large(name: str, pixels: int, size: str, limits: PictureLimits) -> SetAside:
    number = f"{pixels:,} pixels".replace(",", " ") if pixels else ""
    found = ", ".join(part for part in (printable(name), size, number) if part)
    most = f"{limits.max_pixels:,}".replace(",", " ")
    return SetAside(f"picture has too many pixels: {found}, at most {most} (setting max_pixels)")


def _no_picture(start: bytes, name: str) -> str:
    """Why a file that begins so is not read."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    brand = start[8:12] if start[4:8] == b"ftyp" else b""
    kind = "HEIC" if brand in _HEIC else "AVIF" if brand in (b"avif", b"avis") and not AVIF else next(
        (word for magic, word in _OTHER if start.startswith(magic)), "")
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in text):
        kind = "SVG"
    if kind == "AVIF":
        return f"picture format is not read: AVIF, {printable(name)}. The Pillow that is installed lacks it: install " \
               "11.3 or later"
    if kind:
        return f"picture format is not read: {kind}, {printable(name)}. Convert it to JPEG or PNG"
    if text.startswith((b"<!doctype html", b"<html")):
        return f"not a picture: {printable(name)}, it is an HTML page"
    if text.startswith(b"version https://git-lfs"):
        return f"not a picture: {printable(name)}, it is a pointer of Git LFS (`git lfs pull` brings the file)"
    if is_link_text(start):
        return f"not a picture: {printable(name)}, it is {LINK_TEXT}"
    return f"not a picture: {printable(name)}"


def decoded(image: Image.Image, name: str) -> tuple[Image.Image, str]:
    """The first frame, decoded to upright RGB, and a warning or ''. Raises SetAside when the data is truncated or
    broken. The caller holds the `GATE`."""
    try:
        image.load()
        grey, warning = _grey(image, name) if image.mode.startswith("I") or image.mode == "F" else (None, "")
        return _rgb(_upright(image), grey), warning
    except BROKEN as error:
        what = "truncated" if "truncated" in str(error) or "Truncated" in str(error) else "broken"
        raise SetAside(f"picture is {what}: {printable(name)}") from None


def is_animated(data: bytes) -> bool:
    """Whether a picture has more frames than the one that is used. Frames that are broken cost nothing."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except BROKEN:
        return False


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF data says; a picture whose EXIF data is broken stays as it is."""
    try:
        return image if image.getexif().get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(image)
    except BROKEN:
        return image


# ---- conversion ------------------------------------------------------------------------------------------------------
Convert = Callable[[Image.Image], Image.Image]


def _rgb(image: Image.Image, grey: Convert | None) -> Image.Image:
    """RGB, transparent pixels on white (as Idefics3's own processor has it); `grey`: deep grey → RGB."""
    if grey is not None:
        return _in_strips(image, grey)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _in_strips(image, _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_strips(image: Image.Image, convert: Convert) -> Image.Image:
    """A conversion pixel by pixel, a few rows at a time where the whole would need much memory."""
    rows = max(1, STRIP // image.width)
    if rows >= image.height:
        return convert(image)
    out = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        out.paste(convert(image.crop((0, top, image.width, min(top + rows, image.height)))), (0, top))
    return out


def _on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _grey(image: Image.Image, name: str) -> tuple[Convert, str]:
    """How grey of more than 8 bits becomes RGB, and a warning or ''.

    One scale for all pictures of a depth: white is 65 535 in 16 bits, 4095 in 12 (TIFF), 32 767 in signed 16, so a dark
    frame stays dark. Pictures of 32 bits have no fixed white: it is the first of 255, 65 535 and 4 294 967 295 (floats:
    of 1, 255 and 65 535, else their brightest value) that holds their brightest finite value. That guess is a warning.
    """
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    bits, warning = tags.get(_BITS, (0,))[0], ""
    if image.mode.startswith("I;16"):
        white = 4095.0 if bits == 12 else 65535.0
    elif image.mode == "I" and bits != 32:
        white = 32767.0 if bits == 16 else 65535.0  # signed TIFF; PNG and PPM are scaled to 16 bits
    else:
        brightest = max((_brightest(strip) for strip in _strips(image)), default=0.0)
        whites = (255.0, 65535.0, 4294967295.0) if image.mode == "I" else (1.0, 255.0, 65535.0, brightest)
        white = next(one for one in whites if one >= brightest)
        warning = f"picture of 32 bits has no fixed white: {printable(name)}, {white:.10g} is taken for white"
    invert = tags.get(_WHITE_IS_ZERO) == 0  # Pillow heeds it up to 8 bits only

    def convert(part: Image.Image) -> Image.Image:
        level = np.clip(np.nan_to_num(np.asarray(part, dtype=np.float64) / white, posinf=1.0, neginf=0.0), 0, 1)
        return Image.fromarray(((1 - level if invert else level) * 255).astype(np.uint8)).convert("RGB")

    return convert, warning


def _strips(image: Image.Image) -> Iterator[np.ndarray]:
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))


def _brightest(values: np.ndarray) -> float:
    return float(np.max(values, where=np.isfinite(values), initial=0))
