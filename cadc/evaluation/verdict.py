"""What a comparison means, in words that do not claim more than its numbers carry."""

import pandas as pd

from cadc.evaluation.results import cells, shared_seeds, summary
from cadc.evaluation.statistics import Difference, holm, paired

SURE = 0.05
"""Differences with a (Holm-corrected) p below this are called distinguishable."""
_SAME_ROWS = ("curated", "curated-passes", "curated-mixed")
_NAMES = {"base": "the untrained base", "curated": "the curriculum", "curated-mixed": "the shuffled curriculum",
          "curated-passes": "the curriculum in whole passes", "random": "random rows", "full": "the full pool"}


def compare(table: pd.DataFrame, ours: str, theirs: str, value: str = "accuracy") -> Difference:
    """ours − theirs in `value`, paired over the units and seeds that both have (see `paired`)."""
    seeds = shared_seeds(table, ours, theirs)
    units = sorted(set(table.loc[table["arm"] == ours, "unit"]) & set(table.loc[table["arm"] == theirs, "unit"]))
    return paired(cells(table, ours, value, seeds, units), cells(table, theirs, value, seeds, units))


def verdict(table: pd.DataFrame) -> str:
    """A few plain sentences about the table of a result (its finished runs).

    First every arm's accuracy, then the curriculum (else the best arm) against each of the others, and its rows
    shuffled (selection without order) against those too: the difference, its 95 % interval, and whether it can be told
    from chance after Holm's correction over all of them.
    """
    if table.empty:
        return "No run is finished yet."
    overall = summary(table).sort_values("accuracy", ascending=False)
    arms = [str(arm) for arm in overall["arm"]]
    sentences = ["Accuracy on the target: " + "; ".join(_accuracy(row) for row in overall.to_dict("records")) + "."]
    if len(arms) == 1:
        return sentences[0] + " There is nothing to compare it with."
    subject = "curated" if "curated" in arms else arms[0]
    pairs = [(subject, arm) for arm in arms if arm != subject]
    if subject == "curated":
        controls = [arm for arm in arms if arm not in (*_SAME_ROWS, "base")]
        pairs += [(same, arm) for same in _SAME_ROWS[1:] if same in arms for arm in controls]
    found = [compare(table, *pair) for pair in pairs]
    sure = holm([one.p for one in found])
    sentences += [_against(*pair, one, p) for pair, one, p in zip(pairs, found, sure, strict=True)]
    sentences += _losses(table, [pair for pair, p in zip(pairs, sure, strict=True) if p >= SURE])
    units, seeds = max(one.units for one in found), max(one.seeds for one in found)
    sentences.append(f"Paired over {units} unit{'s' * (units != 1)} and {seeds} seed{'s' * (seeds != 1)}.")
    return " ".join(sentences)


def _losses(table: pd.DataFrame, pairs: list[tuple[str, str]]) -> list[str]:
    """Where accuracy cannot decide, answer loss may: a sentence for each pair that it tells apart."""
    found = [compare(table, *pair, "loss") for pair in pairs]
    sure = holm([one.p for one in found])
    return [f"In answer loss {_name(us)} is {'better' if one.mean < 0 else 'worse'} than {_name(them)} "
            f"({one.mean:+.3f}, 95 % interval {one.low:+.3f} to {one.high:+.3f})."
            for (us, them), one, p in zip(pairs, found, sure, strict=True) if p < SURE]


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
    us = _name(subject)[0].upper() + _name(subject)[1:]
    if found.error != found.error:
        return f"{us} and {_name(arm)} are not distinguishable: one unit and one seed give no measure of chance."
    span = f"{100 * found.mean:+.1f} points, 95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    # Holm's correction may keep what the plain interval alone would tell apart: then the sentence says why.
    unsure = "not distinguishable" + (", counting all comparisons" if found.low * found.high > 0 else "")
    if (subject, arm) == ("curated", "curated-mixed"):
        sign = unsure if p >= SURE else "it helps" if found.mean > 0 else "it hurts"
        return f"Order alone adds {span}: {sign}."
    if p >= SURE:
        return f"{us} and {_name(arm)} are {unsure} ({span})."
    return f"{us} {'beats' if found.mean > 0 else 'loses to'} {_name(arm)} ({span})."
