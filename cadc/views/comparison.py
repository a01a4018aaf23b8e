"""Tables of a comparison of retrained models, for the page, the report and the command line.

Inputs are the tables of `cadc.evaluation`: the tidy one (arm, seed, unit, accuracy 0…1, loss, n, rows, samples_seen,
steps, seconds) and its `summary` (arm, capability, accuracy, accuracy_sd, seeds, relative …).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cadc.evaluation import EvaluationSettings
from cadc.evaluation.verdict import OURS


def work(settings: EvaluationSettings, units: int, pool: int = 0, budget: float = 0.05) -> dict[str, int]:
    """runs, trained, scored (samples) of a comparison, before it starts.

    pool: scored rows, budget: of the curriculum, where steps follow from rows. The base arm is scored once and never
    trained; the full pool is trained once where steps are the same at every budget. Upper bounds: a unit may have fewer
    samples than it may be scored on, a rule may find fewer rows.
    """
    seeds, batch, epochs, equal = len(settings.seeds), settings.batch, settings.epochs, settings.equal
    runs, trained = int("base" in settings.arms), 0
    for number, point in enumerate(settings.budgets or (budget,)):
        own = point * pool if point <= 1 else point
        for arm in settings.arms:
            if arm == "base" or (arm == "full" and number and (equal == "epochs" or not epochs)):
                continue
            rows = pool if arm == "full" and equal == "epochs" else own
            steps = max(1, round(epochs * rows / batch)) if epochs else settings.steps
            runs, trained = runs + seeds, trained + seeds * steps * batch
    return {"runs": runs, "trained": trained, "scored": runs * units * settings.samples_per_unit}


def pace(results: Sequence[pd.DataFrame], warmup: Sequence[float]) -> tuple[float | None, str]:
    """Samples per second here, and where the number comes from: earlier comparisons, else the warm-up, else None.

    results: tidy tables; warmup: samples per second of the warm-up's steps (the median counts).
    """
    runs = [t.groupby(["arm", "seed"]).agg(n=("n", "sum"), seen=("samples_seen", "first"), s=("seconds", "first"))
            for t in results if len(t)]
    if runs:
        done = pd.concat(runs)
        return float((done["n"] + done["seen"]).sum() / max(done["s"].sum(), 1e-9)), "measured on earlier runs here"
    if len(warmup):
        return float(np.median(warmup)), "measured in this study's warm-up"
    return None, "nothing was measured yet"


def cost(work: Mapping[str, int], rate: float | None) -> float | None:
    """Seconds that `work` takes at `rate` samples per second; None when the rate is unknown."""
    return (work["trained"] + work["scored"]) / rate if rate else None


def by_unit(table: pd.DataFrame) -> dict[str, str]:
    """unit → itself: with it `summary` gives one group per unit."""
    return {unit: unit for unit in table["unit"].unique()}


def capability_order(summary: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Groups of a summary in the order of a page: overall, the capabilities, then what belongs to none."""
    present = list(dict.fromkeys(summary["capability"]))
    known = [name for name in ["overall", *names] if name in present]
    return known + [name for name in present if name not in known]


def seed_table(table: pd.DataFrame, summary: pd.DataFrame, group_of: Mapping[str, str],
               groups: Sequence[str]) -> pd.DataFrame:
    """One line per group of `groups` and arm: accuracy in % of every seed, mean, s.d., % of full, loss, units.

    Without s.d. for one seed, without % of full where the full pool was not trained on.
    table: the tidy result; summary and group_of: as in `cadc.evaluation.summary` (mean over units inside a group).
    """
    named = table.assign(capability=[group_of.get(unit, "unassigned") for unit in table["unit"]])
    both = pd.concat([table.assign(capability="overall"), named], ignore_index=True)
    wide = both.pivot_table(index=["capability", "arm"], columns="seed", values="accuracy", sort=False) * 100
    wide.columns = [f"seed {seed}" for seed in wide.columns]
    keyed = summary.set_index(["capability", "arm"])
    found = wide.join(pd.DataFrame({"mean": 100 * keyed["accuracy"], "s.d.": 100 * keyed["accuracy_sd"],
                                    "% of full": 100 * keyed["relative"], "loss": keyed["loss"],
                                    "units": keyed["units"]}))
    order = [(group, arm) for group in groups for arm in dict.fromkeys(table["arm"]) if (group, arm) in keyed.index]
    digits = {name: 1 for name in found.columns if name != "units"} | {"loss": 3}
    shown = found.reindex(pd.MultiIndex.from_tuples(order, names=keyed.index.names)).round(digits).reset_index()
    return shown.drop(columns=[name for name in ("s.d.", "% of full") if shown[name].isna().all()])


def with_intervals(summary: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """`cadc.evaluation.summary` with `reach`: half of the interval of an arm's mean over its seeds (Student's t; units
    are taken as they are), NaN for one seed."""
    from scipy import stats

    seeds = summary["seeds"].to_numpy(float)
    reach = np.full(len(summary), np.nan)
    several = seeds > 1
    factor = stats.t.ppf(0.5 + confidence / 2, seeds[several] - 1) / np.sqrt(seeds[several])
    reach[several] = factor * summary["accuracy_sd"].to_numpy(float)[several]
    return summary.assign(reach=reach)


def references(arms: Sequence[str]) -> list[str]:
    """Arms that the others can be compared with: random rows first, where they are there, then the curriculum."""
    first = [arm for arm in ("random", *OURS) if arm in arms]
    return [*first, *(arm for arm in arms if arm not in first)]


def chance_table(against: pd.DataFrame, control: str = "random") -> pd.DataFrame:
    """arm, difference to a control and its 95 % interval in points, p after Holm, in words: most ahead first. With one
    seed there is no p: units alone are no chance.

    against: `cadc.evaluation.against`.
    """
    found = pd.DataFrame({"arm": against["arm"], f"minus {control}": (100 * against["mean"].astype(float)).round(1),
                          "from": (100 * against["low"].astype(float)).round(1),
                          "to": (100 * against["high"].astype(float)).round(1),
                          "p (Holm)": against["holm"].astype(float).round(3).where(against["seeds"] > 1)})
    found.insert(2, "reading", [
        ("better" if mean > 0 else "worse") if sure else "one seed" if seeds == 1 else "not distinguishable"
        for sure, mean, seeds in zip(against["sure"], against["mean"], against["seeds"], strict=True)])
    return found.sort_values(f"minus {control}", ascending=False, kind="stable", ignore_index=True)


def effort_table(table: pd.DataFrame) -> pd.DataFrame:
    """arm, rows, samples seen, steps, seconds of a run: what each arm was trained on.

    Numbers are means over the seeds.
    """
    runs = table.groupby(["arm", "seed"], sort=False)[["rows", "samples_seen", "steps", "seconds"]].first()
    found = runs.groupby("arm", sort=False).mean().round(1).reset_index()
    return found.rename(columns={"samples_seen": "samples seen"})


def equal_effort(effort: pd.DataFrame) -> str:
    """One sentence: whether every trained arm saw the same number of samples."""
    seen = effort.loc[effort["samples seen"] > 0, "samples seen"]
    if seen.empty:
        return "No arm was trained."
    if seen.nunique() == 1:
        return f"Every trained arm saw the same number of samples: {seen.iloc[0]:,.0f}."
    return f"The arms did not see the same number of samples: {seen.min():,.0f} to {seen.max():,.0f}."


def curve_points(table: pd.DataFrame) -> pd.DataFrame:
    """arm, budget, accuracy, sd, rows, seeds of every arm that has a budget: the points of a budget curve.

    table: the tidy result with all its budgets. `base` and `full` do not follow the budget and are left out.
    """
    own = table[~table["arm"].isin(["base", "full"])]
    runs = own.groupby(["arm", "budget", "seed"], sort=False).agg(accuracy=("accuracy", "mean"), rows=("rows", "first"))
    found = runs.reset_index().groupby(["arm", "budget"], sort=False).agg(
        accuracy=("accuracy", "mean"), sd=("accuracy", "std"), rows=("rows", "mean"), seeds=("seed", "nunique"))
    return found.reset_index().sort_values(["arm", "budget"], kind="stable")


def levels(table: pd.DataFrame) -> dict[str, float]:
    """Accuracy of `base` and `full`, the two lines that a budget curve runs between."""
    return {arm: float(own.groupby("seed")["accuracy"].mean().mean())
            for arm, own in table[table["arm"].isin(["base", "full"])].groupby("arm", sort=False)}
