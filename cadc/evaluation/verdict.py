"""What a comparison means, in words that do not claim more than its numbers carry."""

import pandas as pd

from cadc.evaluation.results import cells, shared_seeds, summary
from cadc.evaluation.statistics import Difference, holm, paired

SURE = 0.05
"""Differences with a (Holm-corrected) p below this are called distinguishable."""
_NAMES = {"base": "the untrained base", "curated": "the curriculum", "curated-mixed": "the curriculum, shuffled",
          "random": "random rows", "full": "the full pool"}


def compare(table: pd.DataFrame, ours: str, theirs: str, value: str = "accuracy") -> Difference:
    """ours − theirs in `value`, paired over the units and seeds that both have (see `paired`)."""
    seeds = shared_seeds(table, ours, theirs)
    units = sorted(set(table.loc[table["arm"] == ours, "unit"]) & set(table.loc[table["arm"] == theirs, "unit"]))
    return paired(cells(table, ours, value, seeds, units), cells(table, theirs, value, seeds, units))


def verdict(table: pd.DataFrame) -> str:
    """A few plain sentences about the table of a result (its finished runs).

    First every arm's accuracy, then the curriculum (else the best arm) against each of the others: the difference, its
    95 % interval, and whether it can be told from chance after Holm's correction.
    """
    if table.empty:
        return "No run is finished yet."
    overall = summary(table).sort_values("accuracy", ascending=False)
    subject = "curated" if "curated" in set(overall["arm"]) else str(overall["arm"].iloc[0])
    sentences = ["Accuracy on the target: " + "; ".join(_accuracy(row) for row in overall.to_dict("records")) + "."]
    others = [str(arm) for arm in overall["arm"] if arm != subject]
    if not others:
        return sentences[0] + " There is nothing to compare it with."
    found = {arm: compare(table, subject, arm) for arm in others}
    sure = dict(zip(others, holm([found[arm].p for arm in others]), strict=True))
    sentences += [_against(subject, arm, found[arm], sure[arm]) for arm in others]
    losses = {arm: compare(table, subject, arm, "loss") for arm in others if sure[arm] >= SURE}
    if losses:
        corrected = holm([d.p for d in losses.values()])
        sentences += [f"Its answer loss is {'lower' if d.mean < 0 else 'higher'} than that of {_name(arm)} "
                      f"({d.mean:+.3f}, 95 % interval {d.low:+.3f} to {d.high:+.3f})."
                      for (arm, d), p in zip(losses.items(), corrected, strict=True) if p < SURE]
    one = next(iter(found.values()))
    sentences.append(f"Paired over {one.units} unit{'s' * (one.units != 1)} and {max(d.seeds for d in found.values())} "
                     f"seed{'s' * (max(d.seeds for d in found.values()) != 1)}.")
    return " ".join(sentences)


def _name(arm: str) -> str:
    return _NAMES.get(arm, arm)


def _accuracy(row: dict) -> str:
    """`curated 54.9 ± 1.2 % (109 % of full)`."""
    spread = f" ± {100 * row['accuracy_sd']:.1f}" if row["seeds"] > 1 else ""
    known = row["arm"] != "full" and row["relative"] == row["relative"]
    share = f" ({100 * row['relative']:.0f} % of full)" if known else ""
    return f"{row['arm']} {100 * row['accuracy']:.1f}{spread} %{share}"


def _against(subject: str, arm: str, found: Difference, p: float) -> str:
    """One comparison as a sentence."""
    us = _name(subject).capitalize()
    if found.error != found.error:
        return f"{us} and {_name(arm)} are not distinguishable: one unit and one seed give no measure of chance."
    span = f"{100 * found.mean:+.1f} points, 95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    if p >= SURE:
        return f"{us} and {_name(arm)} are not distinguishable ({span})."
    return f"{us} {'beats' if found.mean > 0 else 'loses to'} {_name(arm)} ({span})."
