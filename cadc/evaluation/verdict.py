"""What a comparison means, in words that do not claim more than its numbers carry.

Tables here are of one budget (`at_budget`).
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from cadc.evaluation.arms import called
from cadc.evaluation.results import cells, gap_closed, shared_seeds, summary
from cadc.evaluation.statistics import Difference, holm, paired

SURE = 0.05
"""Differences with a (Holm-corrected) p below this are called distinguishable, from two seeds on."""
ONE_SEED = "one seed does not say what another would have given"
OURS = ("cadc-mixed", "cadc", "cadc-staged")
"""Arms on the rows of the curriculum; the first that is there speaks for its selection."""
KEPT = "cadc-kept"


def compare(table: pd.DataFrame, ours: str, theirs: str, value: str = "accuracy") -> Difference:
    """ours − theirs in `value`, paired over the units and seeds that both have (see `paired`)."""
    seeds = shared_seeds(table, ours, theirs)
    units = sorted(set(table.loc[table["arm"] == ours, "unit"]) & set(table.loc[table["arm"] == theirs, "unit"]))
    return paired(cells(table, ours, value, seeds, units), cells(table, theirs, value, seeds, units))


def told_apart(found: Difference, p: float) -> bool:
    """Whether a difference is more than chance; p: its own, or corrected for all that were asked. Never with one seed:
    how far units differ says nothing of what another draw of rows and another training would have given."""
    return found.seeds > 1 and p < SURE


def against(table: pd.DataFrame, control: str = "random", value: str = "accuracy") -> pd.DataFrame:
    """Every other arm minus `control`: arm, seeds, mean, low, high, p, holm (corrected over all of them), sure.

    Empty where the control is not there.
    """
    columns = ["arm", "seeds", "mean", "low", "high", "p", "holm", "sure"]
    arms = [arm for arm in dict.fromkeys(table["arm"]) if arm != control]
    if control not in set(table["arm"]) or not arms:
        return pd.DataFrame(columns=columns)
    found = [compare(table, arm, control, value) for arm in arms]
    corrected = holm([one.p for one in found])
    return pd.DataFrame([(arm, one.seeds, one.mean, one.low, one.high, one.p, p, told_apart(one, p))
                         for arm, one, p in zip(arms, found, corrected, strict=True)], columns=columns)


def headline(table: pd.DataFrame) -> str:
    """One plain sentence: what the curriculum reaches, what random rows reach, what order alone adds, and how sure.

    `The curriculum's rows (5 % of the pool) reach 97 ± 2 % of full; random rows reach 88 ± 3 %: …`.
    """
    subject = next((arm for arm in OURS if arm in set(table["arm"])), None)
    if subject is None:
        return "The curriculum is not among the arms, so nothing can be said about it."
    overall = summary(table).set_index("arm")
    share = 100 * float(table["budget"].iloc[0])
    parts = [f"At {share:.3g} % of the pool {called(subject)} reaches {_reach(overall, subject)}"]
    if "random" in overall.index:
        parts.append(f"random rows reach {_reach(overall, 'random')}: {_sure(compare(table, subject, 'random'))}")
    order = next((arm for arm in (*OURS[1:], KEPT) if arm in overall.index and not _same_runs(table, arm)), None)
    if order and "cadc-mixed" in overall.index:
        parts.append(f"order alone adds {_points(compare(table, order, 'cadc-mixed'))}")
    gap = gap_closed(table, subject)
    if gap is not None and gap.mean == gap.mean:
        spread = f" ± {gap.sd:.2f}" if gap.sd == gap.sd else ""
        parts.append(f"of the way from random to the oracle it goes {gap.mean:.2f}{spread}")
    return "; ".join(parts) + "."


def _same_runs(table: pd.DataFrame, arm: str) -> bool:
    """Whether an arm of the curriculum is its rows shuffled, run for run."""
    both = [table[table["arm"] == one].set_index(["budget", "seed", "unit"])[["accuracy", "loss"]].sort_index()
            for one in (arm, "cadc-mixed")]
    return len(both[0]) > 0 and both[0].equals(both[1])


def _reach(overall: pd.DataFrame, arm: str) -> str:
    """`97 ± 2 % of full`, or plain accuracy where there is no full arm."""
    row = overall.loc[arm]
    full = float(overall.loc["full", "accuracy"]) if "full" in overall.index else 0.0
    scale, word = (100 / full, "% of full") if full else (100.0, "% accuracy")
    spread = f" ± {scale * row['accuracy_sd']:.1f}" if row["seeds"] > 1 else ""
    return f"{scale * row['accuracy']:.1f}{spread} {word}"


def _points(found: Difference) -> str:
    """`+0.4 ± 1.1 points: not distinguishable`; ± is half of the 95 % interval."""
    reach = f" ± {50 * (found.high - found.low):.1f}" if found.high == found.high else ""
    return f"{100 * found.mean:+.1f}{reach} points: {_sure(found)}"


def _sure(found: Difference) -> str:
    if not told_apart(found, found.p):
        return f"not distinguishable, {ONE_SEED}" if found.seeds == 1 else "not distinguishable"
    return "a distinguishable gain" if found.mean > 0 else "a distinguishable loss"


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
    subject = "cadc" if "cadc" in arms else arms[0]
    mixed = subject == "cadc" and _same_runs(table, "cadc")
    pairs = [(subject, arm) for arm in arms if arm != subject and not (mixed and arm == "cadc-mixed")]
    if mixed:
        sentences.append("The curriculum is mixed, so it is trained on shuffled, and there is no order to tell of.")
    if subject == "cadc":
        controls = [arm for arm in arms if arm not in (*OURS, KEPT, "base")]
        others = [same for same in OURS if same != "cadc" and same in arms and not (mixed and same == "cadc-mixed")]
        pairs += [(same, arm) for same in others for arm in controls]
    found = [compare(table, *pair) for pair in pairs]
    sure = holm([one.p for one in found])
    sentences += [_against(*pair, one, p) for pair, one, p in zip(pairs, found, sure, strict=True)]
    sentences += _losses(table, [pair for pair, one, p in zip(pairs, found, sure, strict=True)
                                 if not told_apart(one, p)])
    units, seeds = max(one.units for one in found), max(one.seeds for one in found)
    sentences.append(f"Paired over {units} unit{'s' * (units != 1)} and {seeds} seed{'s' * (seeds != 1)}.")
    return " ".join(sentences)


def _losses(table: pd.DataFrame, pairs: list[tuple[str, str]]) -> list[str]:
    """Where accuracy cannot decide, answer loss may: a sentence for each pair that it tells apart."""
    found = [compare(table, *pair, "loss") for pair in pairs]
    sure = holm([one.p for one in found])
    return [f"In answer loss {called(us)} is {'better' if one.mean < 0 else 'worse'} than {called(them)} "
            f"({one.mean:+.3f}, 95 % interval {one.low:+.3f} to {one.high:+.3f})."
            for (us, them), one, p in zip(pairs, found, sure, strict=True) if told_apart(one, p)]


def _accuracy(row: Mapping[Hashable, Any]) -> str:
    """`cadc 54.9 ± 1.2 % (109 % of full)`."""
    spread = f" ± {100 * row['accuracy_sd']:.1f}" if row["seeds"] > 1 else ""
    known = row["arm"] != "full" and row["relative"] == row["relative"]
    share = f" ({100 * row['relative']:.0f} % of full)" if known else ""
    return f"{row['arm']} {100 * row['accuracy']:.1f}{spread} %{share}"


def _against(subject: str, arm: str, found: Difference, p: float) -> str:
    """One comparison as a sentence."""
    us = called(subject)[0].upper() + called(subject)[1:]
    if found.error != found.error:
        return f"{us} and {called(arm)} are not distinguishable: one unit and one seed give no measure of chance."
    span = f"{100 * found.mean:+.1f} points, 95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    # Holm's correction may keep what the plain interval alone would tell apart: then the sentence says why.
    unsure = "not distinguishable" + (f", {ONE_SEED}" if found.seeds == 1 else ", counting all comparisons"
                                      if found.low * found.high > 0 else "")
    if (subject, arm) == ("cadc", "cadc-mixed"):
        sign = unsure if not told_apart(found, p) else "it helps" if found.mean > 0 else "it hurts"
        return f"Order alone adds {span}: {sign}."
    if not told_apart(found, p):
        return f"{us} and {called(arm)} are {unsure} ({span})."
    return f"{us} {'beats' if found.mean > 0 else 'loses to'} {called(arm)} ({span})."
