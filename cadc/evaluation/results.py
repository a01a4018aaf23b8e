"""What a comparison found: one row per arm, seed and unit, and the tables that a page shows (METHOD §6).

Accuracy is a share 0…1, loss is mean answer cross-entropy in nats per token, seconds are wall time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.evaluation.settings import EvaluationSettings

COLUMNS = ("arm", "seed", "unit", "accuracy", "loss", "n", "rows", "samples_seen", "steps", "seconds", "budget")


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """One request and as much of it as is finished."""

    id: str
    """12 hex digits of the request."""
    created: str
    settings: EvaluationSettings
    table: pd.DataFrame
    """Columns `COLUMNS`, tidy: one row per budget, arm, seed and unit. `at_budget` before comparing."""
    held_out: str
    """`held out`, `means only` or `same samples`: how scored samples relate to the gradients (docs/evaluation.md)."""
    done: int
    """Finished (arm, seed) runs."""
    total: int
    """Runs asked for."""
    notes: tuple[str, ...] = ()
    """What a reader must know, e.g. how many pool rows repeat a target sample."""

    @property
    def complete(self) -> bool:
        """Whether every run is there."""
        return self.done == self.total


def at_budget(table: pd.DataFrame, budget: float | None = None) -> pd.DataFrame:
    """The rows of one budget (None: the smallest that is there)."""
    if table.empty:
        return table
    return table[table["budget"] == (table["budget"].min() if budget is None else budget)]


_SUMMARY = ["arm", "capability", "accuracy", "accuracy_sd", "loss", "loss_sd", "units", "seeds"]


def cells(table: pd.DataFrame, arm: str, value: str, seeds: list[int], units: list[str]) -> np.ndarray:
    """float [R, M] of one arm; an arm with a single run (base) keeps R = 1. nan where a unit was not scored."""
    own = table[table["arm"] == arm]
    grid = own.pivot(index="seed", columns="unit", values=value).reindex(columns=units)
    return grid.to_numpy(float) if len(grid) == 1 else grid.reindex(index=seeds).to_numpy(float)


def shared_seeds(table: pd.DataFrame, *arms: str) -> list[int]:
    """Seeds that all these arms have, arms with a single run left aside."""
    per_arm = [set(table.loc[table["arm"] == arm, "seed"]) for arm in arms]
    several = [seeds for seeds in per_arm if len(seeds) > 1] or per_arm
    return sorted(set.intersection(*several))


def summary(table: pd.DataFrame, group_of: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Mean and s.d. over seeds per arm and capability, and overall.

    group_of: capability name of each unit (units it leaves out count as "unassigned"); None: overall only.
    Returns columns arm, capability ("overall" first), accuracy, accuracy_sd, loss, loss_sd, units, seeds, relative
    (accuracy / full's, nan without a full arm). Inside a group the mean is over units, then over seeds.
    """
    parts = [table.assign(capability="overall")]
    if group_of is not None:
        parts.append(table.assign(capability=[group_of.get(unit, "unassigned") for unit in table["unit"]]))
    rows: list[dict[str, object]] = []
    for part in parts:
        for (capability, arm), own in part.groupby(["capability", "arm"], sort=False):
            runs = own.groupby("seed")[["accuracy", "loss"]].mean()
            spread = runs.std(ddof=1)
            rows.append({"arm": arm, "capability": capability,
                         "accuracy": runs["accuracy"].mean(), "accuracy_sd": spread["accuracy"],
                         "loss": runs["loss"].mean(), "loss_sd": spread["loss"],
                         "units": own["unit"].nunique(), "seeds": len(runs)})
    found = pd.DataFrame(rows, columns=_SUMMARY)
    full = found[found["arm"] == "full"].set_index("capability")["accuracy"]
    base = found["capability"].map(full).replace(0.0, np.nan)
    return found.assign(relative=found["accuracy"] / base)


@dataclass(frozen=True, kw_only=True)
class GapClosed:
    """(ours − random) / (oracle − random): 0 is no better than chance, 1 as good as knowing the truth."""

    mean: float
    """Ratio of the mean differences; nan where the oracle is no better than random."""
    sd: float
    """Standard deviation over seeds of the ratio; nan with one seed."""
    seeds: int
    oracle: str = "oracle"
    """The oracle it is counted against."""


ORACLES = ("oracle", "oracle-rounds")
"""Arms that know the truth; the better one of them bounds what a selection can reach."""


def gap_closed(table: pd.DataFrame, ours: str, value: str = "accuracy") -> GapClosed | None:
    """How much of the way from random to the better oracle an arm goes; None where random or all oracles are missing,
    or have no seed in common with it."""
    oracles = [arm for arm in ORACLES if arm in set(table["arm"])]
    if not {ours, "random"} <= set(table["arm"]) or not oracles:
        return None
    seeds = shared_seeds(table, ours, "random", *oracles)
    if not seeds:
        return None
    means = table[table["seed"].isin(seeds)].groupby(["seed", "arm"])[value].mean().unstack()
    if ours not in means:  # a single run of another seed: the same for all
        means[ours] = table.loc[table["arm"] == ours, value].mean()
    sign = 1 if value == "accuracy" else -1
    best = max(oracles, key=lambda arm: sign * means[arm].mean())
    gap, room = means[ours] - means["random"], means[best] - means["random"]
    each = gap / room.where(room != 0)
    whole = room.mean()
    better = whole > 0 if value == "accuracy" else whole < 0
    return GapClosed(mean=float(gap.mean() / whole) if better else float("nan"),
                     sd=float(each.std(ddof=1)) if len(each) > 1 else float("nan"), seeds=len(each),
                     oracle=best)
