"""Arms of a comparison: who chooses which pool rows. One small interface, so that a new selector is one function.

N scored pool rows; positions are 0 … N-1 into `Offer.index`, as in `Scores`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadc.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a selector may look at."""

    index: np.ndarray
    """int64 [N]: position of each scored row in the pool file."""
    allowed: np.ndarray
    """bool [N]: False for rows that repeat a target sample; no arm may take them."""
    curriculum: np.ndarray
    """int64 [n]: positions of the curriculum, in its order (replayed rows appear again)."""
    stages: np.ndarray
    """int64 [n]: stage of each of them."""
    seed: int
    """Seed of this run: a selector that draws at random draws anew for each."""

    @property
    def budget(self) -> int:
        """Different rows in the curriculum that are allowed: what every selector of the same size gets."""
        return int(np.unique(self.curriculum[self.allowed[self.curriculum]]).shape[0])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Rows of one arm and seed."""

    positions: np.ndarray
    """int64 [n]: in training order, unless they are shuffled."""
    stages: np.ndarray | None = None
    """int64 [n]: train stage by stage, a stage's rows again until its steps are spent; None: whole passes."""
    shuffled: bool = True
    """Without stages: shuffle anew at each pass (True) or keep the order in every pass (False)."""


@dataclass(frozen=True, kw_only=True)
class Selector:
    """A named way to choose rows."""

    name: str
    describe: str
    """One line for the page and the report."""
    select: Callable[[Offer], Chosen]
    seeded: bool = False
    """Whether the choice itself depends on the seed."""


def _base(offer: Offer) -> Chosen:
    return Chosen(positions=np.zeros(0, np.int64))


def _curated(offer: Offer) -> Chosen:
    keep = offer.allowed[offer.curriculum]
    return Chosen(positions=offer.curriculum[keep], stages=offer.stages[keep])


def _curated_passes(offer: Offer) -> Chosen:
    """As a trainer goes through the exported file for several epochs with a sequential sampler."""
    return Chosen(positions=offer.curriculum[offer.allowed[offer.curriculum]], shuffled=False)


def _curated_mixed(offer: Offer) -> Chosen:
    """The same rows as `curated`, as often as it has them: the control that tells selection from sequencing."""
    return Chosen(positions=offer.curriculum[offer.allowed[offer.curriculum]])


def _random(offer: Offer) -> Chosen:
    candidates = np.flatnonzero(offer.allowed)
    rng = np.random.default_rng([offer.seed, 71])
    return Chosen(positions=np.sort(rng.choice(candidates, offer.budget, replace=False)))


def _full(offer: Offer) -> Chosen:
    return Chosen(positions=np.flatnonzero(offer.allowed))


SELECTORS: dict[str, Selector] = {s.name: s for s in (
    Selector(name="base", describe="the model as it came, not trained", select=_base),
    Selector(name="curated", describe="the curriculum, stage after stage", select=_curated),
    Selector(name="curated-passes", describe="the whole curriculum in its order, again and again",
             select=_curated_passes),
    Selector(name="curated-mixed", describe="the same rows, shuffled", select=_curated_mixed),
    Selector(name="random", describe="as many rows, drawn at random for each seed", select=_random, seeded=True),
    Selector(name="full", describe="every row of the pool", select=_full),
)}
"""Every known arm. A later selector is added here and nowhere else."""


def selector(name: str) -> Selector:
    """Raises DataError for a name that nobody has defined."""
    if name not in SELECTORS:
        raise DataError(f"unknown arm {name!r}. Known: {', '.join(SELECTORS)}")
    return SELECTORS[name]
