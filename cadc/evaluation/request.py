"""A comparison asked for: which rows every arm trains on and which samples it is scored on, fixed in a file beforehand.

The worker reads only this file, so a run can be repeated whatever was decided since. Layout below
`Study.evaluation_folder`: `requests/<id>.json`, `results/<key>.json`, `latest.json`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from cadc.errors import JobError
from cadc.evaluation.arms import ARMS, RENAMED, UNTRAINED
from cadc.evaluation.settings import EvaluationSettings
from cadc.study import Study, write_json


class RowList(TypedDict):
    """What an arm trains on, as JSON (see `TrainingRows`)."""

    index: list[int]
    """Positions in the pool file."""
    stages: list[int] | None
    """Stage of each; None: whole passes."""
    shuffled: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """One arm with one seed at one budget."""

    arm: str
    seed: int
    rows: str
    """Name of its row list in the request."""
    key: str
    """16 hex digits over all that its numbers depend on: equal runs of two requests are computed once."""
    steps: int
    """Optimiser steps."""
    budget: float
    """Share of the scored pool that the comparison asks for; arms without a budget (base, full) stand beside all."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """All that a comparison depends on."""

    id: str
    created: str
    identity: str
    settings: EvaluationSettings
    runs: tuple[Run, ...]
    """Empty while rows are not chosen yet (`open`)."""
    row_lists: dict[str, RowList]
    scored: tuple[int, ...]
    """Positions in the target file (`Sample.index`) of the samples that are scored."""
    held_out: str
    notes: tuple[str, ...]
    curation: dict[str, Any]
    """Curation settings of the curriculum (`CurationSettings.to_dict`)."""
    capabilities: dict[str, Any]
    """Its capabilities (`Capabilities.to_dict`)."""

    @property
    def open(self) -> bool:
        """Whether rows are still to be chosen, since an arm needs what only a job should compute (an embedding)."""
        return not self.runs

    @property
    def total(self) -> int:
        """How many runs there are or will be."""
        if self.runs:
            return len(self.runs)
        trained = sum(arm != UNTRAINED for arm in self.settings.arms)
        points = max(1, len(self.settings.budgets))
        return points * (trained * len(self.settings.seeds) + (UNTRAINED in self.settings.arms))


def hash_of(value: object) -> str:
    """64 hex digits of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def trained_on(study: Study) -> str:
    """What every retraining of a study reads beside its rows: its question, samples and pictures, the model's files."""
    return hash_of([study.identity, study.key("ingest"), study.content["model"]])


# ---- files ---------------------------------------------------------------------------------------------------------
def request_file(study: Study, identifier: str) -> Path:
    """File of one request."""
    return study.evaluation_folder / "requests" / f"{identifier}.json"


def result_file(study: Study, key: str) -> Path:
    """File of one finished run; it exists only when the run is complete."""
    return study.evaluation_folder / "results" / f"{key}.json"


def write_request(study: Study, request: Request) -> None:
    """Write its file, whole or not at all."""
    values = {name: getattr(request, name) for name in request.__dataclass_fields__}
    write_json(request_file(study, request.id), values | {
        "settings": request.settings.to_json(), "runs": [asdict(run) for run in request.runs],
        "scored": list(request.scored), "notes": list(request.notes)})


def read_request(study: Study, identifier: str | None = None) -> Request | None:
    """One request (None: the latest); None when nothing was asked yet.

    Raises JobError when the file cannot be read or belongs to another study.
    """
    try:
        identifier = identifier or json.loads((study.evaluation_folder / "latest.json").read_text())["id"]
        values = _kept(_renamed(json.loads(request_file(study, identifier).read_text())))
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


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """A mixed curriculum that was trained on in one order is today's `cadc-kept`: `cadc` is shuffled in every pass."""
    lists = values["row_lists"]
    if values["curation"].get("staging") != "mix" or not any(
            run["arm"] == "cadc" and not lists[run["rows"]]["shuffled"] for run in values["runs"]):
        return values

    def called(arm: str) -> str:
        return "cadc-kept" if arm == "cadc" else arm

    arms = list(dict.fromkeys(map(called, values["settings"]["arms"])))
    return values | {"runs": [run | {"arm": called(run["arm"])} for run in values["runs"]],
                     "settings": values["settings"] | {"arms": arms}}


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """A request of an earlier version in today's words: arms had other names, one number of steps, one budget."""
    if "steps" not in values:
        return values
    steps = values.pop("steps")
    runs = [{"steps": 0 if run["arm"] == UNTRAINED else steps, "budget": 0.0} | run for run in values["runs"]]
    for run in runs:
        run["arm"] = RENAMED.get(run["arm"], run["arm"])
    arms = [RENAMED.get(arm, arm) for arm in values["settings"]["arms"]]
    return {"curation": {}, "capabilities": {}} | values | {"runs": runs, "settings": values["settings"] | {
        "arms": [arm for arm in arms if arm in ARMS]}}
