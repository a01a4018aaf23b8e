"""Arms of a comparison as entries of a report, and their table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.lab.report import percent
from benchmarks.lab.truth import junk_shares, read_truth
from cadc.evaluation import Request
from cadc.study import Study


def arm_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry per arm of a table of one budget."""
    from cadc.evaluation import against, summary

    overall = summary(table).set_index("arm")
    chance = against(table).set_index("arm")
    rows = []
    for arm in dict.fromkeys(table["arm"]):
        own = table[table["arm"] == arm]
        per_seed, line = own.groupby("seed")["accuracy"].mean(), overall.loc[arm]
        entry = {"name": arm, "seeds": per_seed.tolist(), "mean": line["accuracy"], "sd": line["accuracy_sd"],
                 "loss": line["loss"], "samples_seen": int(own["samples_seen"].iloc[0]),
                 "steps": int(own["steps"].iloc[0]), "rows": float(own["rows"].mean()), "relative": line["relative"]}
        if arm in chance.index:
            entry["against_random"] = {key: chance.loc[arm, key] for key in ("mean", "low", "high", "p", "holm")}
        rows.append(entry)
    return rows


def comparison(table: pd.DataFrame) -> dict[str, Any]:
    """Arms, gaps closed and the verdict of a table of one budget."""
    from cadc.evaluation import gap_closed, headline, verdict

    gaps = {arm: gap_closed(table, arm) for arm in dict.fromkeys(table["arm"])}
    ways = {arm: {"mean": gap.mean, "sd": gap.sd, "oracle": gap.oracle} for arm, gap in gaps.items() if gap is not None}
    return {"arms": arm_rows(table), "headline": headline(table), "verdict": verdict(table), "gap_closed": ways}


def curve_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Accuracy of each arm at each budget: mean and s.d. over seeds."""
    runs = table.groupby(["arm", "budget", "seed"]).agg(accuracy=("accuracy", "mean"), loss=("loss", "mean"),
                                                        rows=("rows", "first")).reset_index()
    found = runs.groupby(["arm", "budget"]).agg(mean=("accuracy", "mean"), sd=("accuracy", "std"),
                                                loss=("loss", "mean"), rows=("rows", "mean"), seeds=("seed", "nunique"))
    return found.reset_index().to_dict("records")


def junk_rows(study: Study, request: Request, budget: float) -> dict[str, dict[str, float]]:
    """Planted junk in the rows of each arm at this budget, mean over seeds; empty without ground truth."""
    from cadc.scores.scores import Scores

    folder, scores = Path(study.config.pool).parent, Scores.load(study)
    if not all((folder / f"truth_{role}.jsonl").exists() for role in ("pool", "target")):
        return {}
    truth = read_truth(folder / "truth_pool.jsonl", folder / "truth_target.jsonl", np.asarray(scores.index),
                       scores.units).pool
    place = {int(index): n for n, index in enumerate(scores.index)}
    found: dict[str, list[dict[str, float]]] = {}
    for run in (run for run in request.runs if run.budget == budget):
        if rows := [place[i] for i in request.row_lists[run.rows]["index"]]:
            found.setdefault(run.arm, []).append(junk_shares(truth, np.array(rows)))
    return {arm: pd.DataFrame(own).mean().to_dict() for arm, own in found.items()}


def show_arms(part: dict[str, Any]) -> None:
    """One table of arms, best first."""
    print(f"{'arm':22}{'rows':>7}{'steps':>7}{'accuracy':>10}{'s.d.':>6}{'of full':>9}{'loss':>8}{'vs random':>11}"
          f"{'p Holm':>8}{'gap':>7}")
    for row in sorted(part["arms"], key=lambda r: -r["mean"]):
        chance, gap = row.get("against_random"), part["gap_closed"].get(row["name"])
        print(f"{row['name']:22}{row['rows']:7.0f}{row['steps']:7d}{100 * row['mean']:9.1f}%{percent(row['sd']):>6}"
              f"{percent(row['relative'], 0):>8}%{row['loss']:8.3f}"
              + (f"{100 * chance['mean']:+11.1f}{chance['holm']:8.3f}" if chance else f"{'':19}")
              + (f"{gap['mean']:7.2f}" if gap and gap["mean"] is not None and gap["mean"] == gap["mean"] else ""))
