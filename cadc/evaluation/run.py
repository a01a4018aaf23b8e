"""The `evaluate` job: retrain every arm from the same base and score it (METHOD §6). Each finished run is one file."""

import json
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cadc.errors import JobError
from cadc.evaluation.arms import ARMS
from cadc.evaluation.asking import complete, request_evaluation
from cadc.evaluation.material import provide
from cadc.evaluation.request import Request, Run, read_request, request_file, result_file
from cadc.evaluation.results import COLUMNS, EvaluationResult
from cadc.evaluation.retrain import Retrainer, open_retrainer, retrain
from cadc.evaluation.scoring import score
from cadc.evaluation.settings import EvaluationSettings
from cadc.study import Study, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)


def run_evaluation(study: Study, progress: Progress, settings: EvaluationSettings | None = None) -> None:
    """Run what the latest request asks for and is not there yet; with `settings`, or without any request, ask first.

    The same request on the same machine gives the same numbers, interrupted or not: a stopped run is done again from
    its first step. Raises Cancelled, JobError when the study has no scores, ModelError when the base cannot be loaded.
    """
    request = None if settings is not None else read_request(study)
    request = request or request_evaluation(study, settings)
    if request.open:
        progress.note("choosing the rows that every arm trains on")
        for needs in dict.fromkeys(ARMS[arm].needs for arm in request.settings.arms):
            provide(study, needs, progress)
        request = complete(study, request)
    todo = unfinished(study, request)
    total, done = _work(request, request.runs), _work(request, request.runs) - _work(request, todo)
    progress.start(total, unit="samples", done=done)
    if not todo:
        progress.note("every run of this comparison is already finished")
        return
    progress.note("loading the base and what is scored")
    retrainer = open_retrainer(study, request.scored)
    for number, run in enumerate(todo):
        progress.note(f"run {number + 1} of {len(todo)}: {run.arm}, seed {run.seed}")
        run_one(study, request, run, retrainer, progress)


def unfinished(study: Study, request: Request) -> list[Run]:
    """Runs that have no result yet, each key once."""
    return list({run.key: run for run in request.runs if not result_file(study, run.key).exists()}.values())


def _work(request: Request, runs: Iterable[Run]) -> int:
    """Samples trained on and scored."""
    return sum(run.steps * request.settings.batch + len(request.scored) for run in runs)


def run_one(study: Study, request: Request, run: Run, retrainer: Retrainer, progress: Progress) -> None:
    """Train and score one arm with one seed, then write its file."""
    from cadc.models.precision import products

    settings, rows = request.settings, request.row_lists[run.rows]
    vlm, began = retrainer.vlm, time.monotonic()
    with products(settings.products, vlm.device):
        logged = retrain(retrainer, rows, steps=run.steps, seed=run.seed, settings=settings, progress=progress)
        trained = time.monotonic() - began
        units = score(vlm, retrainer.target, retrainer.samples, retrainer.scored, pictures=retrainer.pictures,
                      max_new_tokens=settings.max_new_tokens, seen=lambda n: progress.step(n))
    used = len(set(rows["index"]))
    log.info("%s, seed %d: %d rows, %d steps, accuracy %.3f", run.arm, run.seed, used, len(logged),
             float(np.mean([u["accuracy"] for u in units])))
    write_json(result_file(study, run.key), {
        "key": run.key, "identity": study.identity, "rows": used, "steps": len(logged),
        "samples_seen": len(logged) * settings.batch, "seconds": round(time.monotonic() - began, 3),
        "seconds_training": round(trained, 3), "units": units, "losses": logged,
        "not_scored": len(request.scored) - len(retrainer.scored), "device": vlm.device,
        "notes": [*vlm.notes, *filter(None, [retrainer.pool.note, _rounded(settings, vlm.device)])]})


def _rounded(settings: EvaluationSettings, device: str) -> str:
    """A note where products may have been rounded; '' where not."""
    rounded = settings.products != "float32" and device.startswith("cpu")
    return f"Trained and scored with {settings.products} products: operands may be rounded." if rounded else ""


# ---- reading -------------------------------------------------------------------------------------------------------
def read_result(study: Study, request: Request) -> EvaluationResult:
    """A request with all of its runs that are finished."""
    rows: list[tuple[object, ...]] = []
    done, notes = 0, list(request.notes)
    for run in request.runs:
        path = result_file(study, run.key)
        if not path.exists():
            continue
        found = _read(path, study)
        done += 1
        rows += [(run.arm, run.seed, unit["unit"], unit["accuracy"], unit["loss"], unit["n"], found["rows"],
                  found["samples_seen"], found["steps"], found["seconds"], run.budget) for unit in found["units"]]
        notes += [note for note in found["notes"] if note not in notes]
        if found["not_scored"] and (note := f"{found['not_scored']} target samples could not be encoded.") not in notes:
            notes.append(note)
    return EvaluationResult(id=request.id, created=request.created, settings=request.settings,
                            table=pd.DataFrame(rows, columns=list(COLUMNS)), held_out=request.held_out, done=done,
                            total=request.total, notes=tuple(notes))


def _read(path: Path, study: Study) -> dict[str, Any]:
    """One result file. Raises JobError when it cannot be read or belongs to another study."""
    try:
        found = json.loads(path.read_text())
        if found["identity"] == study.identity:
            return found
    except (KeyError, ValueError) as error:
        raise JobError(f"evaluation result {path.name} cannot be read ({error}). Delete it and run again.") from error
    raise JobError(f"evaluation result {path.name} belongs to another study. Delete it and run again.")


def read_results(study: Study) -> list[EvaluationResult]:
    """All comparisons that were asked for, the latest request first, finished or not."""
    latest = read_request(study)
    if latest is None:
        return []
    names = [path.stem for path in request_file(study, latest.id).parent.glob("*.json")]
    others = [read_request(study, name) for name in names if name != latest.id]
    older = sorted((r for r in others if r is not None), key=lambda r: r.created, reverse=True)
    return [read_result(study, request) for request in (latest, *older)]
