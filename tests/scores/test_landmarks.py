"""`landmarks` < 1: which rows are measured, what is predicted for the others, and how honestly that is reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_study import make_study, scored, work, write_data
from watching import Counting, times

from cadc.arrays import spearman
from cadc.curation import PRESETS
from cadc.data import read_samples
from cadc.data.sample import Sample, Turn
from cadc.gradients import landmarks
from cadc.gradients.attribute import pool_inputs, run_attribute
from cadc.jobs import engines
from cadc.jobs.engines import local
from cadc.scores import attribution
from cadc.scores.influence import InfluenceColumns
from cadc.scores.regression import Basis, Kernel, Ridge
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.progress import Cancelled

ROWS = 60


@pytest.fixture(scope="module")
def wide(data, tmp_path_factory) -> Path:
    """The tiny data with 60 pool rows."""
    folder = tmp_path_factory.mktemp("wide")
    write_data(folder, pool=ROWS)
    (folder / "model").symlink_to(data / "model")
    return folder


@pytest.fixture(scope="module")
def ready_pair(wide, tmp_path_factory) -> tuple[Study, Study]:
    """A full run, and a study with targets done whose landmarks are half of the pool (shared: copy before writing)."""
    root = tmp_path_factory.mktemp("cache")
    full, half = (make_study(wide, root, name=f"tiny-{share}", landmarks=share) for share in (1.0, 0.5))
    return work(full, "scores"), work(half, "targets")


@pytest.fixture
def study(ready_pair, own_copy, monkeypatch) -> Study:
    """A private copy of the half-measured study, no gradient computed yet."""
    monkeypatch.setattr(landmarks, "MINIMUM", 8)
    return own_copy(ready_pair[1])


def test_measured_rows_are_those_of_the_full_run_and_the_others_are_predicted(study, ready_pair):
    truth, found = scored(ready_pair[0]), scored(study)
    assert found.index.tolist() == list(range(ROWS)) and truth.measured.all()
    rows = np.flatnonzero(found.measured)
    assert len(rows) == ROWS // 2
    for name, axis in (("near", 1), ("winner", 1), ("dots", 2), ("dots_grounded", 2), ("loss", 0),
                       ("gradient_norm", 0), ("feature_norm", 0), ("tokens", 0)):
        ours, theirs = (np.take(getattr(s, name), rows, axis) for s in (found, truth))
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-6), name
        assert np.isfinite(getattr(found, name)).all(), name
    assert (found.winner >= 0).all() and (found.gradient_norm > 0).all()
    assert np.array_equal(found.tokens, truth.tokens)
    assert np.allclose(found.loss[:, -1], truth.loss[:, -1], rtol=1e-4, atol=1e-6)  # one forward measures it


def test_best_rows_mix_measured_and_predicted_ones(study, ready_pair):
    found, truth = scored(study), scored(ready_pair[0])
    listed = found.measured[found.best_index]
    assert listed.any() and not listed.all()
    for s in range(len(found.best_index)):
        assert (np.diff(found.best_value[s]) <= 0).all()
        assert len(set(found.best_index[s].tolist())) == found.best_index.shape[1]
        for row, value in zip(truth.best_index[s], truth.best_value[s], strict=True):
            if found.measured[row] and row in found.best_index[s]:
                assert np.isclose(found.best_value[s][found.best_index[s] == row], value, rtol=1e-4)


def test_the_report_says_how_well_unseen_rows_are_predicted(study):
    found, held = scored(study), Scores.held_out(study)
    said = attribution.report(study)["landmarks"]
    assert (said["measured"], said["predicted"]) == (ROWS // 2, ROWS // 2)
    assert np.array_equal(held.index, found.index[found.measured])
    again = spearman(held.near.T, found.near[:, found.measured].T)
    assert np.allclose(list(said["held_out"]["units"].values()), again, atol=1e-4)
    assert said["held_out"]["lowest"] == min(said["held_out"]["units"].values())
    columns, paper = InfluenceColumns(found), PRESETS["paper"]
    whole = paper.held_out(columns, held, [0, 1, 2])
    assert whole.shape == (3,) and (np.abs(whole) <= 1).all()
    assert np.allclose(paper.held_out(columns, found_only(found), [0, 1, 2]), 1)


def found_only(scores: Scores) -> Scores:
    """The measured rows as measured: a perfect prediction."""
    m = scores.measured
    return replace(scores, index=scores.index[m], dots=scores.dots[:, :, m], near=scores.near[:, m], measured=m[m])


@pytest.mark.parametrize("stop", [12, ROWS // 2 + 20])
def test_cancelled_run_goes_on_with_the_same_scores(study, own_copy, stop):
    other = own_copy(study, "other")
    with pytest.raises(Cancelled):
        run_attribute(other, Counting(rows=stop))
    again = Counting()
    run_attribute(other, again)
    assert again.total == ROWS + ROWS // 2
    assert again.done > 0 and again.done + again.rows == again.total
    one, two = scored(study), scored(other)
    for name in ("near", "dots", "loss", "best_index", "best_value", "gradient_norm", "measured"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_two_workers_give_the_same_features(data, tmp_path, own_copy):
    folder = tmp_path / "large"
    folder.mkdir()
    write_data(folder, pool=landmarks.MINIMUM + 24)
    (folder / "model").symlink_to(data / "model")
    study = make_study(folder, tmp_path / "one", landmarks=0.5, shard_rows=140, checkpoints=1)
    other = own_copy(work(study, "targets"), "two")
    watch = Counting()
    pieces = landmarks.feature_shards(study, read_samples(study.samples_file("pool")))
    assert len(pieces) == 2
    inputs = pool_inputs(study)
    for owner, workers in ((study, 1), (other, 2)):
        local.compute(engines.Work(study=owner, kind="features", inputs=inputs, shards=pieces), watch, workers)
    assert not any("died" in note or "dead" in note for note in watch.notes)
    for piece in pieces:
        one, two = load_file(piece.file(study)), load_file(piece.file(other))
        assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_a_damaged_feature_shard_is_computed_again(study):
    before = np.array(scored(study).near)
    path = study.shards_folder / "features-00001.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    kept = times(study.shards_folder, "*.safetensors")
    study.result("attribute").repair()
    again = Counting()
    run_attribute(study, again)
    assert again.rows == study.config.shard_rows
    changed = {name for name, when in times(study.shards_folder, "*.safetensors").items() if when != kept[name]}
    assert changed == {path.name} and study.finished("scores")
    study.result("scores").remove()
    assert np.array_equal(scored(study).near, before)


def test_scores_without_predicted_rows_count_as_measured_and_have_no_held_out_ones(ready_pair):
    full = scored(ready_pair[0])
    assert full.measured.tolist() == [True] * ROWS and Scores.held_out(ready_pair[0]) is None
    assert replace(full, measured=np.zeros(0, bool)).measured.tolist() == [True] * ROWS


# ---- the choice ------------------------------------------------------------------------------------------------------
def sample(i: int, source: str, words: int) -> Sample:
    turns = (Turn(role="user", parts=("what " * words,)), Turn(role="assistant", parts=("red",)))
    return Sample(index=i, id=str(i), turns=turns, source=source)


class Asked:
    """The part of a study that the choice reads."""

    class config:
        seed, landmarks, shard_rows = 3, 0.2, 64


def test_choice_follows_sources_and_lengths_and_is_always_the_same(monkeypatch):
    monkeypatch.setattr(landmarks, "MINIMUM", 10)
    draw = np.random.default_rng(0)
    pool = [sample(i, "rare" if i == 7 else "ab"[i % 4 == 0], int(draw.integers(1, 60))) for i in range(800)]
    rows = landmarks.chosen(Asked, pool)
    assert len(rows) == 160 == len(set(rows)) and rows == sorted(rows) == landmarks.chosen(Asked, pool)
    taken = [pool[row].source for row in rows]
    assert "rare" in taken and abs(taken.count("b") - 40) <= 1
    lengths = [np.quantile([len(s.question) for s in part], [.1, .5, .9]) for part in (pool, [pool[r] for r in rows])]
    assert np.allclose(*lengths, rtol=0.15)
    monkeypatch.setattr(Asked.config, "seed", 4)
    assert landmarks.chosen(Asked, pool) != rows


@pytest.mark.parametrize("sizes,count", [([5, 1, 1], 3), ([5, 1, 1], 7), ([100, 3, 1], 50), ([1, 1, 1, 1], 2)])
def test_quotas_add_up_and_ask_nobody_for_more_than_it_has(sizes, count):
    got = landmarks.quotas(sizes, count)
    assert sum(got) == count and all(g <= s for g, s in zip(got, sizes, strict=True))
    assert count < len(sizes) or min(got) >= 1


def test_no_row_has_features_computed_where_all_are_measured(ready_pair, monkeypatch):
    pool = read_samples(ready_pair[0].samples_file("pool"))
    assert landmarks.feature_shards(ready_pair[0], pool) == []
    assert not list(ready_pair[0].shards_folder.glob("features-*"))
    assert landmarks.feature_shards(ready_pair[1], pool) == []  # too few rows for a regression
    monkeypatch.setattr(landmarks, "MINIMUM", 8)
    assert sum(len(s.rows) for s in landmarks.feature_shards(ready_pair[1], pool)) == ROWS


def test_a_small_pool_is_measured_whole():
    assert landmarks.gradient_rows(0.2, 100) == 100
    assert landmarks.gradient_rows(0.2, 1000) == landmarks.MINIMUM
    assert landmarks.gradient_rows(0.2, 10_000) == 2000
    assert landmarks.gradient_rows(1.0, 10_000) == 10_000


# ---- the regression --------------------------------------------------------------------------------------------------
def problem(rows: int = 600, width: int = 12, columns: int = 4, seed: int = 0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, width)).astype(np.float32)
    blocks = {"a": torch.from_numpy(x[:, :8]), "b": torch.from_numpy(x[:, 8:])}
    return draw, blocks, x @ draw.normal(size=(width, columns))


def fitted(blocks, answers, known: slice, **options):
    kernels = (Kernel(0.15, ("a", "b")),)
    basis = Basis({k: v[known] for k, v in blocks.items()}, kernels, seed=0, **options)
    ridge = Ridge(basis.features({k: v[known] for k, v in blocks.items()}), seed=0)
    known = torch.from_numpy(answers[known]).float()
    return basis, ridge.fit(known, ridge.choose(known))


@pytest.mark.parametrize("centres", [4096, 150])
def test_a_planted_linear_relation_is_recovered(centres):
    _, blocks, truth = problem()
    basis, fit = fitted(blocks, truth, slice(0, 400), centres=centres)
    assert basis.size == min(400, centres)
    assert (spearman(fit.held_out.numpy(), truth[:400]) > 0.95).all()
    found = fit.predict(basis.features({k: v[400:] for k, v in blocks.items()})).numpy()
    assert (spearman(found, truth[400:]) > 0.95).all()
    assert np.allclose(found.std(0), truth[400:].std(0), rtol=0.2)


def test_noise_is_reported_as_not_predictable():
    draw, blocks, _ = problem()
    noise = draw.normal(size=(600, 40))
    _, fit = fitted(blocks, noise, slice(0, 600))
    found = spearman(fit.held_out.numpy(), noise)
    assert abs(np.median(found)) < 0.1 and np.abs(found).max() < 0.25


def test_held_out_predictions_never_saw_their_row():
    _, blocks, truth = problem(rows=200)
    changed = truth.copy()
    changed[17] += 100
    basis = Basis(blocks, (Kernel(0.15, ("a", "b")),), seed=0)
    ridge = Ridge(basis.features(blocks), seed=0)
    fold = next(f for f in ridge.folds if 17 in f.tolist())
    seen = [ridge.fit(torch.from_numpy(y).float(), 1e-4) for y in (truth, changed)]
    raw = [(f.held_out - f.mean) / f.stretch + f.middle for f in seen]  # standardised, before the spread is matched
    scale = [y.std(0) for y in (truth, changed)]
    level = [y.mean(0) for y in (truth, changed)]
    values = [r[fold].numpy() * s + m for r, s, m in zip(raw, scale, level, strict=True)]
    other = next(f for f in ridge.folds if 17 not in f.tolist())
    moved = [r[other].numpy() * s + m for r, s, m in zip(raw, scale, level, strict=True)]
    shift = (level[1] - level[0])  # what a regression shrinks towards moves with the mean of all answers
    assert np.abs(values[1] - values[0]).max() <= np.abs(shift).max() * 1.5
    assert np.abs(moved[1] - moved[0]).max() > 3 * np.abs(shift).max()


def test_predictions_have_the_spread_of_the_answers_even_when_they_explain_little():
    draw, blocks, truth = problem(rows=1500, columns=1)
    answers = truth + 3 * truth.std() * draw.normal(size=truth.shape)
    basis, fit = fitted(blocks, answers, slice(0, 1000))
    found = fit.predict(basis.features({k: v[1000:] for k, v in blocks.items()})).numpy()
    assert np.isclose(found.std(), answers.std(), rtol=0.2)


def test_a_constant_column_is_predicted_as_itself():
    _, blocks, truth = problem(rows=100)
    truth[:, 2] = 4.5
    basis, fit = fitted(blocks, truth, slice(0, 100))
    assert np.allclose(fit.predict(basis.features(blocks))[:, 2], 4.5)
    assert spearman(fit.held_out.numpy(), truth)[2] == 0
