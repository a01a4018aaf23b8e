"""Differences of two arms over paired seeds, and over pools × units: read from the lines of JSON that
`benchmarks.evidence` wrote (`budgets.<share>.cells`)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from cadc.errors import DataError
from cadc.evaluation.statistics import Difference, paired


class Cells(TypedDict):
    """Accuracies of one arm at one budget."""

    seeds: list[int]
    units: dict[str, list[float | None]]
    """Of each unit one value per seed; null where it was not scored."""


def cells_of(table: pd.DataFrame) -> dict[str, Cells]:
    """By arm, from a table of one budget."""
    found = {}
    for arm in dict.fromkeys(table["arm"]):
        grid = table[table["arm"] == arm].pivot(index="seed", columns="unit", values="accuracy").sort_index()
        found[arm] = Cells(seeds=[int(seed) for seed in grid.index],
                           units={str(unit): grid[unit].tolist() for unit in grid.columns})
    return found


def grid(cells: Cells, seeds: Sequence[int]) -> np.ndarray:
    """float [R, M] of these seeds, units by name."""
    at = {seed: place for place, seed in enumerate(cells["seeds"])}
    rows = [[np.nan if value[at[seed]] is None else value[at[seed]] for seed in seeds]
            for _, value in sorted(cells["units"].items())]
    return np.array(rows, float).T.reshape(len(seeds), len(rows))


def shared(*arms: Cells) -> list[int]:
    """Seeds that all of them have."""
    return sorted(set.intersection(*(set(cells["seeds"]) for cells in arms)))


def over_seeds(ours: Cells, theirs: Cells) -> Difference:
    """ours − theirs of the mean over units: t interval over the seeds that both have, paired."""
    seeds = shared(ours, theirs)
    us, them = (np.nanmean(grid(cells, seeds), axis=1, keepdims=True) if seeds else np.zeros((0, 1))
                for cells in (ours, theirs))
    return paired(us, them)


def over_cells(pairs: Sequence[tuple[Cells, Cells]]) -> Difference:
    """ours − theirs by pool and unit, each the mean over the seeds that both have: t interval over all of these cells.

    pairs: (ours, theirs) of each pool.
    """
    gaps = [np.nanmean(grid(us, seeds) - grid(them, seeds), axis=0)
            for us, them in pairs if (seeds := shared(us, them))]
    every = np.concatenate(gaps) if gaps else np.zeros(0)
    return paired(every[None], np.zeros_like(every)[None])


# ---- lines of JSON ---------------------------------------------------------------------------------------------------
def read_lines(files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """{study: report}; of two reports of one study the later file counts. Raises DataError for a file that is none."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        try:
            report = json.loads(file.read_text())
            if any("cells" not in part for part in report["budgets"].values()):
                raise KeyError("cells")
            found[str(report["study"])] = report
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(f"{file} is no report of benchmarks.evidence of this version ({error!r}). Write it again "
                            "with --json.") from error
    return found


def at(report: Mapping[str, Any], budget: str) -> dict[str, Cells]:
    """Cells of every arm at one budget of a report; none where that has no such budget."""
    part = report["budgets"].get(budget)
    return part["cells"] if part else {}
