"""near(z, s) of two signals: computed by the job, once; what gradients say is kept; a stop in between costs nothing."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cadc.scores.scores import Scores
from cadc.signals import joined as nearness
from cadc.signals.embedding import embeddings
from cadc.study import Study
from cadc.study.progress import Silent

sys.path.insert(0, str(Path(__file__).parent / "evaluation"))


@pytest.fixture(scope="module")
def attributed(tmp_path_factory):
    from squares import attributed_squares

    return attributed_squares(tmp_path_factory.mktemp("nearness"))


BOTH = {"nearness": "gradients+embedding"}


@pytest.fixture
def study(attributed, tmp_path):
    shutil.copytree(attributed.folder.parent.parent, tmp_path / "cache")
    opened = Study.open("squares", root=tmp_path / "cache")
    return replace(opened, config=replace(opened.config, **BOTH))


def test_the_sum_replaces_near_and_keeps_what_gradients_say(study):
    before = Scores.load(study)
    old = {name: np.array(getattr(before, name)) for name in nearness.ARRAYS}
    nearness.run_attribute(study, Silent())
    after, alone = Scores.load(study), nearness.gradients_alone(study)
    assert nearness.is_combined(study)
    for name in nearness.ARRAYS:
        assert np.array_equal(getattr(alone, name), old[name])
    assert not np.allclose(after.near, old["near"]) and np.array_equal(after.dots, before.dots)
    assert abs(np.asarray(after.near).mean()) < 3  # standard deviations, not cosines


def test_both_signals_decide_and_padding_stays_last(made):
    rng = np.random.default_rng(4)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in
            (rng.normal(size=(len(made.scores.index), 5)), rng.normal(size=(len(made.scores.sample_unit), 5)))]
    padded = replace(made.scores, best_index=np.pad(made.scores.best_index, ((0, 0), (0, 3)), constant_values=-1),
                     best_value=np.pad(made.scores.best_value, ((0, 0), (0, 3))))
    found = nearness.both(padded, *unit, q=2)
    cosine = unit[0] @ unit[1].T
    for sample, (rows, old) in enumerate(zip(found.best_index, made.scores.best_index, strict=True)):
        assert (rows[-3:] == -1).all() and set(rows[:-3]) == set(old)
        assert np.allclose(found.best_value[sample, :-3], made.single[rows[:-3], sample], atol=1e-5)
        by_embedding = {row: n for n, row in enumerate(sorted(old, key=lambda r: -cosine[r, sample]))}
        total = [list(old).index(r) + nearness.WEIGHT * by_embedding[r] for r in rows[:-3]]
        assert total == sorted(total)
    for m in range(len(made.scores.units)):
        own = np.sort(cosine[:, made.scores.sample_unit == m], 1)[:, -2:].mean(1)
        z = [(v - v.mean()) / v.std() for v in (made.scores.near[m].astype(float), own)]
        assert np.allclose(found.near[m], z[0] + z[1], atol=1e-3)


def test_it_runs_once_and_goes_on_after_a_stop(study, monkeypatch):
    saved = nearness.write_array
    calls = []

    def stop_at(path, values):
        calls.append(path)
        if len(calls) == len(nearness.ARRAYS) + 2:  # the second array of the scores
            raise KeyboardInterrupt
        saved(path, values)

    monkeypatch.setattr(nearness, "write_array", stop_at)
    with pytest.raises(KeyboardInterrupt):
        nearness.combine(study, Silent())
    monkeypatch.setattr(nearness, "write_array", saved)
    assert not nearness.is_combined(study)
    nearness.run_attribute(study, Silent())
    stopped = np.array(Scores.load(study).near)
    stamps = {p: p.stat().st_mtime_ns for p in study.scores_folder.iterdir()}
    nearness.run_attribute(study, Silent())
    assert {p: p.stat().st_mtime_ns for p in study.scores_folder.iterdir()} == stamps
    for name in nearness.ARRAYS:  # from the kept originals, once more, undisturbed
        shutil.copy(nearness._kept(study, name), study.scores_folder / f"{name}.npy")
    nearness.combine(study, Silent())
    assert np.array_equal(np.array(Scores.load(study).near), stopped)


def test_the_job_ends_on_its_own_rows(study, monkeypatch):
    seen = []

    class Told(Silent):
        def start(self, total, unit="samples", done=0):
            seen.append((total, done))

    nearness.combine(study, Told())
    rows = len(Scores.load(study).index)
    assert (60, 0) in seen and (48, 0) in seen, "pool and target are embedded"
    assert seen[-1] == (rows, rows)


def test_a_batch_that_does_not_fit_is_embedded_in_halves(study, monkeypatch):
    from cadc.signals import embedding

    index = np.asarray(Scores.load(study).index)
    whole, real, sizes = embeddings(study, "pool", index), embedding.last_hidden, []
    shutil.rmtree(study.embedding_folder)

    def tight(vlm, batch):
        sizes.append(len(batch.inputs["input_ids"]))
        if sizes[-1] > 8:
            raise MemoryError
        return real(vlm, batch)

    monkeypatch.setattr(embedding, "last_hidden", tight)
    assert np.allclose(embeddings(study, "pool", index), whole, rtol=1e-4, atol=1e-5)
    assert max(sizes) > 8 >= min(sizes)


def test_gradients_alone_is_a_choice(study):
    own = replace(study, config=replace(study.config, nearness="gradients"))
    before = np.array(Scores.load(study).near)
    nearness.run_attribute(own, Silent())
    assert not nearness.is_combined(study) and np.array_equal(Scores.load(study).near, before)


def test_embeddings_do_not_depend_on_who_asks_and_are_kept(study):
    index = np.asarray(Scores.load(study).index)
    whole = embeddings(study, "pool", index)
    stamp = next(study.embedding_folder.glob("pool-values.npy")).stat().st_mtime_ns
    assert np.array_equal(embeddings(study, "pool", index[[5, 2]]), whole[[5, 2]])
    assert next(study.embedding_folder.glob("pool-values.npy")).stat().st_mtime_ns == stamp
    assert np.isfinite(whole).all() and len(np.unique(whole.round(5), axis=0)) > 50
