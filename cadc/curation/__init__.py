"""Budgets, selection and sequence: from pools to an ordered curriculum (CADC §5, METHOD §5)."""

from cadc.curation.budgets import allocate
from cadc.curation.curriculum import Curriculum, curate
from cadc.curation.preset import CapabilityRows, Preset
from cadc.curation.presets import PRESETS
from cadc.curation.settings import INSIDE, RULES, STAGINGS, CurationSettings, read_budget

__all__ = [
    "INSIDE",
    "PRESETS",
    "RULES",
    "STAGINGS",
    "CapabilityRows",
    "CurationSettings",
    "Curriculum",
    "Preset",
    "allocate",
    "curate",
    "read_budget",
]
