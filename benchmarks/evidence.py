"""Does the curriculum train better, and would we know if it did not? `python -m benchmarks.evidence --json FILE`.

Runs the embedded default from scratch (or goes on where it stopped): every arm at 5 % and 20 % of the pool over three
seeds, the same number of steps; the other claim, the same number of passes; a budget curve; the faithfulness of the
influences (linear datamodelling score); on request ablations and transfer to a larger model. Prints tables, then one
line of JSON. docs/evaluation.md explains every number and what each part costs.
"""

import argparse
import logging
import os
import sys
import time
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.lab.ablations import ABLATIONS, ablation_part
from benchmarks.lab.arms import arm_rows, comparison, curve_rows, junk_rows, show_arms
from benchmarks.lab.claims import tables
from benchmarks.lab.faithfulness import lds_part, lds_question
from benchmarks.lab.larger_base import transfer_part
from benchmarks.lab.pairs import cells_of, keep_cells
from benchmarks.lab.plan import CLAIMS, CURVE, FAITHFUL, FULL, QUICK, SHORT, Plan, just, only
from benchmarks.lab.report import Clock, about, one_line, plain, tell
from benchmarks.lab.retrainings import run_all
from benchmarks.lab.studies import MIXES, finish, make_study
from cadc.errors import JobError
from cadc.evaluation import ARMS, EvaluationResult, Request, at_budget
from cadc.study import Study


def there(study: Study, plan: Plan) -> list[str]:
    """Arms of the plan that are known here and that this study can have."""
    from cadc.curation.workbench import open_workbench
    from cadc.evaluation.material import Material

    inputs = open_workbench(study).inputs
    material = Material(study, inputs, np.zeros(len(inputs.scores.index), bool))
    return [arm for arm in plan.named if arm in ARMS and not ARMS[arm].available(material)]


def requests(study: Study, plan: Plan, known: list[str]) -> dict[str, Request]:
    """Every comparison as a request: `first`, `second`, `beside` (other arms at all budgets), `epochs`, `curve`. Runs
    that two of them share are run once. known: arms that the study can have (`there`)."""
    from cadc.evaluation import EvaluationSettings, request_evaluation

    def asked(arms: tuple[str, ...], **changed: Any) -> Request:
        values: dict[str, Any] = {"seeds": plan.seeds, "steps": plan.steps, "products": plan.products} | changed
        return request_evaluation(study, EvaluationSettings(arms=only(arms, known), **values))

    found = {"first": asked(plan.arms, budgets=plan.budgets[:1])}
    if len(plan.budgets) > 1:
        found["second"] = asked(plan.second_arms, budgets=plan.budgets[1:])
    if plan.beside:
        found["beside"] = asked(plan.beside, budgets=plan.budgets, seeds=plan.beside_seeds)
    if plan.epochs:
        found["epochs"] = asked(("full", "random", "cadc-mixed", "cadc"), budgets=plan.budgets[:1], epochs=plan.epochs,
                                equal="epochs", seeds=plan.seeds[:2])
    if plan.curve:
        found["curve"] = asked(only(CURVE, plan.named), budgets=plan.curve, seeds=plan.curve_seeds)
    return found


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


def measure(study: Study, plan: Plan, processes: int, clock: Clock, until: float = inf) -> dict[str, Any]:
    """All parts on a finished study, as the JSON line has them (before `plain`). until: time on `time.monotonic` after
    which no retraining begins; the tables are then of those that are finished. Raises JobError when there is none."""
    from cadc.evaluation import read_result
    from cadc.evaluation.material import provide
    from cadc.study.progress import Silent

    known = there(study, plan)
    missing = [arm for arm in plan.named if arm not in known]
    if missing:
        print(f"not run on this study: {', '.join(missing)}", file=sys.stderr, flush=True)
    for needs in dict.fromkeys(("embedding", *(ARMS[arm].needs for arm in known))):
        provide(study, needs, Silent())
    clock.lap("signals")
    asked = requests(study, plan, known)
    halves = lds_question(study, asked["first"].scored, plan) if plan.lds_retrainings else None
    clock.lap("choosing rows")
    run_all(study, list(asked.values()), halves, processes, until=until)
    clock.lap("retraining")
    found = {name: read_result(study, request) for name, request in asked.items()}
    of = {name: result.table for name, result in found.items()}
    parts = {}
    for name, budget in zip(("first", "second"), plan.budgets, strict=False):
        own = [(asked[part], found[part]) for part in (name, "beside") if part in asked]
        if any(len(at_budget(one.table, budget)) for _, one in own):
            parts[str(budget)] = _at(study, own, budget)
    if not parts:
        raise JobError("no retraining is finished, so there is nothing to tell. Give the benchmark more minutes.")
    result = {"arms": next(iter(parts.values()))["arms"], "budgets": parts, "held_out": asked["first"].held_out,
              "scored": len(asked["first"].scored), "not_run": missing,
              "finished": sum(one.done for one in found.values()), "asked": sum(one.total for one in found.values()),
              "equal_epochs": arm_rows(of["epochs"]) if "epochs" in of else [],
              "budget_curve": curve_rows(of["curve"]) if "curve" in of else [],
              "lds": lds_part(study, halves) if halves else {}}
    clock.lap("tables")
    return result


def _at(study: Study, asked: list[tuple[Request, EvaluationResult]], budget: float) -> dict[str, Any]:
    """One budget of some requests, none of whose arms is in two of them."""
    table = pd.concat([at_budget(result.table, budget) for _, result in asked if len(result.table)], ignore_index=True)
    junk: dict[str, dict[str, float]] = {}
    for request, _ in asked:
        junk |= junk_rows(study, request, budget)
    notes = [note for _, result in asked for note in result.notes]
    return comparison(table) | {"junk": junk, "notes": list(dict.fromkeys(notes)), "cells": cells_of(table)}


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.evidence`."""
    parser = argparse.ArgumentParser(prog="benchmarks.evidence", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    which, amount = parser.add_mutually_exclusive_group(), parser.add_mutually_exclusive_group()
    which.add_argument("--study", metavar="NAME", help="a finished or new study instead of the embedded default")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where studies are kept (default: as the app)")
    amount.add_argument("--quick", action="store_true", help="a smaller pool, one seed, fewer points")
    which.add_argument("--pool", choices=sorted(MIXES), help="another generated pool instead of the default's")
    amount.add_argument("--short", action="store_true", help="the main arms at both budgets, nothing else")
    amount.add_argument("--claim", action="store_true", help="the arms that carry a claim, ten paired seeds")
    amount.add_argument("--faithful", action="store_true", help="the linear datamodelling score alone, 100 half-pools")
    amount.add_argument("--table", type=Path, nargs="+", metavar="FILE",
                        help="print the tables of reports that --json wrote, and run nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR",
                        help="with --table: also add the values behind the tables to one small file per study there")
    parser.add_argument("--minutes", type=float, metavar="N",
                        help="begin no retraining after so many minutes; the tables are of the finished ones (54, "
                             "with --quick 13; inf: run all)")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED",
                        help="seeds of the arms (fresh ones to confirm)")
    parser.add_argument("--arms", nargs="+", metavar="ARM", choices=sorted(ARMS),
                        help="these arms alone, at the budgets and with the seeds of the plan")
    parser.add_argument("--processes", type=int, default=2, help="retrainings at a time, one thread each")
    parser.add_argument("--ablate", action="append", default=[], choices=sorted(ABLATIONS), metavar="NAME",
                        help=f"also vary: {', '.join(sorted(ABLATIONS))}")
    parser.add_argument("--transfer", type=Path, metavar="MODEL",
                        help="also train this larger base on the rows found with the study's own")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    if chosen.table:
        with one_line("evidence"):
            print(tables(chosen.table))
            for path in keep_cells(chosen.table, chosen.keep) if chosen.keep else []:
                print(f"kept in {path}", file=sys.stderr)
        return 0
    if chosen.keep:
        parser.error("--keep goes with --table")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread per process: see cadc.models.load.set_threads
    logging.basicConfig(level=logging.WARNING)
    amounts = {"quick": QUICK, "short": SHORT, "claim": CLAIMS, "faithful": FAITHFUL}
    plan = next((plan for name, plan in amounts.items() if getattr(chosen, name)), FULL)
    if chosen.seeds:
        plan = replace(plan, seeds=tuple(chosen.seeds), curve_seeds=tuple(chosen.seeds[:len(plan.curve_seeds)]),
                       beside_seeds=tuple(chosen.seeds[:len(plan.beside_seeds)]))
    if chosen.arms:
        plan = just(plan, chosen.arms)
    if chosen.minutes is not None:
        plan = replace(plan, minutes=chosen.minutes)
    clock, until = Clock(), began + 60 * plan.minutes
    with one_line("evidence"):
        study = (Study.open(chosen.study, root=chosen.cache) if chosen.study else
                 make_study(chosen.cache, quick=chosen.quick, pool=chosen.pool or ""))
        finish(study, chosen.processes)
        clock.lap("study")
        result = measure(study, plan, chosen.processes, clock, until)
        if chosen.ablate:
            result["ablations"] = ablation_part(study, chosen.ablate, plan, chosen.processes, root=chosen.cache)
            clock.lap("ablations")
        if chosen.transfer:
            result["transfer"] = transfer_part(study, chosen.transfer, plan, chosen.processes)
            clock.lap("transfer")
    result = plain(result | {"study": study.name, "identity": study.identity, "plan": asdict(plan),
                     "quick": chosen.quick, "seconds": clock.stop(), "processes": chosen.processes} | about())
    show(result)
    tell(result, chosen.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
