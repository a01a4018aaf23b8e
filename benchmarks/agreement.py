"""How far two runs of one question rank the pool alike: `python -m benchmarks.agreement EXACT OTHER --json FILE`.

EXACT and OTHER: names of two finished studies of the same pool, target and settings but for how products are taken
(`mode=sketch`, `sketch_dim`, `precision`). Prints Spearman's rank correlation over all pool rows of near(z, s) and of
the η-weighted products with unit means (plain and grounded), for each unit; beside it what a sketched study reported
itself from a sample of the pool (decision 0011).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from cadc.gradients import modes
from cadc.gradients.products import spearman
from cadc.scores.scores import Scores
from cadc.study import Study


def main() -> None:
    """Compare two studies and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exact")
    parser.add_argument("other")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    other = Study.open(args.other)
    found = {"rows": 0, "signals": {}, "reported": (modes.recorded(other) or {}).get("agreement")}
    one, two = Scores.load(Study.open(args.exact)), Scores.load(other)
    if not np.array_equal(one.index, two.index) or one.units != two.units:
        parser.error("the two studies scored other rows or other units")
    found["rows"] = len(one.index)
    print(f"{found['rows']:,} pool rows, {len(one.units)} units; Spearman over the pool")
    for name, (a, b) in signals(one, two).items():
        each = spearman(np.asarray(a).T, np.asarray(b).T)
        found["signals"][name] = {"mean": float(each.mean()), "lowest": float(each.min()), "units": each.tolist()}
        print(f"  {name:<18} mean {each.mean():.3f}, lowest {each.min():.3f} ({one.units[int(each.argmin())]})")
    text = json.dumps(found)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")


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
    main()
