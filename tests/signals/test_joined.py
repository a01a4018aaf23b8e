"""near(z, s) of two signals: computed by jobs of its own, once; what gradients say is kept; a stop costs nothing."""

from dataclasses import replace

import numpy as np
import pytest
from watching import Counting, times

from cadc.errors import JobError
from cadc.scores import columns
from cadc.scores.left_out import left_out
from cadc.scores.scores import Scores
from cadc.signals import embedding, joined
from cadc.signals.embedding import embeddings, run_embedding
from cadc.signals.similarity import cosines
from cadc.study.progress import Cancelled, Silent


def run_both(study, progress=None) -> None:
    for job in (run_embedding, joined.run_near):
        job(study, progress or Silent())


def test_the_sum_is_another_column_and_what_gradients_say_is_as_it_was(study):
    before = Scores.load(study, near="gradients")
    files = times(study.result("scores").folder)
    run_both(study)
    after, alone = Scores.load(study), Scores.load(study, near="gradients")
    assert (after.choice, alone.choice) == ("joined", "gradients")
    for name in joined.JOINED:
        assert np.array_equal(getattr(alone, name), getattr(before, name))
    assert times(study.result("scores").folder) == files
    assert not np.allclose(after.near, alone.near) and np.array_equal(after.dots, alone.dots)
    assert abs(np.asarray(after.near).mean()) < 3  # standard deviations, not cosines


def random_units(made, width: int = 5) -> list[np.ndarray]:
    """Embeddings of pool and target, of length one."""
    rng = np.random.default_rng(4)
    rows = (rng.normal(size=(count, width)) for count in (len(made.scores.index), len(made.scores.sample_unit)))
    return [values / np.linalg.norm(values, axis=1, keepdims=True) for values in rows]


def by_rank(own: np.ndarray, cosine: np.ndarray, weight: float) -> list[int]:
    """Rows of one list in the order of their places by gradient plus `weight` times those by embedding."""
    place = {int(row): n for n, row in enumerate(own)}
    other = {int(row): n for n, row in enumerate(sorted(own, key=lambda row: -cosine[row]))}
    return sorted(place, key=lambda row: (place[row] + weight * other[row], place[row]))


def test_best_rows_follow_one_gradient_rank_and_half_an_embedding_rank(made):
    """The weight is a decision (docs/decisions/0019), so it stands here once more."""
    unit = random_units(made)
    found = joined.join(made.scores, [cosines(*unit)], q=2)
    cosine = unit[0] @ unit[1].T
    assert joined.WEIGHT == 0.5
    others = {weight: 0 for weight in (0.0, 0.25, 1.0, 2.0)}
    for sample, (rows, own) in enumerate(zip(found.best_index, made.scores.best_index, strict=True)):
        assert rows.tolist() == by_rank(own, cosine[:, sample], 0.5)
        for weight in others:
            others[weight] += rows.tolist() != by_rank(own, cosine[:, sample], weight)
    assert all(others.values()), "another weight would give other orders here"


def test_both_signals_decide_and_padding_stays_last(made):
    unit = random_units(made)
    padded = replace(made.scores, best_index=np.pad(made.scores.best_index, ((0, 0), (0, 3)), constant_values=-1),
                     best_value=np.pad(made.scores.best_value, ((0, 0), (0, 3))))
    found, plain = (joined.join(scores, [cosines(*unit)], q=2) for scores in (padded, made.scores))
    cosine = unit[0] @ unit[1].T
    for sample, (rows, old) in enumerate(zip(found.best_index, made.scores.best_index, strict=True)):
        assert (rows[-3:] == -1).all() and set(rows[:-3]) == set(old)
        assert np.array_equal(rows[:-3], plain.best_index[sample])
        assert np.allclose(found.best_value[sample, :-3], made.single[rows[:-3], sample], atol=1e-5)
    for m in range(len(made.scores.units)):
        own = np.sort(cosine[:, made.scores.sample_unit == m], 1)[:, -2:].mean(1)
        z = [(v - v.mean()) / v.std() for v in (made.scores.near[m].astype(float), own)]
        assert np.allclose(found.near[m], z[0] + z[1], atol=1e-3)


def test_it_runs_once_and_goes_on_after_a_stop(study, monkeypatch):
    run_both(study)
    whole = {name: np.array(columns.read(study, f"{name}.joined")) for name in joined.JOINED}
    study.result("near").remove()
    real, calls = columns.write, []

    def stop_at(own, name, values):
        calls.append(name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(own, name, values)

    with monkeypatch.context() as patch:
        patch.setattr(columns, "write", stop_at)
        with pytest.raises(KeyboardInterrupt):
            joined.run_near(study, Silent())
    assert not study.finished("near") and len(list(study.result("near").folder.glob("*.npy"))) == 1
    with pytest.raises(JobError, match="no result of the job 'near' yet"):
        Scores.load(study)
    first = times(study.result("near").folder)
    joined.run_near(study, Silent())
    stamps = times(study.result("near").folder)
    assert first.items() <= stamps.items(), "what was there is kept"
    joined.run_near(study, Silent())
    assert times(study.result("near").folder) == stamps
    for name, values in whole.items():
        assert np.array_equal(columns.read(study, f"{name}.joined"), values)


def test_the_job_ends_on_its_own_rows(study):
    told = Counting()
    run_both(study, told)
    rows = len(Scores.load(study).index)
    assert told.starts == [(48, 0), (60, 0), (rows, 0)], "target and pool are embedded, then joined"
    assert told.rows == 48 + 60 + rows


def test_a_stop_between_pool_and_target_keeps_what_is_there(study):
    with pytest.raises(Cancelled):
        run_embedding(study, Counting(rows=49))
    kept = times(study.result("embedding").folder)
    assert set(kept) == {"left-out-target.json", "target-index.npy", "target-values.npy"}
    assert not study.finished("embedding")
    run_embedding(study, Silent())
    assert kept.items() <= times(study.result("embedding").folder).items() and study.finished("embedding")


def test_a_batch_that_does_not_fit_is_embedded_in_halves(study, monkeypatch):
    index = np.asarray(Scores.load(study, near="gradients").index)
    whole, real, sizes = embeddings(study, "pool", index), embedding.last_hidden, []
    study.result("embedding").remove()

    def tight(vlm, batch):
        sizes.append(len(batch.inputs["input_ids"]))
        if sizes[-1] > 8:
            raise MemoryError
        return real(vlm, batch)

    monkeypatch.setattr(embedding, "last_hidden", tight)
    assert np.allclose(embeddings(study, "pool", index), whole, rtol=1e-4, atol=1e-5)
    assert max(sizes) > 8 >= min(sizes)


def test_gradients_alone_is_a_choice(finished_study):
    scores = Scores.load(finished_study)
    assert scores.choice == "gradients" and finished_study.complete
    assert np.array_equal(scores.near, columns.read(finished_study, "near.gradients"))
    assert (np.diff(scores.best_value, axis=1) <= 0).all(), "highest first"


def test_embeddings_do_not_depend_on_who_asks_and_are_kept(study):
    index = np.asarray(Scores.load(study, near="gradients").index)
    whole = embeddings(study, "pool", index)
    stamps = times(study.result("embedding").folder)
    assert np.array_equal(embeddings(study, "pool", index[[5, 2]]), whole[[5, 2]])
    assert times(study.result("embedding").folder) == stamps
    assert np.isfinite(whole).all() and len(np.unique(whole.round(5), axis=0)) > 50


def test_embeddings_are_the_same_whatever_the_study_adapts(study):
    """They are of the untrained base, so studies of other LoRA settings share them."""
    from cadc.study import Study

    config = replace(study.config, lora_rank=3, lora_layers="last:1", lora_targets="language+connector", seed=5)
    other = Study.create("other", config, created="", root=study.root)
    run_embedding(study, Silent())
    assert other.finished("embedding") and not other.finished("warmup")
    kept = {path.name: path.read_bytes() for path in study.result("embedding").folder.glob("*.npy")}
    other.result("embedding").remove()
    run_embedding(other, Silent())
    assert {path.name: path.read_bytes() for path in other.result("embedding").folder.glob("*.npy")} == kept


def test_a_row_without_an_embedding_is_said(study):
    with pytest.raises(JobError, match="pool rows without an embedding.*nearness=gradients"):
        embeddings(study, "pool", np.array([3, 60]))


def test_a_report_that_is_lost_is_written_again_and_no_embedding_with_it(falling, own_copy):
    study = own_copy(falling)
    result = study.result("embedding")
    told, before = left_out(study).listed(), times(result.folder, "*.npy")
    report = result.folder / "left-out-pool.json"
    same = report.read_text()
    report.unlink()
    result.reopen()
    run_embedding(study, Silent())
    assert report.read_text() == same and times(result.folder, "*.npy") == before
    assert left_out(study).listed() == told and study.complete
