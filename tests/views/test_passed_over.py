"""What a curriculum leaves out: each row under one reason, worst first, with what speaks against it."""

import numpy as np
import pytest
from judged import write_judged

from cadc.curation.candidates import REPEATED, UNATTRIBUTED, WRONG
from cadc.curation.workbench import Workbench, open_workbench
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.views.passed_over import PassedOver, passed_over


@pytest.fixture
def judged(finished, own_copy) -> tuple[Study, np.ndarray]:
    """(a study whose rows cost the judges 0.1 to 3 nats, right answers at most 1; what each row costs)."""
    study = own_copy(finished)
    scores = Scores.load(study)
    loss = np.random.default_rng(0).permutation(np.linspace(0.1, 3, len(scores.index))).astype(np.float32)
    write_judged(study, loss, np.linspace(0.5, 1, len(scores.sample_index)).astype(np.float32))
    return study, loss


def opened(study: Study, **changed) -> tuple[Workbench, PassedOver]:
    bench = open_workbench(study).with_settings(**changed)
    return bench, passed_over(bench, bench.settings)


def test_every_row_is_open_or_left_out_for_one_reason(judged):
    bench, over = opened(judged[0], floor=0.2, drop=(int(Scores.load(judged[0]).index[0]),))
    found = bench.inputs.candidates
    assert {reason: int((found.fate == number).sum()) for number, reason in enumerate(found.left_out)} == found.left_out
    assert np.array_equal(found.fate < 0, found.open)
    assert {UNATTRIBUTED, WRONG} <= over.reasons.keys() and min(over.reasons.values()) > 0
    every = np.concatenate([over.worst(reason) for reason in over.reasons])
    assert sorted(every) == np.flatnonzero(~found.open).tolist()


def test_rows_that_look_wrong_come_by_how_far_they_are_beyond_the_bound(judged):
    _, loss = judged
    bench, over = opened(judged[0], loss_quantile=0.9)
    worst = over.worst(WRONG)
    page = over.page(WRONG, worst)
    bound = np.array([float(text.split(", ")[1].split()[0]) for text in page["against"]])
    said = np.array([float(text.split()[0]) for text in page["against"]])
    assert np.allclose(said, loss[worst], atol=0.006) and (said > bound - 0.01).all()
    ratio = loss[worst] / bound
    assert (np.diff(ratio) < 0.02).all() and ratio[0] > ratio[-1]
    assert page["position"].tolist() == worst.tolist() and {"question", "answer", "serves", "images"} <= set(page)


def test_a_duplicate_names_the_row_that_stays(finished):
    bench, over = opened(finished, drop_loss_share=0.0, loss_quantile=1.0)
    group, index = (bench.inputs.table[name].to_numpy() for name in ("group", "index"))
    if REPEATED not in over.reasons:
        pytest.skip("this study has no duplicates")
    places = over.worst(REPEATED)
    for place, text in zip(places, over.page(REPEATED, places)["against"], strict=True):
        stays = int(np.flatnonzero(index == int(text.removeprefix("like pool row ")))[0])
        assert bench.inputs.candidates.open[stays] and group[stays] == group[place] and stays != place


def test_a_row_that_is_taken_back_is_left_out_no_more(judged):
    bench, over = opened(judged[0], loss_quantile=0.9)
    back = over.page(WRONG, over.worst(WRONG)[:2])["index"].tolist()
    bench, again = opened(judged[0], loss_quantile=0.9, keep=tuple(back))
    assert again.reasons[WRONG] == over.reasons[WRONG] - 2
    assert set(back) <= set(bench.curriculum.rows["index"])


def test_the_price_of_another_bound_is_the_rows_that_it_leaves_out(judged):
    bench, over = opened(judged[0], loss_quantile=0.85, floor=0.1)
    table = over.prices().set_index("bound")
    assert list(table.index) == [0.5, 0.8, 0.85, 0.9, 0.95, 0.99, 1.0] and table.loc[0.85, "change"] == "in force"
    for bound, row in table.iterrows():
        there = bench.with_settings(loss_quantile=bound).inputs.candidates
        assert row["wrong"] == there.left_out.get(WRONG, 0) and row["left"] == int(there.open.sum())
        if bound != 0.85:
            assert int(row["change"].replace(",", "")) == row["wrong"] - over.reasons[WRONG]
    assert table["wrong"].is_monotonic_decreasing and table.loc[1.0, "wrong"] == 0
