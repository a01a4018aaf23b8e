"""Every arm of a comparison by its name. A new selector is one function and one line here or in `selectors.py`."""

import numpy as np

from cadc.errors import DataError
from cadc.evaluation.offer import Chosen, Offer, Selector
from cadc.evaluation.selectors import CONTROLS

UNTRAINED = "base"
RENAMED = {"curated": "cadc-staged", "curated-passes": "cadc", "curated-mixed": "cadc-mixed"}
"""Names in files of earlier versions."""


def _base(offer: Offer) -> Chosen:
    return Chosen(positions=np.zeros(0, np.int64))


def _cadc(offer: Offer) -> Chosen:
    """As a trainer goes through the exported file for several epochs with a sequential sampler."""
    return Chosen(positions=offer.curriculum[offer.allowed[offer.curriculum]], shuffled=False)


def _cadc_staged(offer: Offer) -> Chosen:
    keep = offer.allowed[offer.curriculum]
    return Chosen(positions=offer.curriculum[keep], stages=offer.stages[keep])


def _cadc_mixed(offer: Offer) -> Chosen:
    """The same rows as `cadc`, as often as it has them: the control that tells selection from sequencing."""
    return Chosen(positions=offer.curriculum[offer.allowed[offer.curriculum]])


def _random(offer: Offer) -> Chosen:
    candidates = np.flatnonzero(offer.allowed)
    rng = np.random.default_rng([offer.seed, 71])
    return Chosen(positions=np.sort(rng.choice(candidates, offer.budget, replace=False)))


def _full(offer: Offer) -> Chosen:
    return Chosen(positions=np.flatnonzero(offer.allowed))


SELECTORS: dict[str, Selector] = {s.name: s for s in (
    Selector(name=UNTRAINED, describe="the model as it came, not trained", select=_base),
    Selector(name="cadc", describe="the curriculum in its order, the whole file again and again", select=_cadc),
    Selector(name="cadc-staged", describe="the curriculum, each stage to its end before the next", select=_cadc_staged),
    Selector(name="cadc-mixed", describe="the same rows, shuffled", select=_cadc_mixed),
    Selector(name="random", describe="as many rows, drawn at random for each seed", select=_random, seeded=True),
    Selector(name="full", describe="every row of the pool", select=_full),
    *CONTROLS,
)}
"""Every known arm."""


def selector(name: str) -> Selector:
    """Raises DataError for a name that nobody has defined."""
    if name not in SELECTORS:
        raise DataError(f"unknown arm {name!r}. Known: {', '.join(SELECTORS)}")
    return SELECTORS[name]
