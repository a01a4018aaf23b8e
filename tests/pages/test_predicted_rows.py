"""A study with predicted rows: pages say so, and how well unseen rows are ranked."""

import numpy as np
import pytest

from cadc.curation.workbench import open_workbench
from cadc.scores.compaction import write_scores
from cadc.scores.scores import ARRAYS, JUDGED, PREDICTED, Scores
from cadc.study import Study


@pytest.fixture
def half(study) -> Study:
    """Every second row counts as measured; what was predicted for it is its own score (a perfect prediction)."""
    scores, result = Scores.load(study, near="gradients"), study.result("scores")
    arrays = {name: np.array(getattr(scores, name)) for name in ARRAYS if name not in JUDGED}
    known = np.arange(len(scores.index)) % 2 == 0
    over_rows = {"near": (slice(None), known), "dots": (slice(None), slice(None), known),
                 "dots_grounded": (slice(None), slice(None), known)}
    held = {name: arrays[name][over_rows.get(name, known)] for name in PREDICTED}
    result.reopen()
    write_scores(study, arrays | {"measured": known}, scores.units, held_out=held)
    result.finish()
    study.result("near").reopen()  # the same near(z, s), now of these scores
    study.result("near").finish()
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
