"""One choice changed at a time: does the result hang on it? Each variant is a study or a decision of its own.

Changed settings of a study make another study, whose jobs run first and are kept by its identity; changed decisions
(capabilities, curation) only choose other rows.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.lab.arms import arm_rows
from benchmarks.lab.plan import Plan
from benchmarks.lab.retrainings import run_all
from benchmarks.lab.studies import create, finish
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.curation.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is changed, and which arms tell."""

    name: str
    study: dict[str, Any] = field(default_factory=dict)
    """Fields of `StudyConfig`."""
    discover: dict[str, Any] = field(default_factory=dict)
    """Fields of `DiscoverySettings`: τ, γ, signal, method."""
    curate: dict[str, Any] = field(default_factory=dict)
    """Fields of `CurationSettings`."""
    arms: tuple[str, ...] = ("cadc-mixed",)


def _each(key: str, values: tuple[Any, ...], where: str, arms: tuple[str, ...] = ("cadc-mixed",)) -> list[Variant]:
    return [Variant(name=f"{key}={value}", arms=arms, **{where: {key: value}}) for value in values]


ORDERED = ("cadc-kept", "cadc-staged", "cadc-mixed")
ABLATIONS: dict[str, list[Variant]] = {
    "capabilities": [*_each("tau", (0.0, 0.2, 0.4), "discover"), *_each("gamma", (0.5, 2.0), "discover"),
                     Variant(name="hdbscan", discover={"method": "hdbscan"})],
    "checkpoints": _each("checkpoints", (1, 2, 4), "study"),
    "warmup": _each("warmup_share", (0.05, 0.1, 0.25), "study"),
    "features": _each("features", ("adam", "less", "sgd"), "study", ("cadc-mixed", "paper-mixed", "less")),
    "grounded": [*_each("signal", ("plain", "grounded"), "discover"),
                 *(Variant(name=f"paper, {kind}", curate={"preset": "paper", "signal": kind})
                   for kind in ("plain", "grounded"))],
    "normalisation": [Variant(name=f"paper, scale={scale}", curate={"preset": "paper", "scale": scale})
                      for scale in ("unit", "raw")],
    "lora_layers": _each("lora_layers", ("all", "last:1", "last:2"), "study"),
    "landmarks": _each("landmarks", (1.0, 0.5, 0.25), "study"),
    "judges": [*_each("judges", (0, 1, 2, 3), "study"), *_each("loss_quantile", (0.8, 1.0), "curate")],
    "nearness": _each("nearness", ("gradients", "gradients+embedding"), "study"),
    "near": [*_each("near_q", (1, 5, 16), "study"), *_each("near_samples", (8, 32), "study")],
    "order": [*_each("staging", ("soft", "hard", "mix"), "curate", ORDERED),
              *_each("replay", (0.3,), "curate", ORDERED),
              *_each("inside", ("easy-first", "influence-first"), "curate", ORDERED)],
    "filters": [*_each("drop_loss_share", (0.0, 0.12, 0.25), "curate"),
                *_each("drop_duplicates", (False,), "curate")],
    "rule": _each("rule", ("target-share", "self-influence", "uniform", "pool-size"), "curate"),
}
"""By the name that `--ablate` takes."""


def ablation_part(study: Study, names: list[str], plan: Plan, processes: int, *,
                  root: Path | None) -> list[dict[str, Any]]:
    """Every variant of these ablations at the first budget: accuracy and loss per arm."""
    from cadc.evaluation import EvaluationSettings, at_budget, read_result, request_evaluation

    found = []
    for name in names:
        for variant in ABLATIONS[name]:
            own = _study(study, variant, processes, root)
            settings = EvaluationSettings(arms=variant.arms, seeds=plan.seeds, steps=plan.steps,
                                          budgets=plan.budgets[:1])
            request = request_evaluation(own, settings, bench=_bench(own, variant))
            run_all(own, [request], None, processes)
            table = at_budget(read_result(own, request).table)
            about = {"ablation": name, "variant": variant.name, "study": own.identity}
            found += [about | row for row in arm_rows(table)]
    return found


def _study(study: Study, variant: Variant, processes: int, root: Path | None) -> Study:
    """The study itself, or one with other settings, its jobs done."""
    config = replace(study.config, **variant.study)
    if config == study.config:
        return study
    name = f"{study.name}-{variant.name.replace('=', '-').replace(':', '-')}"
    made = create(name, config, root)
    finish(made, processes)
    return made


def _bench(study: Study, variant: Variant) -> "Workbench":
    """The workbench under the changed decisions."""
    from cadc.curation.workbench import open_workbench

    bench = open_workbench(study)
    if variant.discover:
        event = SimpleNamespace(kind="discover", payload=variant.discover, undone=False)
        bench = replace(bench, decisions=[*bench.decisions, event])
    return bench.with_settings(**variant.curate) if variant.curate else bench
