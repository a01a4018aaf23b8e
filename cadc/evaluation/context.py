"""What an arm may look at and what it answers: the one interface of all arms.

N scored pool rows; positions are 0 … N-1 into `SelectionContext.index`, as in `Scores`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cadc.errors import DataError

if TYPE_CHECKING:
    from cadc.curation.curriculum import Curriculum
    from cadc.evaluation.material import Material


@dataclass(frozen=True, kw_only=True)
class SelectionContext:
    """What an arm may look at."""

    index: np.ndarray
    """int64 [N]: position of each scored row in the pool file."""
    allowed: np.ndarray
    """bool [N]: False for rows that repeat a target sample; no arm may take them."""
    curriculum: np.ndarray
    """int64 [n]: positions of the curriculum, in its order (replayed rows appear again)."""
    stages: np.ndarray
    """int64 [n]: stage of each of them."""
    seed: int
    """Seed of this run: an arm that draws at random draws anew for each."""
    asked: float = 0.0
    """Budget of the curriculum as it was asked for: a share, or rows above 1."""
    material: "Material | None" = None
    """Scores, texts, embeddings, ground truth: computed when first asked for."""

    @property
    def budget(self) -> int:
        """Different rows in the curriculum that are allowed: what every arm of the same size gets."""
        return int(np.unique(self.curriculum[self.allowed[self.curriculum]]).shape[0])

    @property
    def known(self) -> "Material":
        """The material. Raises DataError when none was handed in."""
        if self.material is None:
            raise DataError("this arm needs the scores of a study, and the context has none. Use request_evaluation.")
        return self.material

    def best(self, score: np.ndarray) -> np.ndarray:
        """Positions of the `budget` allowed rows with the highest score [N], best first; ties to the earlier row."""
        order = np.argsort(-np.where(self.allowed, np.asarray(score, np.float64), -np.inf), kind="stable")
        return order[:min(self.budget, int(self.allowed.sum()))]


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """Rows of one arm and seed."""

    positions: np.ndarray
    """int64 [n]: in training order, unless they are shuffled."""
    stages: np.ndarray | None = None
    """int64 [n]: train stage by stage, a stage's rows again until its steps are spent; None: whole passes."""
    shuffled: bool = True
    """Without stages: shuffle anew at each pass (True) or keep the order in every pass (False)."""

    @classmethod
    def of(cls, curriculum: "Curriculum", *, staged: bool = False) -> "TrainingRows":
        """The rows of a curriculum: stage by stage, or shuffled, so that what is chosen counts and not the order."""
        rows = curriculum.rows
        return cls(positions=rows["position"].to_numpy(np.int64),
                   stages=rows["stage"].to_numpy(np.int64) if staged else None)


def with_gradients(material: "Material") -> str:
    """`Arm.available` of arms that need gradients."""
    if material.scores.has_gradients:
        return ""
    return ("it needs gradients, and this study has none; "
            f"`python -m cadc run {material.study.name} --until near` adds them")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A named way to choose rows."""

    name: str
    about: str
    """One line for the page and the report."""
    select: Callable[[SelectionContext], TrainingRows]
    seeded: bool = False
    """Whether the choice itself depends on the seed."""
    called: str = ""
    """How a sentence about results calls it; '': by its name."""
    needs: str = ""
    """Job whose result it reads beside the scores, run before it chooses where it is missing; '' for none."""
    available: Callable[["Material"], str] = lambda material: ""
    """Why this arm cannot be run on a study; '' when it can."""


def needs_gradients(arm: Arm) -> bool:
    """Whether an arm cannot be run on a study without gradients."""
    return arm.available is with_gradients or arm.needs == "scores"
