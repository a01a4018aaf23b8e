"""`exact` and `sketch` end to end, and the choice between them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_study import make_study, scored, work

from cadc.arrays import spearman
from cadc.data import read_samples
from cadc.gradients import modes, targets
from cadc.gradients.attribute import PoolPass, pool_shards
from cadc.jobs.shards import sidecar
from cadc.models.feed import Feed
from cadc.scores import attribution
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.progress import Silent


def run(data, root, mode, **settings) -> tuple[Study, Scores]:
    """Studies of one root share their warm-up."""
    study = make_study(data, root, name=mode, mode=mode, **settings)
    return study, scored(study)


@pytest.mark.parametrize(("mode", "free", "chosen"), [
    ("auto", 2 * 800, "exact"), ("auto", 2 * 800 - 1, "sketch"), ("exact", 1, "exact"), ("sketch", 10**9, "sketch")])
def test_memory_decides_unless_it_is_set(ready, mode, free, chosen):
    need = modes.Need(vectors=10, parameters=5, width=4, workers=4)
    found = modes.choose(replace(ready.config, mode=mode, sketch_dim=7), need, free)
    assert (found.mode, found.dim) == (chosen, 7 if chosen == "sketch" else 0)
    assert "in 4 processes" in found.reason and found.reason.startswith("set") == (mode != "auto")


def test_free_memory_is_what_the_machine_says():
    assert 1 << 20 < modes.free_bytes("cpu") < 1 << 50


def test_auto_takes_exact_for_a_tiny_study_and_says_so(ready):
    found = modes.recorded(ready)
    assert found["mode"] == "exact" and found["gram"] == {"sample": "exact", "unit": "exact"}
    assert modes.sentence(found).startswith("Exact dot products: full target vectors take")


@pytest.mark.parametrize("features", ["adam", "less", "sgd"])
def test_sketched_scores_follow_exact_ones(data, tmp_path, features):
    _, exact = run(data, tmp_path, features=features, mode="exact")
    study, sketched = run(data, tmp_path, features=features, mode="sketch", sketch_dim=2048)
    for name in ("loss", "gradient_norm", "feature_norm", "tokens", "index"):  # nothing random in these
        assert np.array_equal(getattr(exact, name), getattr(sketched, name))
    assert np.allclose(exact.gram, sketched.gram, rtol=1e-5, atol=1e-7 * np.abs(exact.gram).max())
    assert np.abs(exact.sample_gram - sketched.sample_gram).max() < 0.15
    assert np.allclose(sketched.sample_gram.diagonal(axis1=1, axis2=2), 1)
    assert spearman(sketched.near.T, exact.near.T).min() > 0.9
    for t in range(2):
        assert spearman(sketched.dots[t].T, exact.dots[t].T).min() > 0.8
    assert not np.array_equal(exact.near, sketched.near)
    wide = load_file(study.targets_folder / "vectors-1.safetensors")
    assert wide["sample"].shape[1] == wide["unit"].shape[1] == wide["grounded"].shape[1] == 2048


def test_reported_agreement_is_that_of_the_scores(data, tmp_path):
    _, exact = run(data, tmp_path, mode="exact")
    study, sketched = run(data, tmp_path, mode="sketch", sketch_dim=128)
    found = attribution.report(study)["products"]
    assert found.items() <= modes.recorded(study).items() and found["dim"] == 128
    agreement = found["agreement"]
    assert agreement["rows"] == 30  # the whole pool: fewer than are drawn
    weights = exact.eta / exact.eta.sum()
    assert agreement["near"]["units"] == pytest.approx(spearman(sketched.near.T, exact.near.T), abs=0.01)
    for name, array in (("dots", "dots"), ("grounded", "dots_grounded")):
        pair = [np.einsum("t,tmn->nm", weights, getattr(s, array)) for s in (sketched, exact)]
        assert agreement[name]["units"] == pytest.approx(spearman(*pair), abs=0.01)
    assert "rank correlation with exact on 30 pool rows" in modes.sentence(modes.recorded(study))


def test_little_memory_leaves_anchors_audit_and_full_sums_out_and_says_so(data, tmp_path, monkeypatch):
    monkeypatch.setattr(modes, "free_bytes", lambda device: 1000)
    study = make_study(data, tmp_path)
    scores, found = scored(study), modes.recorded(study)
    assert found["mode"] == "sketch" and found["anchors"] == 0
    assert found["gram"] == {"sample": "sketch", "unit": "sketch"}
    assert "error was not measured" in modes.sentence(found)
    assert np.isfinite(scores.near).all()


def test_shards_and_columns_of_the_other_mode_do_not_count(data, tmp_path):
    study, exact = run(data, tmp_path, mode="auto", sketch_dim=256)
    dots, before = np.array(exact.dots), study.result("targets").record.digest
    study.result("targets").remove()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modes, "SHARE", 0)
        targets.run_targets(study, Silent())
    assert targets.summary(study)["products"]["mode"] == "sketch"
    now = study.result("targets").record.digest
    assert now != before and not study.finished("attribute") and not study.finished("scores")
    sketched = scored(study)
    pieces = pool_shards(study, read_samples(study.samples_file("pool")))
    assert all(sidecar(study, piece, now) for piece in pieces)
    _, wanted = run(data, tmp_path / "other", mode="sketch", sketch_dim=256)
    assert np.array_equal(sketched.dots, wanted.dots) and not np.array_equal(sketched.dots, dots)


def test_modes_are_different_questions(data, tmp_path):
    made = {make_study(data, tmp_path / str(i), **s).identity
            for i, s in enumerate(({"mode": "exact"}, {"mode": "sketch"}, {"mode": "sketch", "sketch_dim": 99}))}
    assert len(made) == 3


def test_sketched_scores_do_not_depend_on_the_batch(data, tmp_path):
    engine = PoolPass(work(make_study(data, tmp_path, mode="sketch", sketch_dim=256, precision="float64"), "targets"))
    feed = Feed(engine.study, "pool", engine.vlm)
    items = [(row, feed.encode(row)) for row in range(6)]
    together, alone = engine.scores(items), [engine.scores([item]) for item in items]
    for key in ("dots", "near"):
        assert torch.allclose(together[key], torch.cat([a[key] for a in alone]), rtol=1e-9, atol=1e-12)
