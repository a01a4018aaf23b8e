"""How much `python -m benchmarks.evidence` runs: arms, budgets, seeds."""

from dataclasses import dataclass

ARMS = ("base", "full", "random", "random-no-duplicates", "random-filtered", "oracle", "cadc", "cadc-staged",
        "cadc-mixed", "paper", "paper-mixed", "less", "icons", "coincide", "bids", "self-influence", "loss",
        "middle-loss", "length", "gradients", "words", "embedding")
AT_SECOND = ("base", "full", "random", "random-no-duplicates", "random-filtered", "oracle", "cadc", "cadc-staged",
             "cadc-mixed", "paper", "paper-mixed", "less", "gradients", "words", "embedding")
"""Arms that are run at the second budget too."""
CURVE = ("random", "cadc-mixed", "paper-mixed")
CONFIRM = ("base", "full", "random", "random-no-duplicates", "random-filtered", "oracle", "cadc", "cadc-mixed",
           "paper-mixed", "less", "words", "embedding")
"""Arms that tell whether a result holds elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run."""

    seeds: tuple[int, ...] = (10, 11, 12)
    """`studio` was developed on seeds 0 to 2: these played no part in choosing it."""
    arms: tuple[str, ...] = ARMS
    second_arms: tuple[str, ...] = AT_SECOND
    steps: int = 150
    budgets: tuple[float, ...] = (0.05, 0.2)
    curve: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    curve_seeds: tuple[int, ...] = (10, 11)
    epochs: float = 2.0
    """Passes over its own rows of every arm, for the claim "5 % of the data for 5 % of the steps"."""
    lds_rows: int = 300
    lds_retrainings: int = 40
    lds_steps: int = 40


QUICK = Plan(seeds=(10,), steps=100, budgets=(0.05,), curve=(0.02, 0.05, 0.2), curve_seeds=(10,), epochs=2.0,
             lds_rows=300, lds_retrainings=20, lds_steps=40)
SHORT = Plan(seeds=(20, 21, 22), arms=CONFIRM, second_arms=CONFIRM, curve=(), epochs=0.0, lds_retrainings=0)
"""For another pool: the main arms at both budgets, nothing else."""
