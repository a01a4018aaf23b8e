"""How much `python -m benchmarks.evidence` runs: arms, budgets, seeds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import inf

UNFILTERED = ("studio-unfiltered", "quick-unfiltered", "whitened-unfiltered", "gradients-unfiltered",
              "embedding-unfiltered", "words-unfiltered")
SIGNALS = ("quick", "whitened", "gradients", "embedding", "words")
ORACLES = ("oracle", "oracle-rounds")
CLAIM = ("random", "random-filtered", *ORACLES, "cadc-mixed", "cadc", "cadc-kept", *SIGNALS, *UNFILTERED)
"""Arms that carry a claim: many paired seeds. `cadc-mixed` is `studio`; `cadc` is its export, which is mixed, so the
same runs; `cadc-kept` is one order in every pass."""
BESIDE = ("base", "full", "rounds", "design", "cadc-soft", "cadc-staged", "paper-mixed", "less", "embedding-whitened",
          "answers")
"""Arms that stand beside them, with fewer seeds."""
AT_SECOND = ("base", "full", "random", "random-filtered", *ORACLES, "cadc", "cadc-mixed", *SIGNALS, "rounds", "design",
             *UNFILTERED, "cadc-kept", "cadc-soft", "cadc-staged", "paper", "paper-mixed", "less",
             "random-no-duplicates")
"""Arms that are run at the second budget too. Those that carry a claim come first: the time may be up before the
end."""
ARMS = (*AT_SECOND, "icons", "coincide", "bids", "self-influence", "loss", "middle-loss", "length")
CURVE = ("random", "cadc-mixed", "paper-mixed")
CONFIRM = ("base", "full", "random", "random-no-duplicates", "random-filtered", *ORACLES, "cadc", "cadc-mixed",
           "paper-mixed", "less", *SIGNALS)
"""Arms that tell whether a result holds elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run."""

    seeds: tuple[int, ...] = (10, 11, 12)
    """`studio` was developed on seeds 0 to 2: these played no part in choosing it."""
    arms: tuple[str, ...] = ARMS
    second_arms: tuple[str, ...] = AT_SECOND
    beside: tuple[str, ...] = ()
    """More arms, at all budgets, with `beside_seeds`: run after the others."""
    beside_seeds: tuple[int, ...] = ()
    steps: int = 150
    budgets: tuple[float, ...] = (0.05, 0.2)
    curve: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    curve_seeds: tuple[int, ...] = (10,)
    epochs: float = 2.0
    """Passes over its own rows of every arm, for the claim "5 % of the data for 5 % of the steps"."""
    lds_rows: int = 300
    lds_retrainings: int = 40
    lds_steps: int = 40
    products: str = "bfloat16"
    """`EvaluationSettings.products`."""
    minutes: float = inf
    """After so many no retraining begins, and the tables are of the finished ones."""

    @property
    def named(self) -> tuple[str, ...]:
        """Every arm in it, once."""
        return tuple(dict.fromkeys((*self.arms, *self.second_arms, *self.beside)))


FULL = Plan(minutes=54)
"""Everything, within an hour: the longest run (the full pool in two passes) and the tables take the rest of it."""
QUICK = Plan(seeds=(10,), steps=100, budgets=(0.05,), curve=(0.02, 0.05, 0.2), curve_seeds=(10,), epochs=2.0,
             lds_rows=300, lds_retrainings=20, lds_steps=40, minutes=13)
SHORT = Plan(seeds=(20, 21, 22), arms=CONFIRM, second_arms=CONFIRM, curve=(), epochs=0.0, lds_retrainings=0)
"""For another pool: the main arms at both budgets, nothing else."""
CLAIMS = Plan(seeds=tuple(range(30, 40)), arms=CLAIM, second_arms=CLAIM, beside=BESIDE, beside_seeds=(30, 31, 32),
              curve=(), epochs=0.0, lds_retrainings=0)
"""For the claims: ten paired seeds at both budgets, other arms with three of them; seeds that chose nothing."""

FAITHFUL = Plan(seeds=(30,), arms=("base",), second_arms=(), budgets=(0.05,), curve=(), epochs=0.0, lds_retrainings=100)
"""The linear datamodelling score alone, over more half-pools: forty told random numbers from nothing by −.10."""


def just(plan: Plan, arms: Sequence[str]) -> Plan:
    """The same seeds, steps and budgets for these arms, nothing beside them, and as long as it takes."""
    return replace(plan, arms=tuple(arms), second_arms=tuple(arms), beside=(), curve=(), epochs=0.0, lds_retrainings=0,
                   minutes=inf)


def only(asked: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Arms of a plan that a study can have, in the order asked."""
    return tuple(arm for arm in asked if arm in known)
