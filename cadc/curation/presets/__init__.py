"""The table of presets: a new one is one file beside this one and one line here."""

from cadc.curation.preset import Preset
from cadc.curation.presets import paper, studio
from cadc.study import StudyConfig
from cadc.study.registry import Registry

PRESETS: Registry[Preset] = Registry("preset", (
    studio.PRESET,
    paper.PRESET,
))
"""Every known preset."""


def with_known_preset(config: StudyConfig) -> StudyConfig:
    """The same config. Raises DataError where its preset is none of the table."""
    return config if PRESETS[config.preset] else config
