"""A comparison asked for: which rows every arm trains on and which samples it is scored on, fixed in a file beforehand.

The worker reads only this file, so a run can be repeated whatever was decided since. Layout below
`Study.evaluation_folder`: `requests/<id>.json`, `results/<key>.json`, `latest.json`.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from cadc.errors import JobError
from cadc.evaluation.arms import Chosen, Offer, selector
from cadc.evaluation.leaks import pixel_digest, repeats_target
from cadc.evaluation.settings import EvaluationSettings
from cadc.evaluation.split import SAME, gradient_samples, scored_samples
from cadc.study import Study, write_json


@dataclass(frozen=True, kw_only=True)
class Run:
    """One arm with one seed."""

    arm: str
    seed: int
    rows: str
    """Name of its row list in the request."""
    key: str
    """16 hex digits over all that its numbers depend on: equal runs of two requests are computed once."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """All that a comparison depends on."""

    id: str
    created: str
    identity: str
    settings: EvaluationSettings
    steps: int
    runs: tuple[Run, ...]
    row_lists: dict[str, dict[str, Any]]
    """Name → {index: positions in the pool file, stages: stage of each or null, shuffled} (see `Chosen`)."""
    scored: tuple[int, ...]
    """Positions in the target file (`Sample.index`) of the samples that are scored."""
    held_out: str
    notes: tuple[str, ...]


def request_evaluation(study: Study, settings: EvaluationSettings | None = None, *, bench: Any = None) -> Request:
    """Write down a comparison for the `evaluate` job and make it the one that the job runs.

    bench: the `Workbench` whose curriculum is compared; None: the one that the study's decisions make. Raises JobError
    when the study has no scores yet, DataError for an unknown arm.
    """
    from cadc.data import read_samples
    from cadc.workbench import open_workbench

    settings = settings or EvaluationSettings()
    bench = bench or open_workbench(study)
    pool, target = read_samples(study.samples_file("pool")), read_samples(study.samples_file("target"))
    in_means, single = gradient_samples(study, target)
    split = scored_samples([s.unit or s.id for s in target], in_means=in_means, single=single,
                           at_most=settings.samples_per_unit)
    index = np.asarray(bench.scores.index)
    by_index = {s.index: s for s in pool}
    leaks = repeats_target([by_index[int(i)] for i in index], target, _digest_of(study))
    rows = bench.curriculum.rows
    offer = {"index": index, "allowed": ~leaks, "curriculum": rows["position"].to_numpy(np.int64),
             "stages": rows["stage"].to_numpy(np.int64)}
    notes = _notes(split.kind, int(leaks.sum()))
    request = _compose(study, settings, offer, tuple(target[p].index for p in split.positions), split.kind, notes)
    _write(study, request)
    return request


def _digest_of(study: Study):
    """How `repeats_target` looks at pictures."""
    from cadc.data import open_images

    def digest(role: str, sample) -> str:
        return pixel_digest(open_images(sample, study.image_root(role), study.ingest_images(role)))

    return digest


def _notes(kind: str, leaks: int) -> tuple[str, ...]:
    """What a reader of the result must know."""
    notes = []
    if kind == SAME:
        notes.append("The target is too small to keep samples back: arms are scored on the samples whose gradients "
                     "chose the curriculum, which favours it.")
    if leaks:
        notes.append(f"{leaks} pool rows repeat a target sample and are left out of every arm.")
    return tuple(notes)


def _compose(study: Study, settings: EvaluationSettings, offer: dict[str, np.ndarray], scored: tuple[int, ...],
             held_out: str, notes: tuple[str, ...]) -> Request:
    """Let every selector choose, once per seed, and name the runs."""
    steps = settings.steps_for(int(np.unique(offer["curriculum"]).shape[0]))
    lists: dict[str, dict[str, Any]] = {}
    runs = []
    for arm in settings.arms:
        for seed in settings.seeds if arm != "base" else settings.seeds[:1]:
            rows = _listed(selector(arm).select(Offer(**offer, seed=seed)), offer["index"])
            if arm != "base" and not rows["index"]:
                raise JobError(f"arm {arm!r} has no rows to train on. Raise the budget on Curriculum.")
            name = _hash(rows)[:12]
            lists[name] = rows
            question = {"identity": study.identity, "rows": name, "scored": scored,
                        "seed": seed if arm != "base" else 0,
                        "steps": steps, "batch": settings.batch, "learning_rate": settings.learning_rate,
                        "rise": settings.rise, "max_new_tokens": settings.max_new_tokens}
            runs.append(Run(arm=arm, seed=seed, rows=name, key=_hash(question)[:16]))
    runs.sort(key=lambda run: settings.seeds.index(run.seed))
    identifier = _hash({"runs": [(r.arm, r.seed, r.key) for r in runs]})[:12]
    return Request(id=identifier, created=datetime.now().isoformat(timespec="seconds"), identity=study.identity,
                   settings=settings, steps=steps, runs=tuple(runs), row_lists=lists, scored=scored,
                   held_out=held_out, notes=notes)


def _listed(chosen: Chosen, index: np.ndarray) -> dict[str, Any]:
    """A choice as JSON: positions become rows of the pool file, which do not move when scores are made anew."""
    return {"index": [int(i) for i in index[chosen.positions]],
            "stages": None if chosen.stages is None else [int(s) for s in chosen.stages],
            "shuffled": chosen.stages is None and chosen.shuffled}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


# ---- files ---------------------------------------------------------------------------------------------------------
def request_file(study: Study, identifier: str) -> Path:
    """File of one request."""
    return study.evaluation_folder / "requests" / f"{identifier}.json"


def result_file(study: Study, key: str) -> Path:
    """File of one finished run; it exists only when the run is complete."""
    return study.evaluation_folder / "results" / f"{key}.json"


def _write(study: Study, request: Request) -> None:
    values = {"id": request.id, "created": request.created, "identity": request.identity,
              "settings": request.settings.to_json(), "steps": request.steps,
              "runs": [{"arm": r.arm, "seed": r.seed, "rows": r.rows, "key": r.key} for r in request.runs],
              "row_lists": request.row_lists, "scored": list(request.scored), "held_out": request.held_out,
              "notes": list(request.notes)}
    write_json(request_file(study, request.id), values)
    write_json(study.evaluation_folder / "latest.json", {"id": request.id})


def read_request(study: Study, identifier: str | None = None) -> Request | None:
    """One request (None: the latest); None when nothing was asked yet.

    Raises JobError when the file cannot be read or belongs to another study.
    """
    try:
        identifier = identifier or json.loads((study.evaluation_folder / "latest.json").read_text())["id"]
        values = json.loads(request_file(study, identifier).read_text())
        values |= {"settings": EvaluationSettings.from_json(values["settings"]),
                   "runs": tuple(Run(**run) for run in values["runs"]),
                   "scored": tuple(values["scored"]), "notes": tuple(values["notes"])}
        request = Request(**values)
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise JobError(f"evaluation request {identifier} of study {study.name!r} cannot be read ({error}). "
                       "Ask for the comparison again on Evaluation.") from error
    if request.identity != study.identity:
        raise JobError(f"evaluation request {request.id} belongs to another study ({request.identity}). "
                       "Ask for the comparison again on Evaluation.")
    return request
