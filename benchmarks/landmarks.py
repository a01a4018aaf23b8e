"""What `landmarks` costs in truth (decision 0013): `python -m benchmarks.landmarks FULL PREDICTED --json FILE`.

FULL and PREDICTED: names of two finished studies of the same pool, target and settings, the second with
`landmarks` < 1. Prints the rank correlation of predicted rows with what the full run measured for the same rows,
beside the held-out one that the study reports; seconds of both; and how far the 5 % curricula agree, with their
shares of junk where the generator's truth lies beside the pool.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lab.report import one_line, tell
from benchmarks.lab.truth import junk_shares, read_truth
from cadc.arrays import spearman
from cadc.curation import PRESETS
from cadc.curation.workbench import Workbench, open_workbench
from cadc.scores import attribution
from cadc.study import Study

BUDGET = "5%"


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.landmarks`."""
    parser = argparse.ArgumentParser(prog="benchmarks.landmarks", description=__doc__.splitlines()[0])
    parser.add_argument("full", help="name of a finished study with landmarks=1")
    parser.add_argument("predicted", help="name of the same with landmarks < 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    chosen = parser.parse_args(arguments)
    with one_line("landmarks"):
        full, predicted = (open_workbench(Study.open(name)) for name in (chosen.full, chosen.predicted))
        found = {"ranks": ranks(full, predicted), "seconds": seconds(full, predicted),
                 "curricula": {preset: curricula(full, predicted, preset) for preset in PRESETS}}
        print(table(found))
        tell(found, chosen.json)
    return 0


def ranks(full: Workbench, predicted: Workbench) -> dict[str, Any]:
    """Spearman on the predicted rows against the full run, and what the study itself reports from held-out rows."""
    open_rows = ~np.asarray(predicted.scores.measured)
    true = spearman(full.scores.near[:, open_rows].T, predicted.scores.near[:, open_rows].T)
    said = attribution.report(predicted.study)["landmarks"]
    of_unit = full.capabilities.of_unit
    out = {"units": {"true_median": float(np.median(true)), "true_lowest": float(true.min()),
                     "held_out_median": said["held_out"]["median"], "held_out_lowest": said["held_out"]["lowest"]}}
    for preset in PRESETS:
        columns = [PRESETS[preset].influence(b.influence_columns, of_unit)[open_rows] for b in (full, predicted)]
        held = predicted.with_settings(preset=preset).held_out(preset, "plain")
        out[f"capabilities, {preset}"] = {"true": spearman(*columns).tolist(),
                                          "held_out": [] if held is None else held.tolist()}
    return out


def seconds(full: Workbench, predicted: Workbench) -> dict[str, Any]:
    """Seconds of the shards as recorded (one process each; two runs meet different company on a busy machine)."""
    whole, part = (attribution.report(b.study) for b in (full, predicted))
    said = part["landmarks"]
    share = said["gradient_seconds"] / said["measured"]
    return {"full": whole["seconds"], "landmarks": part["seconds"], "gradient_row": share,
            "forward_row": said["forward_seconds"] / (said["measured"] + said["predicted"]),
            "regression": said["regression_seconds"],
            "ratio_within_the_run": (part["seconds"] + said["regression_seconds"]) / (share * whole["rows"])}


def curricula(full: Workbench, predicted: Workbench, preset: str) -> dict[str, Any]:
    """Overlap of the two 5 % curricula, share of measured rows, and junk shares."""
    benches = [b.with_settings(budget=BUDGET, preset=preset) for b in (full, predicted)]
    one, other = (np.unique(b.curriculum.rows["position"]) for b in benches)
    rows = [one, other]
    measured = np.asarray(predicted.scores.measured)
    out = {"rows": [len(r) for r in rows], "overlap": len(np.intersect1d(one, other)) / len(one),
           "overlap_by_chance": len(rows[1]) / len(full.scores.index), "measured_in_pool": float(measured.mean()),
           "measured_in_curriculum": float(measured[rows[1]].mean()),
           "mean_influence_of_full_run": [_mean_influence(full, preset, r) for r in rows]}
    pool, target = (Path(getattr(full.study.config, role)) for role in ("pool", "target"))
    known, asked = (path.with_name(f"truth_{path.stem}.jsonl") for path in (pool, target))
    if known.exists() and asked.exists():
        truth = read_truth(known, asked, np.asarray(full.scores.index), full.scores.units)
        out["junk"] = [junk_shares(truth.pool, r) for r in rows]
        out["junk_of_pool"] = junk_shares(truth.pool, np.arange(len(truth.pool)))
    return out


def _mean_influence(full: Workbench, preset: str, rows: np.ndarray) -> float:
    """Mean over chosen rows of their largest influence on any capability, as the full run measured it."""
    return float(full.influence_by(preset, signal="plain")[rows].max(1).mean())


def table(found: dict[str, Any]) -> str:
    """The numbers for people."""
    units, time = found["ranks"]["units"], found["seconds"]
    lines = [f"near, predicted rows against the full run: median {units['true_median']:.3f}, lowest "
             f"{units['true_lowest']:.3f}; held out: {units['held_out_median']:.3f}, {units['held_out_lowest']:.3f}"]
    for preset in PRESETS:
        own = found["ranks"][f"capabilities, {preset}"]
        lines.append(f"capabilities, {preset}: true {_list(own['true'])}; held out {_list(own['held_out'])}")
    lines.append(f"seconds of shards: full {time['full']:.0f}, landmarks {time['landmarks']:.0f} + regression "
                 f"{time['regression']:.0f}; inside that run a gradient row {time['gradient_row']:.4f}, a forward row "
                 f"{time['forward_row']:.4f}: {time['ratio_within_the_run']:.2f} × the full pass")
    for preset, own in found["curricula"].items():
        lines.append(f"{preset} {BUDGET}: {own['overlap']:.1%} of the full run's rows (chance "
                     f"{own['overlap_by_chance']:.1%}); measured {own['measured_in_curriculum']:.1%} of the rows "
                     f"(pool {own['measured_in_pool']:.1%}); influence {_list(own['mean_influence_of_full_run'])}")
        for name, junk in zip(("full", "landmarks"), own.get("junk", ()), strict=False):
            lines.append(f"  {name:10s}" + ", ".join(f"{key} {value:.1%}" for key, value in junk.items()))
    return "\n".join(lines)


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    raise SystemExit(main())
