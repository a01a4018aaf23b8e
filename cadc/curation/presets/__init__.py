"""The table of presets: a new one is one file beside this one and one line here."""

from cadc.curation.preset import Preset
from cadc.curation.presets import paper, quick, studio
from cadc.errors import DataError
from cadc.signals import SIGNALS
from cadc.study import JOBS, StudyConfig
from cadc.study.config import OF_STATES, joined_signals
from cadc.study.registry import Registry

PRESETS: Registry[Preset] = Registry("preset", (
    quick.PRESET,
    studio.PRESET,
    paper.PRESET,
))
"""Every known preset."""


def checked(config: StudyConfig) -> StudyConfig:
    """The same config. Raises DataError where its preset or a signal that it joins is none of its table, or needs a
    job that near(z, s) does not wait for; and for `quick` where nothing is left without gradients."""
    PRESETS[config.preset]
    if config.preset == "quick" and not set(OF_STATES) & set(joined_signals(config)):
        raise DataError(f"preset quick rests on hidden states of the base, and nearness={config.nearness} names none. "
                        f"Add one of {', '.join(OF_STATES)}, or choose the preset studio.")
    for name in joined_signals(config):
        needs = SIGNALS[name].needs
        if needs and needs not in JOBS["quick"].after:
            raise DataError(f"the signal {name!r} reads the job {needs!r}, which runs too late to be joined with "
                            "gradients. It can be an arm of the comparison.")
    return config
