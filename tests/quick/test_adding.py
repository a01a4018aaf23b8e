"""Gradients come on top of a study that started without them: nothing is computed again, and everything opens up."""

import numpy as np
import pytest
from watching import times

from cadc.curation.workbench import open_workbench
from cadc.estimate import ledger
from cadc.jobs.engines import EngineSettings
from cadc.jobs.worker import run
from cadc.scores import columns
from cadc.scores.scores import Scores
from cadc.study.jobs import usual_jobs
from cadc.views.adding import adding, presets_of
from cadc.views.jobs import NOT_ASKED, job_lines
from cadc.views.opened import is_scored


@pytest.fixture
def study(quick_study, own_copy):
    return own_copy(quick_study)


def test_gradients_are_offered_with_their_price(study):
    offer = adding(study)
    assert offer.jobs == ("warmup", "targets", "attribute", "scores", "near") and not offer.begun
    assert offer.left == offer.jobs and offer.command.endswith("run squares --until near")
    assert not offer.price and "Predict the cost" in offer.sentence, "nobody has predicted it: the page says how"
    price = {"seconds": 60.0, "memory_mb": 10.0, "disk_mb": 1.5}
    ledger.keep(study, ledger.HERE, ledger.summed(dict.fromkeys((*offer.jobs, "embedding"), price), offer.jobs))
    assert adding(study).price == "about 5 min 00 s here and 8 MB on disk"
    assert adding(study).sentence.endswith("scores, near. About 5 min 00 s here and 8 MB on disk.")
    assert ledger.kept(study)[ledger.HERE]["total"]["seconds"] == 60, "the price of what was not asked for is apart"
    ready, why = presets_of(study)
    assert ready == ("quick", "studio") and why.startswith("Preset paper needs gradients, about 5 min")


def test_adding_gradients_computes_nothing_of_quick_again(study):
    before = {job: times(study.result(job).folder) for job in usual_jobs(study.config)}
    chosen = {"budget": "20%", "drop_loss_share": 0.0}  # of a row without gradients no loss is known
    was = open_workbench(study).with_settings(**chosen)
    digest, rows = columns.digest(study), was.curriculum.rows
    assert run(study, "near", EngineSettings(workers=1))
    assert {job: times(study.result(job).folder) for job in usual_jobs(study.config)} == before
    assert study.complete and is_scored(study) and columns.digest(study) != digest and adding(study) is None
    scores = Scores.load(study)
    assert scores.choice == "joined" and scores.has_gradients and scores.has_grounded
    bench = open_workbench(study).with_settings(**chosen)
    assert bench.inputs.scores.choice == "quick" and bench.discovery.signal == "embedding", "what was chosen stays"
    assert bench.capabilities.of_unit == was.capabilities.of_unit
    assert sorted(bench.curriculum.rows["position"]) == sorted(rows["position"])
    assert bench.curriculum.rows["measured"].all() and bench.curriculum.rows["self_influence"].notna().all()
    studio, paper = (bench.with_settings(preset=name) for name in ("studio", "paper"))
    assert studio.inputs.scores.choice == "joined" and len(studio.curriculum.rows) == len(paper.curriculum.rows) == 12
    assert not any("stands in" in said for said in studio.curriculum.report["sentences"])
    assert np.isfinite(paper.curriculum.rows["influence"]).all() and presets_of(study)[1] == ""


def test_jobs_that_nobody_asked_for_are_neither_waiting_nor_missing(study):
    states = {line.job: line.state for line in job_lines(study)}
    assert states["warmup"] == states["near"] == NOT_ASKED and states["quick"] == "done"
    assert run(study, "warmup", EngineSettings(workers=1))
    assert {line.job: line.state for line in job_lines(study)}["warmup"] == "done"
    file = study.result("warmup").folder / "checkpoint-1.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    assert run(study, "", EngineSettings(workers=1)) and file.read_bytes() == content, "what was asked for is mended"
    assert run(study, "", EngineSettings(workers=1), again="warmup") and study.finished("warmup")
    assert not study.finished("targets")
    assert adding(study).begun and adding(study).left == ("targets", "attribute", "scores", "near")
