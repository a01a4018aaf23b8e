"""Joined nearness: the mean of calibrated columns, against loops; columns of single signals stay as they are."""

from dataclasses import replace

import numpy as np
import pytest
from watching import times

from cadc.errors import JobError
from cadc.scores.calibration import scale_of
from cadc.scores.scores import Scores, aligned_with
from cadc.signals import SIGNALS, near
from cadc.signals.similarity import cosines, nearness
from cadc.study import JOBS, Study
from cadc.study.config import joined_signals
from cadc.study.progress import Silent


def run(study: Study, *jobs: str) -> None:
    for job in jobs:
        JOBS[job].function()(study, Silent())


@pytest.fixture
def two(made):
    """Two signals of random features beside the made gradients."""
    rng = np.random.default_rng(4)
    sizes = len(made.scores.index), len(made.scores.sample_unit)
    features = [[rng.normal(size=(n, 5)) for n in sizes] for _ in range(2)]
    return {f"s{i}": cosines(*(rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in pair))
            for i, pair in enumerate(features)}


def calibrated(scores: Scores, similarity) -> tuple[np.ndarray, np.ndarray]:
    """near [M, N] and all similarities [N, S] of one signal on the common scale, by plain numpy."""
    of, whole = scores.sample_unit, similarity.block(0, len(scores.index))
    raw = np.stack([np.sort(whole[:, of == m], 1)[:, -2:].mean(1) for m in range(len(scores.units))])
    scale = scale_of(raw, similarity.samples, of, 2)
    spread = scale.own - scale.middle
    return (raw - scale.middle[:, None]) / spread[:, None], (whole - scale.middle[of]) / spread[of]


def test_the_join_is_the_mean_of_calibrated_columns(made, two):
    scores = replace(made.scores, middle=np.full(8, 0.1), own=np.full(8, 0.6))
    found = near.join(scores, [scores], two, q=2)
    parts = [calibrated(scores, one) for one in two.values()]
    own = (np.asarray(scores.near, float) - 0.1) / 0.5
    assert np.allclose(found.near, (own + parts[0][0] + parts[1][0]) / 3, atol=1e-4)
    assert np.array_equal(found.winner, scores.winner)
    for sample in range(len(scores.sample_unit)):
        listed = dict(zip(scores.best_index[sample].tolist(), scores.best_value[sample].tolist(), strict=True))
        last = min(listed.values())
        both = parts[0][1][:, sample] + parts[1][1][:, sample]
        total = np.array([(listed.get(row, last) - 0.1) / 0.5 for row in range(len(both))]) + both
        others = np.argsort(-both, kind="stable")[:len(listed)].tolist()
        candidates = sorted({*listed, *others})
        order = sorted(candidates, key=lambda row: -total[row])[:len(listed)]
        assert np.allclose(found.best_value[sample], total[order] / 3, atol=1e-4)
        assert np.allclose(total[found.best_index[sample]], total[order], atol=1e-3)


def test_padding_of_short_lists_is_no_row(made, two):
    short = replace(made.scores, best_index=np.pad(made.scores.best_index[:, :3], ((0, 0), (0, 4)), constant_values=-1),
                    best_value=np.pad(made.scores.best_value[:, :3], ((0, 0), (0, 4))))
    found = near.join(short, [short], {}, q=2)
    assert (found.best_index[:, 3:] == -1).all() and (found.best_index[:, :3] >= 0).all()


def test_jobs_write_columns_beside_those_of_gradients(study):
    files = times(study.result("scores").folder)
    run(study, "embedding", "quick", "near")
    assert times(study.result("scores").folder) == files
    assert Scores.load(study).choice == "joined"
    assert joined_signals(study.config) == ("embedding",)
    alone = Scores.load(study, near="quick")
    similar = SIGNALS["embedding"].open(study, alone)
    raw = nearness(similar, alone.sample_unit, len(alone.units), q=study.config.near_q, keep=4)
    scale = scale_of(raw.near, similar.samples, alone.sample_unit, study.config.near_q)
    assert np.allclose(alone.near, scale.of(raw.near), atol=1e-4)
    gradients = Scores.load(study, near="gradients")
    own = (np.asarray(gradients.near) - gradients.middle[:, None]) / (gradients.own - gradients.middle)[:, None]
    assert np.allclose(Scores.load(study, near="joined").near, (own + np.asarray(alone.near)) / 2, atol=1e-4)


def test_without_a_signal_that_needs_no_gradient_there_is_nothing_to_join(finished_study, own_copy):
    study = own_copy(finished_study)
    assert joined_signals(study.config) == () and not JOBS["quick"].wanted(study.config)
    with pytest.raises(JobError, match=r"'squares' has no signal without gradients \(nearness=gradients\)"):
        run(study, "quick")


def test_a_study_without_gradients_opens_by_what_needs_none(study):
    config = replace(study.config, preset="quick", warmup_share=0.5)
    bare = Study.create("bare", config, created="", root=study.root)
    run(bare, "embedding", "quick")
    found = Scores.load(bare)
    assert found.choice == "quick" and not found.has_gradients and found.dots.shape[0] == 0
    assert len(found.index) == found.near.shape[1] == len(found.loss) and found.loss.shape[1] == 0


def test_rows_that_only_gradients_have_are_as_near_as_any(made):
    rows = made.scores
    quick = Scores.bare(index=rows.index[5:], sample_index=rows.sample_index[::-1], units=rows.units[::-1],
                        sample_unit=(len(rows.units) - 1 - rows.sample_unit)[::-1],
                        near=np.asarray(rows.near)[::-1, 5:], winner=len(rows.sample_unit) - 1 - rows.winner[::-1, 5:],
                        best_index=np.where(rows.best_index >= 5, rows.best_index - 5, -1)[::-1],
                        best_value=rows.best_value[::-1])
    found = aligned_with(rows, quick)
    assert not found.near[:, :5].any() and np.array_equal(found.near[:, 5:], rows.near[:, 5:])
    assert np.array_equal(found.winner[:, 5:], rows.winner[:, 5:]) and (found.winner[:, :5] == -1).all()
    for sample in range(len(rows.sample_unit)):
        there = rows.best_index[sample] >= 5
        assert found.best_index[sample, :there.sum()].tolist() == rows.best_index[sample][there].tolist()
        assert (found.best_index[sample, there.sum():] == -1).all()
