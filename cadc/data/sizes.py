"""How large pictures are, without decoding them: what the model's processor makes of one follows from its size."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from cadc.data.decoding import BROKEN, FORMATS
from cadc.data.inventory import Inventory
from cadc.data.pictures import picture_path
from cadc.errors import DataError

Size = tuple[int, int]
"""(height, width) in pixels, upright."""
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)
"""EXIF tag, and its values that turn a picture by a quarter."""


def picture_sizes(inventory: Inventory, names: Iterable[str], root: Path, embedded: Path | None) -> dict[str, Size]:
    """Sizes of these pictures: as ingest wrote them, else (an inventory of an earlier version) from the files' headers.
    A picture whose size nobody can say is not in it."""
    known = {name: (height, width) for name, height, width
             in zip(inventory.names, inventory.heights, inventory.widths, strict=bool(inventory.heights)) if width}
    found = {}
    for name in dict.fromkeys(names):
        if size := known.get(name) or _size_in_header(name, root, embedded):
            found[name] = size
    return found


def _size_in_header(name: str, root: Path, embedded: Path | None) -> Size | None:
    try:
        with Image.open(picture_path(name, root, embedded), formats=FORMATS) as image:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            return (image.width, image.height) if turned else (image.height, image.width)
    except (DataError, *BROKEN):
        return None
