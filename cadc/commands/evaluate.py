"""Retrain and compare, as the Evaluation page asks for it."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cadc.commands.command import Command, as_json, of_study, print_json, shown

if TYPE_CHECKING:
    from cadc.evaluation import EvaluationResult, EvaluationSettings
    from cadc.views.evaluation import ComparisonView, EvaluationView


def _arguments(parser: argparse.ArgumentParser) -> None:
    from cadc.evaluation.settings import EQUAL, EvaluationSettings

    usual = EvaluationSettings()
    of_study(parser)
    parser.add_argument("--arms", nargs="+", default=[], metavar="ARM",
                        help=f"ways to choose rows (`tables arms` lists them); default: {' '.join(usual.arms)}, but of "
                             "a mixed curriculum not cadc-mixed, which cadc is then")
    parser.add_argument("--seeds", nargs="+", type=int, default=[len(usual.seeds)], metavar="N",
                        help=f"how many (0, 1, …), or which, where several are named; default: {len(usual.seeds)}")
    parser.add_argument("--budgets", nargs="+", default=[], metavar="SHARE|ROWS",
                        help="every arm once for each; default: the curriculum's")
    parser.add_argument("--steps", type=int, default=usual.steps, metavar="N",
                        help=f"optimiser steps of each arm; default: {usual.steps}")
    parser.add_argument("--batch", type=int, default=usual.batch, metavar="N",
                        help=f"samples per step; default: {usual.batch}")
    parser.add_argument("--scored", type=int, default=usual.samples_per_unit, metavar="N",
                        help=f"target samples of a unit that are scored, at most; default: {usual.samples_per_unit}")
    parser.add_argument("--equal", choices=EQUAL, default=usual.equal,
                        help=f"what all arms have in common; default: {usual.equal}")
    parser.add_argument("--epochs", type=float, default=2.0, metavar="N",
                        help="--equal epochs: passes of each arm over its rows; default: 2")
    parser.add_argument("--cost", action="store_true", help="print what it would take, and start nothing")
    parser.add_argument("--detach", action="store_true", help="start and return at once")
    as_json(parser)


def evaluate(chosen: argparse.Namespace) -> int:
    """Ask for the comparison, run it to its end (runs that are there already are not run again), print what it says; 1
    when it did not finish."""
    from cadc.commands.watch import follow
    from cadc.curation.workbench import open_workbench
    from cadc.evaluation import read_request, read_result
    from cadc.study import Study
    from cadc.views.evaluation import begin, evaluation_view, forward_note

    study = Study.open(chosen.name)
    view = evaluation_view(study, open_workbench(study))
    settings = settings_of(chosen, view.usual_arms)
    if chosen.cost:
        if chosen.json:
            print_json({"study": study.name, "settings": settings.to_json(), "cost": view.cost(settings)})
        else:
            print("\n".join(filter(None, [view.cost_note(settings), forward_note(settings)])))
        return 0
    request = begin(study, settings, view.bench)
    if chosen.detach:
        if chosen.json:
            print_json({"study": study.name, "comparison": request.id, "settings": settings.to_json()})
        return 0
    done = follow(study, "evaluate")
    request = read_request(study, request.id) or request  # its rows are chosen now
    return _print(view, read_result(study, request), done, as_line=chosen.json)


def settings_of(chosen: argparse.Namespace, usual: Sequence[str]) -> "EvaluationSettings":
    """What is asked for, of the usual arms where none are named. Raises DataError."""
    from cadc.views.evaluation import asked

    seeds = range(chosen.seeds[0]) if len(chosen.seeds) == 1 else chosen.seeds
    return asked(arms=chosen.arms or usual, seeds=seeds, steps=chosen.steps, batch=chosen.batch, equal=chosen.equal,
                 epochs=chosen.epochs, samples_per_unit=chosen.scored, budgets=",".join(chosen.budgets))


def _print(view: "EvaluationView", result: "EvaluationResult", done: bool, *, as_line: bool) -> int:
    """The answer at every budget."""
    from cadc.views.evaluation import budgets_of, comparison_view

    found = [comparison_view(view, result, budget) for budget in budgets_of(result)]
    if as_line:
        print_json({"study": view.bench.study.name, "comparison": result.id, "complete": result.complete,
                    "runs": result.done, "of": result.total, "settings": result.settings.to_json(),
                    "notes": result.notes, "budgets": [_told(one) for one in found],
                    "table": result.table.to_dict("records")})
        return int(not done)
    for one in found:
        print(f"budget {100 * one.budget:g} %")
        print("\n".join(filter(None, [one.headline, one.effort_note, one.open_note])))
        print(_table(one.by_capability[one.by_capability["capability"] == "overall"].to_dict("records")))
        print(one.verdict)
    for note in result.notes:
        print(shown(note))
    return int(not done)


def _told(one: "ComparisonView") -> dict[str, Any]:
    return {"budget": one.budget, "headline": one.headline, "verdict": one.verdict,
            "arms": one.by_capability.to_dict("records"), "against_random": one.chance.to_dict("records"),
            "effort": one.effort.to_dict("records")}


def _table(rows: Sequence[dict[Any, Any]]) -> str:
    """Overall accuracy of each arm in %, its s.d. over seeds, answer loss."""
    lines = [f"  {'arm':<24}{'accuracy %':>12}{'± s.d.':>9}{'loss':>9}"]
    for row in sorted(rows, key=lambda row: -row["accuracy"]):
        spread = f"{100 * row['accuracy_sd']:.1f}" if row["seeds"] > 1 else "–"
        lines.append(f"  {row['arm']:<24}{100 * row['accuracy']:>12.1f}{spread:>9}{row['loss']:>9.3f}")
    return "\n".join(lines)


EVALUATE = Command(name="evaluate", about="Retrain the base on the curriculum and on its rivals, and compare: price "
                   "first with --cost.", example="evaluate mine --arms base cadc random --seeds 3 --budgets 2% 5%",
                   arguments=_arguments, run=evaluate)
