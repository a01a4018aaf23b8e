"""The committed table: every arm's accuracy, on every pool at every budget, and what a claim's pairs differ by.

`python -m benchmarks.evidence --table FILE…` prints it as Markdown for docs/evidence.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lab.pairs import Cells, at, grid, over_cells, over_seeds, read_lines, shared
from benchmarks.lab.plan import ORACLES
from cadc.evaluation.statistics import Difference

PAIRS = (("cadc-mixed", "quick"), ("cadc-mixed", "embedding"), ("whitened", "embedding"), ("whitened", "gradients"),
         ("gradients", "embedding"), ("words", "embedding"), ("cadc-mixed", "whitened"), ("quick", "whitened"),
         ("quick", "words"),
         ("quick", "embedding"), ("quick", "random-filtered"), ("cadc-mixed", "random-filtered"),
         ("cadc-mixed", "rounds"), ("cadc-kept", "cadc-mixed"), ("cadc-soft", "cadc-mixed"), ("design", "cadc-mixed"),
         ("cadc-mixed", "studio-unfiltered"), ("quick", "quick-unfiltered"), ("studio-unfiltered", "quick-unfiltered"),
         ("whitened-unfiltered", "embedding-unfiltered"))
"""(ours, theirs) of every difference in the table."""


def tables(files: Sequence[Path]) -> str:
    """Markdown: accuracies, the way to the oracle, differences. Raises DataError for a file that is no report."""
    reports = read_lines(files)
    columns = [(pool, budget) for pool, report in reports.items() for budget in report["budgets"]]
    return "\n\n".join(("\n".join(accuracies(reports, columns)), "\n".join(ways(reports, columns)),
                        "\n".join(differences(reports, columns))))


def accuracies(reports: Mapping[str, Any], columns: Sequence[tuple[str, str]]) -> list[str]:
    """Mean over units and seeds in %, ± s.d. over seeds; arms by their mean over all columns."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    level: dict[str, list[float]] = {}
    for column in columns:
        for arm, cells in at(reports[column[0]], column[1]).items():
            each = np.nanmean(grid(cells, cells["seeds"]), axis=1)
            spread = f" ± {100 * each.std(ddof=1):.1f}" if len(each) > 1 else ""
            seeds = "" if len(each) >= 10 or arm == "base" else f" ({len(each)})"
            found.setdefault(arm, {})[column] = f"{100 * each.mean():.1f}{spread}{seeds}"
            level.setdefault(arm, []).append(float(each.mean()))
    order = sorted(found, key=lambda arm: -float(np.mean(level[arm])))
    return [*_head("accuracy in %", columns), *(_line(f"`{arm}`", [found[arm].get(c, "–") for c in columns])
                                                for arm in order)]


def ways(reports: Mapping[str, Any], columns: Sequence[tuple[str, str]]) -> list[str]:
    """(arm − random) / (better oracle − random) over the seeds that they share."""
    arms = ("cadc-mixed", "cadc-kept", "quick", "whitened", "gradients", "embedding", "words", "rounds", "design")
    lines = []
    for arm in arms:
        values = [_way(at(reports[pool], budget), arm) for pool, budget in columns]
        if any(value != "–" for value in values):
            lines.append(_line(f"`{arm}`", values))
    return [*_head("way from random to the better oracle", columns), *lines]


def _way(cells: Mapping[str, Cells], arm: str) -> str:
    oracles = [one for one in ORACLES if one in cells]
    if arm not in cells or "random" not in cells or not oracles:
        return "–"
    seeds = shared(cells[arm], cells["random"], *(cells[one] for one in oracles))
    if not seeds:
        return "–"
    mean = {name: float(np.nanmean(grid(cells[name], seeds))) for name in (arm, "random", *oracles)}
    best = max(oracles, key=lambda one: mean[one])
    room = mean[best] - mean["random"]
    return f"{(mean[arm] - mean['random']) / room:.2f}" if room > 0 else "–"


def differences(reports: Mapping[str, Any], columns: Sequence[tuple[str, str]]) -> list[str]:
    """Points with their 95 % interval over paired seeds; the last columns over pools × units, by budget."""
    budgets = list(dict.fromkeys(budget for _, budget in columns))
    head = _head("difference in points", columns)
    head = [head[0] + "".join(f" all pools, {_share(b)} |" for b in budgets), head[1] + " --- |" * len(budgets)]
    lines = []
    for ours, theirs in PAIRS:
        parts = [at(reports[pool], budget) for pool, budget in columns]
        if not any(ours in part and theirs in part for part in parts):
            continue
        values = [_points(over_seeds(part[ours], part[theirs])) if ours in part and theirs in part else "–"
                  for part in parts]
        for budget in budgets:
            pairs = [(part[ours], part[theirs]) for (_, b), part in zip(columns, parts, strict=True)
                     if b == budget and ours in part and theirs in part]
            values.append(_points(over_cells(pairs)) if pairs else "–")
        lines.append(_line(f"`{ours}` − `{theirs}`", values))
    return [*head, *lines]


def _points(found: Difference) -> str:
    if found.mean != found.mean:
        return "–"
    if found.low != found.low:
        return f"{100 * found.mean:+.1f}"
    sure = "**" if found.low * found.high > 0 else ""
    return f"{sure}{100 * found.mean:+.1f}{sure} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _head(what: str, columns: Sequence[tuple[str, str]]) -> list[str]:
    names = [f"{pool}, {_share(budget)}" for pool, budget in columns]
    return [_line(what, names), "| --- |" + " --- |" * len(names)]


def _share(budget: str) -> str:
    return f"{100 * float(budget):g} %"


def _line(first: str, values: Sequence[str]) -> str:
    return f"| {first} | " + " | ".join(values) + " |"
