"""Rows that look wrong: beyond what right answers of the nearest unit cost under judges that did not train on them."""

from dataclasses import replace

import numpy as np
import pytest
from influences import curated

from cadc.curation.settings import CurationSettings
from cadc.discovery.capabilities import Capabilities
from cadc.scores.influence import InfluenceColumns
from cadc.selection.filters import SHARED, looks_wrong, wrong_bounds


def judged(made, loss, target):
    """Scores with these losses under the judges."""
    base = np.full(len(loss), 10, np.float32)
    return replace(made.scores, judge_loss=np.asarray(loss, np.float32), base_loss=base,
                   judge_target=np.asarray(target, np.float32), base_target=np.full(len(target), 10, np.float32))


def quantile(values: list[float], share: float) -> float:
    """By hand: linear between neighbours."""
    own = sorted(values)
    place = share * (len(own) - 1)
    low = int(place)
    return own[low] + (place - low) * (own[min(low + 1, len(own) - 1)] - own[low])


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_the_bound_is_the_units_quantile_drawn_to_that_of_all(make_scores, share):
    made = make_scores(per_unit=9)
    rng = np.random.default_rng(3)
    loss, target = rng.gamma(2, 1, len(made.scores.index)), rng.gamma(2, 1, len(made.scores.sample_unit))
    target[rng.random(len(target)) < 0.3] = np.nan
    target[made.scores.sample_unit == 2] = np.nan  # a unit whose samples taught every judge
    scores = judged(made, loss, target)
    columns = InfluenceColumns(scores)
    found, everyone = looks_wrong(columns, share), [v for v in scores.judge_target.tolist() if v == v]
    for row, unit in enumerate(columns.nearest()):
        own = [v for v, u in zip(scores.judge_target.tolist(), scores.sample_unit, strict=True) if u == unit and v == v]
        bound = quantile(everyone, share) ** (SHARED / (len(own) + SHARED))
        bound *= quantile(own, share) ** (len(own) / (len(own) + SHARED)) if own else 1
        odds = np.exp(-float(scores.judge_loss[row]) * scores.tokens[row])
        assert found[row] == (scores.judge_loss[row] > bound and odds < 0.5), row
    assert 0 < found.sum() < len(found) and 2 in columns.nearest()


def test_an_answer_of_more_than_even_odds_is_never_called_wrong(make_scores):
    made = make_scores(per_unit=9)
    target = np.full(len(made.scores.sample_unit), 1e-3)
    for odds, wrong in ((0.51, False), (0.49, True)):
        loss = -np.log(odds) / np.asarray(made.scores.tokens)
        found = looks_wrong(InfluenceColumns(judged(made, loss, target)), 0.9)
        assert (found == wrong).all(), "however certain the judges are of other answers of the unit"


def test_a_unit_of_one_sample_and_a_loss_of_zero_have_a_bound():
    bounds = wrong_bounds(np.array([0.0, 2.0, 3.0, 4.0]), np.array([0, 1, 1, 1]), 3, 0.5)
    assert np.isfinite(bounds).all() and (bounds > 0).all()
    assert bounds[0] < bounds[2] == pytest.approx(2.5) and bounds[1] == pytest.approx(
        np.exp((3 * np.log(3) + SHARED * np.log(2.5)) / (3 + SHARED)))


def test_where_no_right_answer_was_judged_nothing_looks_wrong(made):
    scores = judged(made, np.full(len(made.scores.index), 9), np.full(len(made.scores.sample_unit), np.nan))
    assert not looks_wrong(InfluenceColumns(scores), 0.9).any()


def test_studio_leaves_them_out_and_paper_does_not(made):
    loss = np.full(len(made.scores.index), 0.1, np.float32)
    loss[::5] = 9.0
    scores = judged(made, loss, np.ones(len(made.scores.sample_unit)))
    one = Capabilities(ids=("c1",), names=("c1",), of_unit=(0,) * len(scores.units), units=scores.units, issued=1,
                       skipped=())
    reason = "loss under the judges too high for its unit"
    studio = curated(scores, made.pool, one, CurationSettings(budget=1.0))
    assert not studio.rows["position"].mod(5).eq(0).any() and studio.report["left_out"][reason] > 0
    assert "highest loss of its unit" not in studio.report["left_out"]
    everything = curated(scores, made.pool, one, CurationSettings(budget=1.0, loss_quantile=1.0, drop_loss_share=0.0))
    assert everything.rows["position"].mod(5).eq(0).any()
    paper = curated(scores, made.pool, one, CurationSettings.of_preset("paper", budget=1.0))
    assert reason not in paper.report["left_out"]


def test_rows_that_no_judge_could_read_stay_and_are_counted(made):
    loss = np.full(len(made.scores.index), 9.0, np.float32)
    loss[:7] = np.nan
    scores = judged(made, loss, np.ones(len(made.scores.sample_unit)))
    one = Capabilities(ids=("c1",), names=("c1",), of_unit=(0,) * len(scores.units), units=scores.units, issued=1,
                       skipped=())
    found = curated(scores, made.pool, one, CurationSettings(budget=1.0, drop_duplicates=False, floor=-100.0))
    assert set(found.rows["position"]) == set(range(7))
    assert any("7 rows stay without having been judged" in line for line in found.report["sentences"])
