"""A study with predicted rows: pages say so, and how well unseen rows are ranked."""

from dataclasses import fields, replace

import numpy as np
import pytest

from cadc.curation.workbench import open_workbench
from cadc.scores.scores import HELD_OUT, Scores
from cadc.study import Study


@pytest.fixture
def half(study) -> Study:
    """Every second row counts as measured; what was predicted for it is its own score (a perfect prediction)."""
    scores = Scores.load(study)
    scores = replace(scores, **{f.name: np.array(getattr(scores, f.name)) for f in fields(Scores)
                                if f.type is np.ndarray})
    measured = np.arange(len(scores.index)) % 2 == 0
    replace(scores, measured=measured).save(study.scores_folder)
    held = replace(scores, index=scores.index[measured], dots=scores.dots[:, :, measured],
                   dots_grounded=scores.dots_grounded[:, :, measured], near=scores.near[:, measured],
                   measured=~measured[measured])
    held.save(study.scores_folder / HELD_OUT)
    return study


@pytest.mark.parametrize("page", ["4_influence", "5_curriculum"])
def test_pages_tell_measured_from_predicted_rows(half, open_page, page):
    texts = [t.value for t in open_page(page).text]
    note = next(t for t in texts if "measured" in t)
    assert note.startswith("50% of rows measured, the others predicted")
    assert "held-out rank correlation" in note and "lowest capability: c" in note


def test_pages_say_nothing_where_every_row_was_measured(study, open_page):
    assert not any("predicted" in t.value for t in open_page("4_influence").text)
    assert open_workbench(study).held_out() is None


def test_curriculum_rows_and_manifest_carry_what_was_measured(half):
    bench = open_workbench(half)
    rows = bench.curriculum.rows
    assert np.array_equal(rows["measured"], rows["position"] % 2 == 0)
    assert bench.manifest()["measured"] == int(bench.scores.measured.sum())
    assert np.allclose(bench.held_out("paper"), 1)
