"""Asking for a comparison: its rows are chosen and written down before anything is trained."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from cadc.curation.settings import CurationSettings
from cadc.curation.workbench import Workbench, open_workbench
from cadc.discovery.capabilities import Capabilities
from cadc.evaluation.arms import ARMS
from cadc.evaluation.compose import compose, require_arms
from cadc.evaluation.material import Material, there
from cadc.evaluation.request import Request, hash_of, read_request, write_request
from cadc.evaluation.settings import EvaluationSettings
from cadc.study import Study, write_json


def request_evaluation(study: Study, settings: EvaluationSettings | None = None, *,
                       bench: Workbench | None = None, later: bool = False) -> Request:
    """Write down a comparison for the `evaluate` job and make it the one that the job runs.

    bench: the `Workbench` whose curriculum is compared; None: the one that the study's decisions make. Where an arm
    needs what is not computed (an embedding), the job computes it and chooses the rows first (`complete`), by the
    capabilities and settings that are written down here; `later`: in any case, since choosing takes minutes for some
    arms and a page should not wait. What was asked before keeps its rows then. Raises JobError when the study has no
    scores yet, DataError for an unknown arm or one that this study cannot have.
    """
    settings = settings or EvaluationSettings()
    inputs = (bench or open_workbench(study)).inputs
    require_arms(settings.arms, Material(study, inputs, np.zeros(len(inputs.scores.index), bool)))
    waits = not all(there(study, ARMS[arm].needs) for arm in settings.arms)
    request = Request(id="", created=datetime.now().isoformat(timespec="seconds"), identity=study.identity,
                      settings=settings, runs=(), row_lists={}, scored=(), held_out="", notes=(),
                      curation=inputs.settings.to_dict(), capabilities=inputs.capabilities.to_dict())
    request = replace(request, id=hash_of([request.identity, settings.to_json(), request.curation,
                                           request.capabilities])[:12])
    if later or waits:
        asked = read_request(study, request.id)
        same = asked is not None and not asked.open and asked.settings == settings  # its arms may mean others by now
        request = replace(asked, created=request.created) if asked and same else request
    else:
        request = compose(study, request, inputs)
    write_request(study, request)
    write_json(study.evaluation_folder / "latest.json", {"id": request.id})
    return request


def complete(study: Study, request: Request) -> Request:
    """The same request with the rows of every arm, written down; what is complete already stays as it is."""
    if not request.open:
        return request
    inputs = replace(open_workbench(study).inputs, capabilities=Capabilities.from_dict(request.capabilities),
                     settings=CurationSettings.from_dict(request.curation))
    request = compose(study, request, inputs)
    write_request(study, request)
    return request
