"""Evaluation page: what a comparison costs before it starts, and what it says when it is there.

The tables it shows are made in `cadc.views.comparison`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cadc.curation import PRESETS, read_budget
from cadc.curation.workbench import Workbench
from cadc.errors import BusyError
from cadc.evaluation import (
    ARMS,
    EvaluationResult,
    EvaluationSettings,
    Request,
    against,
    arms_apart,
    at_budget,
    headline,
    read_results,
    request_evaluation,
    summary,
    verdict,
)
from cadc.evaluation.arms.signals import UNFILTERED
from cadc.evaluation.context import needs_gradients
from cadc.jobs import control
from cadc.signals import SIGNALS
from cadc.study import Study
from cadc.views import comparison, report
from cadc.views.adding import adding
from cadc.views.trajectories import warmup_log
from cadc.views.words import duration

HELD_OUT = {"held out": "Scored on target samples that had no part in the choice of rows.",
            "means only": "Scored on target samples that entered unit means, but were never a single target question.",
            "same samples": "Scored on the samples by which the curriculum was chosen: this favours it."}
"""How scored samples relate to the gradients, in words."""
SAME = {"steps": "Same steps: 5 % of the data for as many steps as all of it",
        "epochs": "Same passes: every arm goes over its own rows equally often, 5 % of the data for 5 % of the steps"}
"""What all arms have in common, in words."""


def arm_lines(bench: Workbench) -> tuple[dict[str, str], str]:
    """The arms that this study can have, name → `name: line`, the usual ones first, then presets and signals, those
    without a filter last; and a sentence about those that need gradients, '' where it has these."""
    waiting = [] if bench.scores.has_gradients else [name for name, arm in ARMS.items() if needs_gradients(arm)]
    offer = adding(bench.study) if waiting else None
    first = [*EvaluationSettings().arms, *PRESETS, *SIGNALS]
    place = {name: number for number, name in enumerate(dict.fromkeys([*first, *ARMS]))}
    order = sorted(ARMS, key=lambda name: (name.endswith(UNFILTERED), place[name]))
    lines = {name: f"{name}: {ARMS[name].about}" for name in order if name not in waiting}
    return lines, offer.why_not(f"Not offered: {', '.join(waiting)}. Each") if offer else ""


def budgets_from(text: str) -> tuple[float, ...]:
    """`1%, 2%, 500` as budgets; () for an empty text. Raises DataError."""
    return tuple(read_budget(part) for part in text.split(",") if part.strip())


def asked(*, arms: Sequence[str], seeds: Sequence[int], steps: int, batch: int, equal: str, epochs: float,
          samples_per_unit: int, budgets: str) -> EvaluationSettings:
    """A comparison as a page or a command asks for it: the same choices are the same request. budgets: as
    `budgets_from` reads them; epochs: passes over its rows of each arm, where `equal` is that. Raises DataError."""
    return EvaluationSettings(arms=tuple(arms), seeds=tuple(seeds), steps=steps, batch=batch, equal=equal,
                              epochs=float(epochs) if equal == "epochs" else 0.0, samples_per_unit=samples_per_unit,
                              budgets=budgets_from(budgets))


def begin(study: Study, settings: EvaluationSettings, bench: Workbench) -> Request:
    """Write a comparison down and start the worker that runs it. Raises BusyError while one is at work, DataError for
    an arm that the study cannot have."""
    if control.is_running(study):
        raise BusyError(f"study {study.name!r} is already being worked on. Wait for it or cancel it first "
                        f"(`python -m cadc cancel {study.name}`).")
    request = request_evaluation(study, settings, bench=bench, later=True)
    control.start(study, "evaluate")
    return request


@dataclass(frozen=True, eq=False, kw_only=True)
class EvaluationView:
    """Comparisons of one study."""

    bench: Workbench
    group_of: dict[str, str]
    """Unit → capability's name; unassigned units are left out."""
    results: list[EvaluationResult]
    rate: float | None
    """Samples per second here."""
    rate_from: str
    """Where that number comes from."""

    @property
    def units(self) -> int:
        """Target units of the study."""
        return len(self.bench.capabilities.units)

    @property
    def usual_arms(self) -> tuple[str, ...]:
        """What a comparison starts with."""
        return arms_apart(EvaluationSettings().arms, self.bench.settings.staging)

    def cost(self, settings: EvaluationSettings) -> dict[str, Any]:
        """runs, trained, scored (samples), seconds (None: not known) and where the pace comes from (`basis`)."""
        apart = replace(settings, arms=arms_apart(settings.arms, self.bench.settings.staging))
        todo = comparison.work(apart, self.units, len(self.bench.table), self.bench.settings.budget)
        return {**todo, "seconds": comparison.cost(todo, self.rate), "basis": self.rate_from}

    def cost_note(self, settings: EvaluationSettings) -> str:
        """What a comparison will take, before it starts."""
        todo = self.cost(settings)
        takes = f"About {duration(todo['seconds'])} ({self.rate_from})." if todo["seconds"] is not None else (
            "How long that takes is not known before the first run here.")
        return (f"{todo['runs']} runs: {todo['trained']:,} samples to train on and up to {todo['scored']:,} to score. "
                f"{takes} Runs already there are not run again.")

    def labels(self) -> list[str]:
        """One line per comparison."""
        return [f"{r.created.replace('T', ' ')} · {', '.join(r.settings.arms)} · {r.done} of {r.total} runs"
                for r in self.results]


def evaluation_view(study: Study, bench: Workbench) -> EvaluationView:
    """As the files of a finished study have it. Raises JobError."""
    found, results, log = bench.capabilities, read_results(study), warmup_log(study)
    paces = log["samples_per_s"].dropna().tolist() if len(log) else []
    rate, source = comparison.pace([r.table for r in results], paces)
    return EvaluationView(bench=bench, results=results, rate=rate, rate_from=source, group_of={
        unit: found.names[k] for unit, k in zip(found.units, found.of_unit, strict=True) if k >= 0})


def forward_note(settings: EvaluationSettings) -> str:
    """What comes on top for arms that choose by an embedding; '' where none does."""
    waiting = [arm for arm in settings.arms if ARMS[arm].needs == "embedding"]
    names = ", ".join(waiting)
    return f"{names}: the first time, one forward of the base over the pool comes on top." if waiting else ""


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparisonView:
    """One comparison at one budget."""

    result: EvaluationResult
    budget: float
    table: pd.DataFrame
    """The tidy table of that budget."""
    by_capability: pd.DataFrame
    """Its `summary`."""
    groups: list[str]
    """`overall`, the capabilities, then what belongs to none."""
    arms: list[str]
    effort: pd.DataFrame
    chance: pd.DataFrame
    seeds: pd.DataFrame
    units: int
    """Target units of the study."""
    about: dict[str, str]
    """What the numbers belong to."""

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        return headline(self.table)

    @property
    def verdict(self) -> str:
        """Every comparison in words."""
        return verdict(self.table)

    @property
    def effort_note(self) -> str:
        """Whether the arms are comparable, and what they were scored on."""
        return f"{comparison.equal_effort(self.effort)} {HELD_OUT[self.result.held_out]}"

    @property
    def open_note(self) -> str:
        """What is not finished; '' when everything is."""
        done, total = self.result.done, self.result.total
        return "" if self.result.complete else f"{done} of {total} runs are finished; the numbers will still move."

    @property
    def drawn_note(self) -> str:
        """How much the figure shows."""
        return (f"drawn {self.table['unit'].nunique()} of {self.units} target units, "
                f"{self.result.done} of {self.result.total} runs")

    def by_unit(self) -> pd.DataFrame:
        """`summary` with one group per unit."""
        return summary(self.table, comparison.by_unit(self.table))

    def dots(self) -> pd.DataFrame:
        """`by_capability` with intervals over seeds."""
        return comparison.with_intervals(self.by_capability)

    @property
    def references(self) -> list[str]:
        """Arms that the others can be compared with, the most telling one first."""
        return comparison.references(self.arms)

    def differences(self, reference: str) -> pd.DataFrame:
        """arm, minus `reference`, reading, from, to, p (Holm): every other arm, most ahead first, paired over units and
        seeds."""
        return comparison.chance_table(against(self.table, reference), reference)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Heading → table, as the report has them."""
        return {"Against random rows": self.chance, "What each arm was trained on": self.effort,
                "Every seed, accuracy in %": self.seeds}

    def files(self) -> dict[str, str]:
        """The report with its figures and every number: {file name: text}."""
        result = self.result
        about: dict[str, object] = {**self.about, **result.settings.to_json()}
        return report.report(title=f"Comparison {result.id}", about=about, tables=self.tables(),
                             headline=self.headline, verdict=self.verdict, notes=result.notes,
                             summary=self.by_capability, arms=self.arms, groups=self.groups, table=result.table)


def budgets_of(result: EvaluationResult) -> list[float]:
    """Budgets of a comparison, the smallest first."""
    return sorted(set(result.table["budget"]))


def comparison_view(view: EvaluationView, result: EvaluationResult, budget: float) -> ComparisonView:
    """A comparison that has at least one finished run, at one of `budgets_of` it."""
    bench, table = view.bench, at_budget(result.table, budget)
    by_capability = summary(table, view.group_of)
    groups = comparison.capability_order(by_capability, bench.capabilities.names)
    study = bench.study
    about = {"study": f"{study.name} ({study.identity})", "model": study.config.model, "asked": result.created,
             "budget": f"{100 * budget:g} % of {len(bench.table):,} scored pool rows",
             "scored": HELD_OUT[result.held_out], "runs": f"{result.done} of {result.total}"}
    return ComparisonView(result=result, budget=budget, table=table, by_capability=by_capability, groups=groups,
                          arms=list(dict.fromkeys(table["arm"])), units=view.units, about=about,
                          effort=comparison.effort_table(table), chance=comparison.chance_table(against(table)),
                          seeds=comparison.seed_table(table, by_capability, view.group_of, groups))
