"""Two labellings of the target units beside each other: the one in force, and another map or an earlier state."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.discovery.clusterers import CLUSTERERS, DiscoverySettings
from cadc.discovery.labelling import contingency
from cadc.discovery.partition import apart
from cadc.study.decisions import SCOPES, Decision
from cadc.views.palette import UNASSIGNED_NAME
from cadc.views.words import told_apart

Choice = tuple[str, ...]
"""`("map", signal, method)`: found with a method's usual settings; `("after", batch)`: as it stood after an act, 0 for
before the first."""


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Groups of M units."""

    names: tuple[str, ...]
    of_unit: tuple[int, ...]
    """−1: unassigned."""


def choices(ready: tuple[str, ...], decisions: list[Decision]) -> dict[Choice, str]:
    """What the capabilities in force can be compared with, in words. ready: signals that a map can be drawn from;
    decisions: all of the scope, oldest first."""
    acts = list({d.batch: d for d in decisions if not d.undone and SCOPES[d.kind] == "capabilities"}.values())
    told: dict[Choice, str] = {("map", signal, method): f"map by {signal}, {method}"
                               for signal in ready for method in CLUSTERERS}
    if acts:
        told[("after", "0")] = "as found, before the first act"
    return told | {("after", str(d.batch)): f"after act {n} ({d.kind}, {d.at.replace('T', ' ')})"
                   for n, d in enumerate(acts[:-1], start=1)}


def labelling(bench: Workbench, choice: Choice) -> Labelling:
    """Raises DataError or JobError where a signal cannot be had."""
    if choice[0] == "map":
        _, signal, method = choice
        part = CLUSTERERS[method].cluster(bench.units(signal).whole, DiscoverySettings(method=method, signal=signal))
        return Labelling(names=tuple(f"group {k + 1}" for k in range(part.k)), of_unit=tuple(part.labels.tolist()))
    until = int(choice[1])
    earlier = [d for d in bench.events if getattr(d, "batch", 0) <= until]
    then = Workbench(bench.study, bench.scores, bench.table, bench.targets, earlier, bench.influence_columns)
    return Labelling(names=then.capabilities.names, of_unit=then.capabilities.of_unit)


def compared(now: Labelling, other: Labelling) -> tuple[pd.DataFrame, float]:
    """Units by their group in both (a line per group of the first, named in its first column), and the adjusted Rand
    index; a unit that is unassigned counts as a group of its own there."""
    from sklearn.metrics import adjusted_rand_score

    counts = contingency(now.of_unit, other.of_unit, (len(now.names), len(other.names)))
    lines, heads = (list(told_apart((n, name) for n, name in enumerate((*one.names, UNASSIGNED_NAME))).values())
                    for one in (now, other))
    table = pd.DataFrame(counts, columns=heads)
    table = table.loc[:, [bool(column.any()) for column in counts.T]]
    table.insert(0, " ", lines)
    index = adjusted_rand_score(apart(np.array(now.of_unit)), apart(np.array(other.of_unit)))
    return table[counts.any(axis=1)].reset_index(drop=True), float(index)
