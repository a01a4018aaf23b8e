"""A study of preset `quick`: no gradient is computed, everything that needs none works, and what needs them says so."""

import numpy as np
import pytest

from cadc.curation import CurationSettings
from cadc.curation.workbench import open_workbench, require_finished
from cadc.errors import DataError
from cadc.jobs import control
from cadc.scores.left_out import left_out
from cadc.scores.scores import Scores
from cadc.study.jobs import core_jobs, offered_jobs, usual_jobs


def test_it_is_complete_without_the_jobs_of_gradients(quick_study):
    asked_for = ("warmup", "targets", "attribute", "scores", "near")
    assert set(asked_for) <= set(offered_jobs(quick_study.config))
    assert not set(asked_for) & {*usual_jobs(quick_study.config), *core_jobs(quick_study.config)}
    assert quick_study.complete and quick_study.finished("quick")
    assert not any(quick_study.finished(job) for job in asked_for)
    require_finished(quick_study)
    states = {s.job: s.state for s in control.statuses(quick_study)}
    assert all(states[job] == "waiting" for job in asked_for) and states["quick"] == "done"


def test_its_scores_have_no_checkpoint(quick_study):
    scores = Scores.load(quick_study)
    assert scores.choice == "quick" and not scores.has_gradients and not scores.has_grounded
    assert scores.near.shape == (3, 60) and np.isfinite(scores.near).all()
    assert scores.dots.shape == (0, 3, 60) and scores.loss.shape == (60, 0) and len(scores.last_loss) == 60


def test_the_curriculum_follows_the_rules_of_studio_by_the_embedding(quick_study):
    bench = open_workbench(quick_study).with_settings(budget="20%")
    assert bench.settings == CurationSettings.of_preset("quick", budget=0.2)
    assert bench.discovery.signal == "embedding" and bench.similarity.shape == (3, 3)
    rows = bench.curriculum.rows
    assert len(rows) == 12 and rows["position"].is_unique and set(rows["reason"]) <= {"rounds", "near"}
    assert rows["self_influence"].isna().all() and not rows["measured"].any()
    assert (rows["target_unit"] != "").all() and (rows["target_id"] != "").all()
    assert bench.curriculum.budgets["earliness"].isna().all()
    as_studio = bench.with_settings(preset="studio")
    assert as_studio.curriculum.rows["position"].tolist() == rows["position"].tolist(), "by the same signal, so far"
    assert any("'quick' stands in" in sentence for sentence in as_studio.curriculum.report["sentences"])
    assert not any("stands in" in sentence for sentence in bench.curriculum.report["sentences"])


def test_what_cannot_be_followed_is_said(quick_study):
    bench = open_workbench(quick_study).with_settings(rule="self-influence", inside="easy-first", staging="hard")
    said = " ".join(bench.curriculum.report["sentences"])
    assert "self-influence gives equal shares" in said and "leaves rows in the order of the file" in said
    assert "as they are numbered" in said and "by how early" not in said
    assert bench.summary()["rows"] == len(bench.curriculum.rows)
    manifest = bench.manifest()
    assert manifest["gradients"] is False and manifest["near"] == "quick" and manifest["measured"] == 0
    assert manifest["stages"][0]["self_influence"] is None


def test_the_paper_is_refused_with_the_command_that_makes_it_possible(quick_study):
    bench = open_workbench(quick_study)
    for ask in (lambda: bench.with_settings(preset="paper"), lambda: bench.influence_by("paper", signal="plain"),
                lambda: bench.under(CurationSettings.of_preset("paper")).curriculum):
        with pytest.raises(DataError, match=r"python -m cadc run squares --until near.*cadc estimate squares"):
            ask()
    with pytest.raises(DataError, match="needs gradients, and this study has none"):
        bench.influence_columns.by_mean((0, 0, 0))


def test_rows_that_fall_out_are_counted_without_gradients(quick_study):
    rows = left_out(quick_study)
    assert rows.pool.told and rows.pool.scored == 60 and rows.pool.expected is None and rows.target.told
