"""Pictures that a trainer's reader would see otherwise than the study did, written anew as the study saw them.

Readers that open a file and convert it to RGB do not turn it as its EXIF data says, put transparent parts on black, and
clip grey of 16 bits; the study has them upright, on white, and scaled (`cadc.data.pictures`). Colours for print change
where a reader keeps them in a file of its own in between (`datasets` does), and some readers take a moving picture for
a video; the study has its first frame.
"""

from io import BytesIO
from pathlib import Path

from PIL import Image

from cadc.data import Sample, open_images
from cadc.data.indices import FileIndex

SUFFIX = ".rgb.png"
"""Behind the name of a picture that is written anew."""
_ORIENTATION = 0x0112
_OPAQUE = ("1", "L", "P", "RGB")
"""Modes that every reader converts alike, where no colour is marked as transparent."""
_MAYBE = ("LA", "PA", "La", "RGBA", "RGBa", *_OPAQUE)
"""Modes that it converts alike where no part is transparent."""


def as_seen(name: str, path: Path, root: Path, embedded: Path | None) -> bytes | None:
    """A picture as the study saw it, as PNG; None where any reader sees the same. Raises DataError for one that cannot
    be read any more.

    name: as in `Sample.images`; path: where it lies. The header tells for most without decoding.
    """
    if _surely_plain(path):
        return None
    image = open_images(Sample(index=FileIndex(0), id=name, images=(name,), turns=()), root, embedded)[0]
    with Image.open(path) as other:
        plain = other.convert("RGB") if other.mode in _MAYBE and not _moves(other) else None
    if plain is not None and plain.size == image.size and plain.tobytes() == image.tobytes():
        return None
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _moves(image: Image.Image) -> bool:
    """Whether it has more frames than the one that is used; an MPO's are other sizes of the same photograph."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _surely_plain(path: Path) -> bool:
    """Whether its header says that it is upright, opaque, still and of 8 bits."""
    try:
        with Image.open(path) as image:
            if image.mode not in _OPAQUE or "transparency" in image.info or _moves(image):
                return False
            if image.format == "PNG":  # its EXIF data may stand behind its pixels, and Pillow decodes them to look
                return not any(key.startswith(("exif", "xmp", "XML", "Raw profile")) for key in image.info
                               ) and b"eXIf" not in path.read_bytes()
            return image.getexif().get(_ORIENTATION, 1) == 1
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, Image.DecompressionBombError):
        return False
