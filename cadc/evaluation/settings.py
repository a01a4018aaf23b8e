"""What a retrain-and-compare run is asked to do (METHOD §6). Frozen: the request file is these values as JSON."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cadc.errors import DataError

DEFAULT_ARMS = ("base", "cadc", "cadc-mixed", "random", "full")
"""`arms_apart` of them is what a comparison starts with."""
EQUAL = ("steps", "epochs")
PRODUCTS = ("float32", "bfloat16")
"""What `EvaluationSettings.products` takes."""


def arms_apart(arms: Sequence[str], staging: str) -> tuple[str, ...]:
    """Arms that are trained apart: of a mixed curriculum `cadc` is `cadc-mixed`, run for run (decision 0040)."""
    twice = staging == "mix" and "cadc" in arms
    return tuple(arm for arm in arms if not (twice and arm == "cadc-mixed"))


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """The same for every arm of a run: only the rows, and for a sequenced arm their order, differ."""

    arms: tuple[str, ...] = DEFAULT_ARMS
    """Names out of `cadc.evaluation.ARMS`."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each seed draws its own adapter initialisation, random selection and shuffling; all arms share the seeds."""
    steps: int = 150
    """Optimiser steps of every trained arm."""
    epochs: float = 0.0
    """When above 0: passes over the curriculum, instead of `steps`."""
    equal: str = "steps"
    """What all trained arms have in common. `steps`: "5 % of the data for the same steps". `epochs`: every arm passes
    `epochs` times over its own rows: "5 % of the data for 5 % of the steps"."""
    budgets: tuple[float, ...] = ()
    """Shares of the scored pool (or rows, above 1) at which every arm is compared: the points of a budget curve. ():
    the curriculum's own budget."""
    batch: int = 32
    """Samples per optimiser step."""
    learning_rate: float = 3e-3
    """AdamW rate, constant after the rise, so that order and rate are not confounded (METHOD §5)."""
    rise: int = 10
    """Steps of the short linear rise at the start."""
    samples_per_unit: int = 32
    """At most this many target samples of a unit are scored."""
    max_new_tokens: int = 12
    """Length limit of a generated answer."""
    products: str = "float32"
    """Operands of matrix products on a CPU while training and scoring: `float32`, or `bfloat16` where the processor is
    faster with them (`cadc.models.precision.products`). Nothing changes on a GPU."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", tuple(self.arms))
        object.__setattr__(self, "seeds", tuple(int(seed) for seed in self.seeds))
        object.__setattr__(self, "budgets", tuple(float(budget) for budget in self.budgets))
        checks = {
            "arms": len(self.arms) > 0 and len(set(self.arms)) == len(self.arms),
            "seeds": len(self.seeds) > 0 and len(set(self.seeds)) == len(self.seeds),
            "epochs": 0 <= self.epochs < float("inf"),
            "learning_rate": 0 < self.learning_rate < 1,
            "rise": self.rise >= 0,
            "products": self.products in PRODUCTS,
            "equal": self.equal in EQUAL and (self.equal == "steps" or self.epochs > 0),
            "budgets": len(set(self.budgets)) == len(self.budgets) and all(0 < b < 1e9 for b in self.budgets),
        }
        checks |= {name: getattr(self, name) >= 1 for name in ("steps", "batch", "samples_per_unit", "max_new_tokens")}
        for name, ok in checks.items():
            if not ok:
                raise DataError(f"evaluation setting {name}={getattr(self, name)!r} is not allowed. "
                                "See docs/evaluation.md for what it means.")

    def steps_for(self, rows: int, curriculum_rows: int) -> int:
        """Optimiser steps of an arm with so many rows, given the number of rows in the curriculum."""
        if self.epochs == 0:
            return self.steps
        return max(1, round(self.epochs * (rows if self.equal == "epochs" else curriculum_rows) / self.batch))

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self) | {"arms": list(self.arms), "seeds": list(self.seeds),
                                           "budgets": list(self.budgets)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "EvaluationSettings":
        """Read them back. Raises DataError for a key that this version does not know."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := set(values) - known:
            raise DataError(f"evaluation settings have unknown keys: {', '.join(sorted(unknown))}. "
                            f"Known: {', '.join(sorted(known))}")
        return cls(**values)
