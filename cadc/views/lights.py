"""Capabilities page, on top: three questions that a map must answer, each as a light with its number.

Where the lines lie and why: docs/decisions/0038-lights-of-a-map.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from cadc.discovery import Stability
from cadc.views.measured import TransferView

GOOD, FAIR, POOR, OPEN = "good", "fair", "poor", "open"
"""Levels of a light; OPEN: nobody has asked, or it cannot be known."""
STABLE = (0.8, 0.65)
"""Mean adjusted Rand index of samples drawn again from which on a map is stable, or partly so."""
EXPLAINED = (0.4, 0.65)
"""Agreement with a plainer grouping from which on it explains a part of the map, or the map."""
HELPS, CHANCE = 0.7, 0.05
"""Chance that a pair inside a capability transfers more than one between two, from which on transfer agrees; largest p.
"""


@dataclass(frozen=True, kw_only=True)
class Light:
    """One question about the map, and its answer so far."""

    question: str
    level: str
    """GOOD, FAIR, POOR or OPEN."""
    word: str
    """The answer in a word or two: colour alone never carries it."""
    sentence: str
    """With the number."""
    anchor: str
    """Where on the page the evidence stands."""


def stability_light(found: Stability | None) -> Light:
    """found: None where nobody has asked yet."""
    if found is None:
        return Light(question="Stable?", level=OPEN, word="not asked", anchor="stability",
                     sentence="Would other target samples give the same groups?")
    level = _level(found.mean_ari, *STABLE)
    return Light(question="Stable?", level=level, anchor="stability",
                 word={GOOD: "stable", FAIR: "partly", POOR: "not stable"}[level],
                 sentence=f"Samples drawn again: adjusted Rand index {_signed(found.mean_ari)}, "
                          f"K {min(found.ks)} … {max(found.ks)}.")


def rival_light(agreement: Mapping[str, float], *, asked: bool) -> Light:
    """agreement: adjusted Rand index of the map with each rival that is known; asked: whether all are."""
    about = {"question": "Explained otherwise?", "anchor": "rivals"}
    if not agreement:
        return Light(level=OPEN, word="not asked", sentence="Answer format, words or pictures?", **about)
    name = max(agreement, key=lambda rival: agreement[rival])
    most = agreement[name]
    level = {GOOD: POOR, FAIR: FAIR, POOR: GOOD}[_level(most, EXPLAINED[1], EXPLAINED[0])]
    if not asked and level == GOOD:  # what is not known yet may still explain it
        return Light(level=OPEN, word="not asked", sentence=f"By {name}: {_signed(most)} of 1. By words or pictures?",
                     **about)
    closest = f"{name[0].upper()}{name[1:]} come closest" if name.endswith("s") else f"The {name} comes closest"
    return Light(level=level, sentence=f"{closest}: agreement {_signed(most)} of 1.",
                 word={GOOD: "no", FAIR: "in part", POOR: f"yes, by {name.split()[-1]}"}[level], **about)


def transfer_light(found: TransferView) -> Light:
    """Whether units of one capability help each other more than others."""
    about = {"question": "Agrees with transfer?", "anchor": "transfer"}
    if not found.ready:
        return Light(level=OPEN, word="not measured", sentence="Does training on one unit help the others of its "
                     "capability?", **about)
    if not found.drawable:
        return Light(level=OPEN, word="drawn from it", sentence="A map drawn from measured transfer cannot be "
                     "confirmed by it.", **about)
    if isnan(found.area):
        return Light(level=OPEN, word="cannot say", sentence="No pair lies inside a capability, or none between two.",
                     **about)
    level = POOR if found.p > CHANCE else GOOD if found.area >= HELPS else FAIR
    return Light(level=level, word={GOOD: "agrees", FAIR: "weakly", POOR: "no"}[level], sentence="A pair inside "
                 f"transfers more with chance {found.area:.2f}, p {found.p:.3f}.", **about)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _level(value: float, good: float, fair: float) -> str:
    return GOOD if value >= good else FAIR if value >= fair else POOR


def lights(stable: Stability | None, agreement: Mapping[str, float], transfer: TransferView, *, asked: bool
           ) -> Sequence[Light]:
    """All three, in order."""
    return stability_light(stable), rival_light(agreement, asked=asked), transfer_light(transfer)
