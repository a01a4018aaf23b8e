"""What a picture may be to be opened: settings of a study, read by ingest and by everything that opens pictures."""

from dataclasses import dataclass

from cadc.study.config import StudyConfig

MAX_BYTES = 64 << 20
"""Larger files are not opened."""


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """The settings about pictures; without any, those of a study that sets none."""

    max_pixels: int = StudyConfig.max_pixels
    """Larger pictures are not decoded (decompression bombs)."""
    follow_links: bool = StudyConfig.follow_links
    """Whether links below the image root may lead out of it."""

    @classmethod
    def of(cls, config: StudyConfig) -> "PictureLimits":
        """Those of a study."""
        return cls(max_pixels=config.max_pixels, follow_links=config.follow_links)


USUAL = PictureLimits()
"""The limits of a study that sets none."""
