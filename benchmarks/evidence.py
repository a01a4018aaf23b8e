"""Does the curriculum train better, and would we know if it did not? `python -m benchmarks.evidence --json FILE`.

Runs the embedded default from scratch (or goes on where it stopped): every arm at 5 % and 20 % of the pool over three
seeds, the same number of steps; the other claim, the same number of passes; a budget curve; the faithfulness of the
influences (linear datamodelling score); on request ablations and transfer to a larger model. Prints tables, then one
line of JSON. docs/evaluation.md explains every number and what each part costs.
"""

import argparse
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.recovery import MIXES, Clock, about, finish, make_study, plain
from cadc.errors import CadcError
from cadc.study import Study, write_json

ARMS = ("base", "full", "random", "random-no-duplicates", "random-filtered", "oracle", "cadc", "cadc-staged",
        "cadc-mixed", "paper", "paper-mixed", "less", "icons", "coincide", "bids", "self-influence", "loss",
        "middle-loss", "length", "gradients", "words", "embedding")
AT_SECOND = ("base", "full", "random", "random-no-duplicates", "random-filtered", "oracle", "cadc", "cadc-staged",
             "cadc-mixed", "paper", "paper-mixed", "less", "gradients", "words", "embedding")
"""Arms that are run at the second budget too."""
CURVE = ("random", "cadc-mixed", "paper-mixed")
CONFIRM = ("base", "full", "random", "random-no-duplicates", "random-filtered", "oracle", "cadc", "cadc-mixed",
           "paper-mixed", "less", "words", "embedding")
"""Arms that tell whether a result holds elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run."""

    seeds: tuple[int, ...] = (10, 11, 12)
    """`studio` was developed on seeds 0 to 2: these played no part in choosing it."""
    arms: tuple[str, ...] = ARMS
    second_arms: tuple[str, ...] = AT_SECOND
    steps: int = 150
    budgets: tuple[float, ...] = (0.05, 0.2)
    curve: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    curve_seeds: tuple[int, ...] = (10, 11)
    epochs: float = 2.0
    """Passes over its own rows of every arm, for the claim "5 % of the data for 5 % of the steps"."""
    lds_rows: int = 300
    lds_retrainings: int = 40
    lds_steps: int = 40


QUICK = Plan(seeds=(10,), steps=100, budgets=(0.05,), curve=(0.02, 0.05, 0.2), curve_seeds=(10,), epochs=2.0,
             lds_rows=300, lds_retrainings=20, lds_steps=40)
SHORT = Plan(seeds=(20, 21, 22), arms=CONFIRM, second_arms=CONFIRM, curve=(), epochs=0.0, lds_retrainings=0)
"""For another pool: the main arms at both budgets, nothing else."""


def requests(study: Study, plan: Plan) -> dict[str, Any]:
    """Every comparison as a request: `first`, `second`, `epochs`, `curve`. Runs that two of them share are run once."""
    from cadc.evaluation import EvaluationSettings, request_evaluation
    from cadc.evaluation.material import read_truth

    known = read_truth(Path(study.config.pool), np.arange(0)) is not None

    def asked(arms: tuple[str, ...], **changed: Any):  # noqa: ANN202
        arms = tuple(arm for arm in arms if known or arm != "oracle")
        values = {"seeds": plan.seeds, "steps": plan.steps} | changed
        return request_evaluation(study, EvaluationSettings(arms=arms, **values))

    found = {"first": asked(plan.arms, budgets=plan.budgets[:1])}
    if len(plan.budgets) > 1:
        found["second"] = asked(plan.second_arms, budgets=plan.budgets[1:])
    if plan.epochs:
        found["epochs"] = asked(("full", "random", "cadc-mixed", "cadc"), budgets=plan.budgets[:1], epochs=plan.epochs,
                                equal="epochs", seeds=plan.seeds[:2])
    if plan.curve:
        found["curve"] = asked(CURVE, budgets=plan.curve, seeds=plan.curve_seeds)
    return found


# ---- tables of the result --------------------------------------------------------------------------------------------
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
    return {"arms": arm_rows(table), "headline": headline(table), "verdict": verdict(table),
            "gap_closed": {arm: {"mean": gap.mean, "sd": gap.sd} for arm, gap in gaps.items() if gap is not None}}


def curve_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Accuracy of each arm at each budget: mean and s.d. over seeds."""
    runs = table.groupby(["arm", "budget", "seed"]).agg(accuracy=("accuracy", "mean"), loss=("loss", "mean"),
                                                        rows=("rows", "first")).reset_index()
    found = runs.groupby(["arm", "budget"]).agg(mean=("accuracy", "mean"), sd=("accuracy", "std"),
                                                loss=("loss", "mean"), rows=("rows", "mean"), seeds=("seed", "nunique"))
    return found.reset_index().to_dict("records")


def junk_rows(study: Study, request: Any) -> dict[str, dict[str, float]]:
    """Planted junk in the rows of each arm, mean over seeds; empty without ground truth."""
    from benchmarks.truth import junk_shares, read_truth
    from cadc.scores.scores import Scores

    folder, scores = Path(study.config.pool).parent, Scores.load(study)
    if not all((folder / f"truth_{role}.jsonl").exists() for role in ("pool", "target")):
        return {}
    truth = read_truth(folder / "truth_pool.jsonl", folder / "truth_target.jsonl", np.asarray(scores.index),
                       scores.units).pool
    place = {int(index): n for n, index in enumerate(scores.index)}
    found: dict[str, list[dict[str, float]]] = {}
    for run in request.runs:
        if rows := [place[i] for i in request.row_lists[run.rows]["index"]]:
            found.setdefault(run.arm, []).append(junk_shares(truth, np.array(rows)))
    return {arm: pd.DataFrame(own).mean().to_dict() for arm, own in found.items()}


# ---- what a person reads ---------------------------------------------------------------------------------------------
def show(result: dict[str, Any]) -> None:
    """The tables."""
    for name, part in result["budgets"].items():
        seeds = max(len(row["seeds"]) for row in part["arms"])
        print(f"\n{100 * float(name):g} % of the pool, {seeds} seed(s), same steps. "
              f"{part['headline']}")
        show_arms(part)
    if result["equal_epochs"]:
        print(f"\nEvery arm {result['plan']['epochs']:g} passes over its own rows")
        show_arms({"arms": result["equal_epochs"], "gap_closed": {}})
    curve = pd.DataFrame(result["budget_curve"])
    if len(curve):
        print("\nBudget curve, accuracy in %")
        print((100 * curve.pivot(index="arm", columns="budget", values="mean")).round(1).to_string())
    if result["lds"]:
        print("\nLinear datamodelling score on held-out samples (mean over units ± bootstrap error)")
    for name, score in result["lds"].get("scores", {}).items():
        print(f"{name:26}{score['mean']:7.3f} ± {score['error']:.3f}")
    for row in result.get("ablations", []):
        print(f"ablation {row['ablation']:14}{row['variant']:22}{row['name']:14}{100 * row['mean']:6.1f} %  "
              f"loss {row['loss']:.3f}")
    for row in result.get("transfer", {}).get("arms", []):
        print(f"transfer {row['name']:22}{100 * row['mean']:6.1f} %  loss {row['loss']:.3f}")
    print("\nseconds: " + ", ".join(f"{name} {value:.0f}" for name, value in result["seconds"].items()))


def show_arms(part: dict[str, Any]) -> None:
    """One table of arms, best first."""
    print(f"{'arm':22}{'rows':>7}{'steps':>7}{'accuracy':>10}{'s.d.':>6}{'of full':>9}{'loss':>8}{'vs random':>11}"
          f"{'p Holm':>8}{'gap':>7}")
    for row in sorted(part["arms"], key=lambda r: -r["mean"]):
        chance, gap = row.get("against_random"), part["gap_closed"].get(row["name"])
        print(f"{row['name']:22}{row['rows']:7.0f}{row['steps']:7d}{100 * row['mean']:9.1f}%{_percent(row['sd']):>6}"
              f"{_percent(row['relative'], 0):>8}%{row['loss']:8.3f}"
              + (f"{100 * chance['mean']:+11.1f}{chance['holm']:8.3f}" if chance else f"{'':19}")
              + (f"{gap['mean']:7.2f}" if gap and gap["mean"] is not None and gap["mean"] == gap["mean"] else ""))


def _percent(value: float, digits: int = 1) -> str:
    return "–" if value is None or value != value else f"{100 * value:.{digits}f}"


# ---- everything ------------------------------------------------------------------------------------------------------
def measure(study: Study, plan: Plan, processes: int, clock: Clock) -> dict[str, Any]:
    """All parts on a finished study, as the JSON line has them (before `plain`)."""
    from benchmarks.evidence_lds import lds_part, lds_question
    from benchmarks.evidence_runs import run_all
    from cadc.evaluation import at_budget, read_result
    from cadc.evaluation.run import embed
    from cadc.study.progress import Silent

    embed(study, Silent())
    clock.lap("embedding")
    asked = requests(study, plan)
    halves = lds_question(study, asked["first"].scored, plan) if plan.lds_retrainings else None
    clock.lap("choosing rows")
    run_all(study, list(asked.values()), halves, processes)
    clock.lap("retraining")
    tables = {name: read_result(study, request).table for name, request in asked.items()}
    parts = {str(budget): comparison(at_budget(tables[name], budget))
             for name, budget in zip(("first", "second"), plan.budgets, strict=False)}
    for name, budget in zip(("first", "second"), plan.budgets, strict=False):
        parts[str(budget)] |= {"junk": junk_rows(study, asked[name]),
                               "notes": list(read_result(study, asked[name]).notes)}
    result = {"arms": parts[str(plan.budgets[0])]["arms"], "budgets": parts, "held_out": asked["first"].held_out,
              "scored": len(asked["first"].scored),
              "equal_epochs": arm_rows(tables["epochs"]) if "epochs" in tables else [],
              "budget_curve": curve_rows(tables["curve"]) if "curve" in tables else [],
              "lds": lds_part(study, halves, asked["first"]) if halves else {}}
    clock.lap("tables")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.evidence`."""
    from benchmarks.ablations import ABLATIONS, ablation_part

    parser = argparse.ArgumentParser(prog="benchmarks.evidence", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    which, amount = parser.add_mutually_exclusive_group(), parser.add_mutually_exclusive_group()
    which.add_argument("--study", metavar="NAME", help="a finished or new study instead of the embedded default")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where studies are kept (default: as the app)")
    amount.add_argument("--quick", action="store_true", help="a smaller pool, one seed, fewer points")
    which.add_argument("--pool", choices=sorted(MIXES), help="another generated pool instead of the default's")
    amount.add_argument("--short", action="store_true", help="the main arms at both budgets, nothing else")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED",
                        help="seeds of the arms (fresh ones to confirm)")
    parser.add_argument("--processes", type=int, default=2, help="retrainings at a time, one thread each")
    parser.add_argument("--ablate", action="append", default=[], choices=sorted(ABLATIONS), metavar="NAME",
                        help=f"also vary: {', '.join(sorted(ABLATIONS))}")
    parser.add_argument("--transfer", type=Path, metavar="MODEL",
                        help="also train this larger base on the rows found with the study's own")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread per process: see cadc.models.load.set_threads
    logging.basicConfig(level=logging.WARNING)
    plan = QUICK if chosen.quick else SHORT if chosen.short else Plan()
    if chosen.seeds:
        plan = Plan(**vars(plan) | {"seeds": tuple(chosen.seeds), "curve_seeds": tuple(chosen.seeds[:2])})
    clock = Clock()
    try:
        study = (Study.open(chosen.study, root=chosen.cache) if chosen.study else
                 make_study(chosen.cache, quick=chosen.quick, pool=chosen.pool or ""))
        finish(study, chosen.processes)
        clock.lap("study")
        result = measure(study, plan, chosen.processes, clock)
        if chosen.ablate:
            result["ablations"] = ablation_part(study, chosen.ablate, plan, chosen.processes, root=chosen.cache)
            clock.lap("ablations")
        if chosen.transfer:
            from benchmarks.evidence_transfer import transfer_part

            result["transfer"] = transfer_part(study, chosen.transfer, plan, chosen.processes)
            clock.lap("transfer")
    except CadcError as error:
        raise SystemExit(f"evidence: {error}") from error
    clock.seconds["total"] = round(sum(clock.seconds.values()), 1)
    result = plain(result | {"study": study.name, "identity": study.identity, "plan": vars(plan), "quick": chosen.quick,
                             "seconds": clock.seconds, "processes": chosen.processes} | about())
    show(result)
    print(json.dumps(result))
    if chosen.json:
        write_json(chosen.json, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
