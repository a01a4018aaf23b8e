"""How far two runs of one question rank the pool alike: `python -m benchmarks.agreement EXACT OTHER --json FILE`.

EXACT and OTHER: names of two finished studies of the same pool, target and settings but for how products are taken
(`mode=sketch`, `sketch_dim`, `precision`). Prints Spearman's rank correlation over all pool rows of near(z, s) and of
the η-weighted products with unit means (plain and grounded), for each unit; beside it what a sketched study reported
itself from a sample of the pool (decision 0011).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lab.report import one_line, tell
from cadc.arrays import spearman
from cadc.errors import DataError
from cadc.gradients import modes
from cadc.scores.scores import Scores
from cadc.study import Study


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.agreement`."""
    parser = argparse.ArgumentParser(prog="benchmarks.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("exact", help="name of a finished study")
    parser.add_argument("other", help="name of another that asks the same")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    chosen = parser.parse_args(arguments)
    with one_line("agreement"):
        exact, other = Study.open(chosen.exact), Study.open(chosen.other)
        tell(compare(exact, other), chosen.json)
    return 0


def compare(exact: Study, other: Study) -> dict[str, Any]:
    """Rank correlation by signal and unit, printed too. Raises DataError for studies of other rows or units."""
    one, two = Scores.load(exact), Scores.load(other)
    if not np.array_equal(one.index, two.index) or one.units != two.units:
        raise DataError(f"studies {exact.name!r} and {other.name!r} scored other rows or other units. Name two of the "
                        "same pool and target.")
    print(f"{len(one.index):,} pool rows, {len(one.units)} units; Spearman over the pool")
    found = {}
    for name, (a, b) in signals(one, two).items():
        each = spearman(np.asarray(a).T, np.asarray(b).T)
        found[name] = {"mean": float(each.mean()), "lowest": float(each.min()), "units": each.tolist()}
        print(f"  {name:<18} mean {each.mean():.3f}, lowest {each.min():.3f} ({one.units[int(each.argmin())]})")
    return {"rows": len(one.index), "signals": found, "reported": (modes.recorded(other) or {}).get("agreement")}


def signals(one: Scores, two: Scores) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Columns [M, N] of both studies by name."""
    pairs = {"near": (one.near, two.near), "dots": (weighted(one.dots, one.eta), weighted(two.dots, two.eta))}
    if one.has_grounded and two.has_grounded:
        pairs["dots, grounded"] = tuple(weighted(s.dots_grounded, s.eta) for s in (one, two))
    return pairs


def weighted(dots: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Σ_t η_t dots_t [M, N]."""
    return np.einsum("t,tmn->mn", np.asarray(eta, np.float64), np.asarray(dots, np.float64))


if __name__ == "__main__":
    raise SystemExit(main())
