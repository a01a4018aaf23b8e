"""Every arm of a comparison by its name: a new one is one function in a file beside this one and one line here."""

from cadc.evaluation.arms import controls, curricula, gradients, rivals, rules, truth
from cadc.evaluation.arms.signals import signal_arms
from cadc.evaluation.context import Arm
from cadc.study.registry import Registry

UNTRAINED = controls.BASE.name
RENAMED = {"curated": "cadc-staged", "curated-passes": "cadc", "curated-mixed": "cadc-mixed"}
"""Names in files of earlier versions."""

ARMS: Registry[Arm] = Registry("arm", (
    controls.BASE,
    curricula.CADC,
    curricula.CADC_KEPT,
    curricula.CADC_SOFT,
    curricula.CADC_STAGED,
    curricula.CADC_MIXED,
    controls.RANDOM,
    controls.FULL,
    controls.RANDOM_NO_DUPLICATES,
    controls.RANDOM_FILTERED,
    truth.ORACLE,
    truth.ORACLE_ROUNDS,
    rules.ROUNDS,
    rules.DESIGN,
    curricula.PAPER,
    curricula.PAPER_MIXED,
    gradients.LESS,
    gradients.ICONS,
    gradients.BIDS,
    rivals.COINCIDE,
    gradients.SELF_INFLUENCE,
    rivals.LOSS,
    rivals.MIDDLE_LOSS,
    rivals.LENGTH,
), derived=signal_arms)
"""Every known arm; each signal of `SIGNALS` is one, too, and each preset."""


def called(arm: str) -> str:
    """How a sentence calls an arm; one that nobody has defined here, as its name."""
    return ARMS[arm].called if arm in ARMS and ARMS[arm].called else f"the arm {arm}"
