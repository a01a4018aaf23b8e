"""Does a curriculum found with a small model train a larger one? The rows stay, the base changes."""

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lab.arms import comparison
from benchmarks.lab.plan import Plan
from benchmarks.lab.retrainings import run_all
from cadc.errors import ModelError
from cadc.study import Study

ARMS = ("base", "full", "random", "cadc", "cadc-mixed", "paper-mixed", "oracle")


def transfer_part(study: Study, model: Path, plan: Plan, processes: int) -> dict[str, Any]:
    """The arms of the first budget on another base (`benchmarks.larger` makes one): same rows, steps and seeds."""
    from cadc.evaluation import EvaluationSettings, at_budget, read_result, request_evaluation
    from cadc.evaluation.material import read_truth
    from cadc.evaluation.request import hash_of, write_request
    from cadc.study import file_digest

    weights = sorted(model.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{model} holds no safetensors weights. `python -m benchmarks.larger --out {model}` makes it.")
    digest = hash_of([file_digest(path) for path in weights])
    known = read_truth(Path(study.config.pool), np.arange(0)) is not None
    arms = ARMS if known else ARMS[:-1]
    own = request_evaluation(study, EvaluationSettings(arms=arms, seeds=plan.seeds, steps=plan.steps,
                                                       budgets=plan.budgets[:1]))
    runs = tuple(replace(run, key=hash_of([run.key, digest])[:16]) for run in own.runs)
    moved = replace(own, id=hash_of([own.id, digest])[:12], runs=runs,
                    notes=(*own.notes, "Trained from another base; rows were chosen with the study's."))
    write_request(study, moved)
    run_all(study, [moved], None, processes, model=str(model))
    return comparison(at_budget(read_result(study, moved).table)) | {
        "parameters": _parameters(model), "parameters_of_study": _parameters(Path(study.config.model))}


def _parameters(folder: Path) -> int:
    """Numbers in the weights of a model folder."""
    from safetensors import safe_open

    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as weights:
            for name in weights.keys():
                total += prod(weights.get_slice(name).get_shape())
    return total
