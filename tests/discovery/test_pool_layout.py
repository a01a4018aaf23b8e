"""The layout of the pool: like rows lie together, however many there are; the same map for the same rows."""

import json

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from cadc.discovery import pool_layout as made
from cadc.discovery.pool_layout import SIDE, between, layout_job, plane, pool_layout, quantised, run_layout
from cadc.errors import JobError
from cadc.scores.columns import read
from cadc.signals.embedding import embedded_rows
from cadc.study.jobs import core_jobs, offered_jobs, up_to, usual_jobs
from cadc.study.progress import Cancelled, Silent

GROUPS, WIDTH = 6, 20


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(features float32 [count, WIDTH] round planted directions, the direction of each)."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, GROUPS, count)
    found = 3 * rng.normal(size=(GROUPS, WIDTH))[of] + rng.normal(size=(count, WIDTH)) + 5
    return found.astype(np.float32), of


@pytest.fixture
def few_landmarks(monkeypatch):
    monkeypatch.setattr(made, "LANDMARKS", 150)
    monkeypatch.setattr(made, "CHUNK", 97)


def test_like_rows_lie_together_landmarks_or_not(few_landmarks):
    features, of = rows(700)
    spots = plane(features, 0, Silent())
    assert spots.shape == (700, 2) and np.isfinite(spots).all()
    far = np.linalg.norm(spots[:, None] - spots[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert (of[far.argmin(1)] == of).mean() > 0.95
    ours, axes = (trustworthiness(features - features.mean(0), two, n_neighbors=10, metric="cosine")
                  for two in (spots, np.linalg.svd(features - features.mean(0), full_matrices=False)[0][:, :2]))
    assert ours > axes and ours > 0.8


def test_the_same_rows_give_the_same_map_and_another_seed_another(few_landmarks):
    features, _ = rows(300)
    one, again, other = (plane(features, seed, Silent()) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_row_lies_on_the_landmark_that_it_equals_and_else_between_the_nearest():
    landmarks = np.array([[0, 0], [4, 0], [0, 4], [50, 50], [60, 60]], np.float32)
    drawn = np.array([[0, 0], [1, 0], [0, 1], [9, 9], [8, 8]], np.float32)
    found = between(np.array([[4, 0], [2, 2]], np.float32), landmarks, drawn)
    assert np.allclose(found[0], [1, 0], atol=1e-3)
    assert np.allclose(found[1], [1 / 3, 1 / 3], atol=1e-3), "equally far from three"


@pytest.mark.parametrize("count", [1, 2, 5, 11, 12, 13, 40])
def test_a_handful_of_rows_has_places_too(count):
    spots = plane(rows(count)[0], 0, Silent())
    assert spots.shape == (count, 2) and np.isfinite(spots).all()
    assert quantised(spots).shape == (count, 2)


def test_rows_that_are_all_alike_have_places():
    assert np.isfinite(plane(np.ones((50, 4), np.float32), 0, Silent())).all()
    assert np.isfinite(plane(np.ones((50, 1), np.float32), 0, Silent())).all()


def test_places_fill_a_square_by_one_scale():
    found = quantised(np.array([[0, 0], [10, 5], [5, 2.5]], np.float32))
    assert found.dtype == np.uint16 and found[:, 0].tolist() == [0, SIDE, round(SIDE / 2)]
    assert found[:, 1].tolist() == [round(SIDE / 4), round(3 * SIDE / 4), round(SIDE / 2)]
    assert quantised(np.zeros((0, 2))).shape == (0, 2)


def test_a_stop_is_heard_between_chunks(few_landmarks):
    class Stopping(Silent):
        def step(self, n: int = 1, **readings: float) -> None:
            raise Cancelled("layout")

    with pytest.raises(Cancelled):
        plane(rows(300)[0], 0, Stopping())


def test_the_job_lays_out_every_row_with_an_embedding(quick_study, own_copy):
    study = own_copy(quick_study)
    assert layout_job(study.config) == "layout" and "layout" in offered_jobs(study.config)
    assert "layout" not in usual_jobs(study.config) + core_jobs(study.config)
    assert not {"warmup", "attribute", "near"} & set(up_to("layout", study.config))
    with pytest.raises(JobError, match="--until layout"):
        pool_layout(study)
    run_layout(study, Silent())
    found = pool_layout(study)
    assert np.array_equal(found.rows, embedded_rows(study, "pool")) and found.spots.shape == (len(found.rows), 2)
    assert json.loads((study.result("layout").folder / "layout.json").read_text())["rows"] == len(found.rows)
    before = np.array(found.spots)
    study.result("layout").remove()
    run_layout(study, Silent())
    assert np.array_equal(pool_layout(study).spots, before)


def test_without_an_embedding_rows_lie_by_what_they_are_near_to(finished_study, own_copy):
    study = own_copy(finished_study)
    assert layout_job(study.config) == "profile_layout" and "layout" not in offered_jobs(study.config)
    run_layout(study, Silent())
    found, near = pool_layout(study), read(study, "near.joined")
    assert np.array_equal(found.rows, read(study, "index"))
    assert np.array_equal(found.spots, quantised(plane(near.T, study.config.seed, Silent())))
