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
from cadc.study import replacing


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
    """{study: report}; reports of one study are united, seed by seed (`united`). Raises DataError for a file that is no
    report, and for two of one name that are of different studies."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        try:
            report = json.loads(file.read_text())
            if any("cells" not in part for part in report["budgets"].values()):
                raise KeyError("cells")
            name = str(report["study"])
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(f"{file} is no report of benchmarks.evidence of this version ({error!r}). Write it again "
                            "with --json.") from error
        before = found.get(name)
        if before and before.get("identity") != report.get("identity"):
            raise DataError(f"{file} tells of another study named {name!r} than the file before it: its settings or "
                            "data differ. Give one of them.")
        found[name] = united(before, report) if before else report
    return found


def united(before: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """What either has; where both have a seed of an arm at a budget, `report`'s counts. Other keys are `report`'s."""
    budgets: dict[str, Any] = {budget: dict(part) for budget, part in before["budgets"].items()}
    for budget, part in report["budgets"].items():
        cells = dict(at(before, budget))
        for arm, own in part["cells"].items():
            cells[arm] = _both(cells[arm], own) if arm in cells else own
        budgets[budget] = {**part, "cells": cells}
    return {**report, "budgets": budgets}


def _both(before: Cells, own: Cells) -> Cells:
    old = [seed for seed in before["seeds"] if seed not in own["seeds"]]
    seeds = sorted([*old, *own["seeds"]])
    taken = [(own if seed in own["seeds"] else before, seed) for seed in seeds]
    units = {unit: [one["units"].get(unit, [None] * len(one["seeds"]))[one["seeds"].index(seed)] for one, seed in taken]
             for unit in sorted({*before["units"], *own["units"]})}
    return Cells(seeds=seeds, units=units)


def keep_cells(files: Sequence[Path], folder: Path) -> list[Path]:
    """The cells of reports, one small file per study in `folder`, to which later seeds can be added: united with those
    that are there. Raises DataError as `read_lines` does."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, report in read_lines(files).items():
        path = folder / f"{name}.json"
        if path.exists():
            report = read_lines([path, *files])[name]
        budgets = {budget: {"cells": at(report, budget)} for budget in sorted(report["budgets"], key=float)}
        about = {key: report[key] for key in ("identity", "plan", "commit", "date", "device") if key in report}
        with replacing(path.resolve()) as handle:
            handle.write(f"{json.dumps({'study': name, **about, 'budgets': budgets})}\n".encode())
        written.append(path)
    return written


def at(report: Mapping[str, Any], budget: str) -> dict[str, Cells]:
    """Cells of every arm at one budget of a report; none where that has no such budget."""
    part = report["budgets"].get(budget)
    return part["cells"] if part else {}
