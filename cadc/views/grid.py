"""How the map hangs on τ and γ: K, modularity, agreement and stability over a grid, and its widest plateau.

M target units, C cells of the grid.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from cadc.discovery import leiden, sweep
from cadc.discovery.partition import apart
from cadc.discovery.similarities import Units
from cadc.discovery.stability import over_methods
from cadc.errors import DataError
from cadc.views.capabilities import taus

GAMMAS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
MANY = 60
"""With more units than this the grid takes seconds and is only computed when asked for."""
ROUNDS = 5
"""How often samples are drawn again for the stability of every cell."""
MEASURES = {"modularity": "Modularity, how clear-cut the groups are",
            "agreement": "Agreement with the capabilities in force",
            "stability": "Stability, samples drawn again"}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Leiden at every τ and γ of a grid."""

    table: pd.DataFrame
    """C lines: tau, gamma, k, modularity, unassigned; ordered by tau, then gamma."""
    labels: np.ndarray
    """int [C, M]: group of each unit in each cell, −1 unassigned."""


def grid_of(similar: np.ndarray, seed: int = 0) -> Grid:
    """similar: S, float64 [M, M]."""
    table, labels = sweep(similar, taus(similar), np.array(GAMMAS), seed)
    return Grid(table=table, labels=labels)


def agreement(grid: Grid, of_unit: tuple[int, ...]) -> np.ndarray:
    """float [C]: adjusted Rand index of each cell with these capabilities."""
    from sklearn.metrics import adjusted_rand_score

    now = apart(np.array(of_unit))
    return np.array([adjusted_rand_score(now, apart(labels)) for labels in grid.labels])


def stability(grid: Grid, units: Units, seed: int = 0) -> np.ndarray:
    """float [C]: mean adjusted Rand index of samples drawn again `ROUNDS` times, the same draws in every cell. Raises
    DataError for a similarity that is not made of samples."""
    if units.unit is None or units.again is None:
        raise DataError("this similarity is not made of single samples, so they cannot be drawn again.")
    methods = [partial(leiden, tau=row.tau, gamma=row.gamma, seed=seed) for row in grid.table.itertuples()]
    return over_methods(units.unit, units.again, methods, rounds=ROUNDS, seed=seed)


def plateau(table: pd.DataFrame) -> np.ndarray:
    """bool [C]: the largest set of cells that touch (next τ or next γ) and have one K of at least 2; of equal ones that
    with the smallest τ. All False where there is none."""
    k = table.pivot(index="tau", columns="gamma", values="k").to_numpy()
    seen, best = np.zeros(k.shape, bool), np.zeros(k.shape, bool)
    for start in zip(*np.nonzero(k >= 2), strict=True):
        if seen[start]:
            continue
        area, waiting = np.zeros(k.shape, bool), [start]
        while waiting:
            row, column = waiting.pop()
            inside = 0 <= row < k.shape[0] and 0 <= column < k.shape[1]
            if inside and not area[row, column] and k[row, column] == k[start]:
                area[row, column] = True
                waiting += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
        seen |= area
        best = area if area.sum() > best.sum() else best
    places = {value: n for n, value in enumerate(sorted(table["tau"].unique()))}
    across = {value: n for n, value in enumerate(sorted(table["gamma"].unique()))}
    return np.array([best[places[t], across[g]] for t, g in zip(table["tau"], table["gamma"], strict=True)], bool)


def nearest(table: pd.DataFrame, tau: float | None, gamma: float | None) -> int | None:
    """The cell nearest to a setting; None where the map was not found with one."""
    if tau is None or gamma is None or not len(table):
        return None
    far = (table["gamma"] - gamma).abs() * 1e3 + (table["tau"] - tau).abs()  # γ has few steps: the nearest one first
    return int(far.to_numpy().argmin())


def plateau_note(table: pd.DataFrame, wide: np.ndarray, now: int | None) -> str:
    """The plateau in a sentence, and whether what is in force lies on it."""
    if not wide.any():
        return "No setting of the grid gives two capabilities or more."
    k = int(table["k"][wide].iloc[0])
    place = "" if now is None else (" The setting in force lies on it." if wide[now] else
                                    " The setting in force lies outside it.")
    return f"The widest plateau: K = {k} at {int(wide.sum())} of {len(table)} settings.{place}"


def cell_note(table: pd.DataFrame, cell: int) -> str:
    """One setting in words."""
    row = table.iloc[cell]
    return (f"τ {row['tau']:.3f}, γ {row['gamma']:g}: K = {row['k']:.0f}, {row['unassigned']:.0f} units alone, "
            f"modularity {row['modularity']:.2f}, agreement with the capabilities in force {row['agreement']:.2f}"
            + (f", stability {row['stability']:.2f}" if "stability" in row else ""))
