"""The table of presets: a new one is one file beside this one and one line here."""

from cadc.curation.preset import Preset
from cadc.curation.presets import paper, studio
from cadc.study.registry import Registry

PRESETS: Registry[Preset] = Registry("preset", (
    studio.PRESET,
    paper.PRESET,
))
"""Every known preset."""
