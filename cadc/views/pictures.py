"""Pictures of samples as pages show them: whole, or small enough for a table cell."""

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.data import PictureLimits, Sample, open_images, picture_path
from cadc.data.indices import FileIndex
from cadc.data.limits import USUAL
from cadc.errors import DataError
from cadc.study import Study

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

SIDE = 96
"""Longest side of a miniature, in pixels."""


def opened_pictures(study: Study, role: str, row: Mapping[str, Any]) -> "list[Image]":
    """Pictures of one row (`index`, `id`, `images`). Raises DataError when one cannot be opened."""
    sample = Sample(index=FileIndex(int(row["index"])), id=str(row["id"]), images=tuple(row["images"]), turns=())
    return open_images(sample, study.image_root(role), study.ingest_images(role), PictureLimits.of(study.config))


def first_pictures(study: Study, role: str, images: Sequence[Sequence[str]]
                   ) -> list[tuple[str, Path, Path, PictureLimits]]:
    """First picture of each row as the arguments of `miniature` and `stamp`; a name of '' where a row has none."""
    root, embedded, limits = study.image_root(role), study.ingest_images(role), PictureLimits.of(study.config)
    return [(str(own[0]) if len(own) else "", root, embedded, limits) for own in images]


def stamp(name: str, root: Path, embedded: Path, limits: PictureLimits = USUAL) -> str:
    """Changes when the picture does: what is kept of it is keyed by this. '' while it is missing."""
    try:
        about = picture_path(name, root, embedded, limits).stat() if name else None
    except (DataError, OSError):
        return ""
    return f"{about.st_size} {about.st_mtime_ns}" if about else ""


def miniature(name: str, root: Path, embedded: Path, limits: PictureLimits = USUAL) -> str:
    """A picture as a small data: URL, which is what a table cell can show; '' when it cannot be opened."""
    if not name:
        return ""
    try:
        sample = Sample(index=FileIndex(-1), id=name, images=(name,), turns=())
        picture = open_images(sample, root, embedded, limits)[0]
    except DataError as error:
        log.warning("no miniature: %s", error)
        return ""
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
