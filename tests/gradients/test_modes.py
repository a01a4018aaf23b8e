"""`exact` and `sketch` end to end, and the choice between them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_study import make_study

from cadc.gradients import modes, targets
from cadc.gradients.attribute import PoolPass, run_attribute
from cadc.gradients.products import spearman
from cadc.models.batching import encoded_rows
from cadc.models.feed import Feed
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.progress import Silent
from cadc.training.warmup import run_warmup


def run(data, root, **settings) -> tuple[Study, Scores]:
    study = make_study(data, root, **settings)
    for job in (run_warmup, targets.run_targets, run_attribute):
        job(study, Silent())
    return study, Scores.load(study)


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
    _, exact = run(data, tmp_path / "exact", features=features, mode="exact")
    study, sketched = run(data, tmp_path / "sketch", features=features, mode="sketch", sketch_dim=2048)
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
    _, exact = run(data, tmp_path / "exact", mode="exact")
    study, sketched = run(data, tmp_path / "sketch", mode="sketch", sketch_dim=128)
    found = json.loads((study.shards_folder / "attribute.json").read_text())["products"]
    assert found == modes.recorded(study) and found["dim"] == 128
    agreement = found["agreement"]
    assert agreement["rows"] == 30  # the whole pool: fewer than are drawn
    weights = exact.eta / exact.eta.sum()
    assert agreement["near"]["units"] == pytest.approx(spearman(sketched.near.T, exact.near.T), abs=0.01)
    for name, array in (("dots", "dots"), ("grounded", "dots_grounded")):
        pair = [np.einsum("t,tmn->nm", weights, getattr(s, array)) for s in (sketched, exact)]
        assert agreement[name]["units"] == pytest.approx(spearman(*pair), abs=0.01)
    assert "rank correlation with exact on 30 pool rows" in modes.sentence(found)


def test_little_memory_leaves_anchors_audit_and_full_sums_out_and_says_so(data, tmp_path, monkeypatch):
    monkeypatch.setattr(modes, "free_bytes", lambda device: 1000)
    study = make_study(data, tmp_path)
    run_warmup(study, Silent())
    targets.run_targets(study, Silent())
    found = modes.recorded(study)
    assert found["mode"] == "sketch" and found["anchors"] == 0
    assert found["gram"] == {"sample": "sketch", "unit": "sketch"}
    assert "error was not measured" in modes.sentence(found)
    run_attribute(study, Silent())
    assert np.isfinite(Scores.load(study).near).all()


def test_shards_of_the_other_mode_do_not_count(data, tmp_path):
    study, _ = run(data, tmp_path, mode="auto", sketch_dim=256)
    exact = targets.finished(study)["gram_digest"]
    (study.targets_folder / "targets.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modes, "SHARE", 0)
        targets.run_targets(study, Silent())
    assert targets.finished(study)["products"]["mode"] == "sketch"
    assert targets.finished(study)["gram_digest"] != exact
    run_attribute(study, Silent())
    facts = [json.loads(p.read_text()) for p in study.shards_folder.glob("shard-*.json")]
    assert {f["source"] for f in facts} == {targets.finished(study)["gram_digest"]}


def test_modes_are_different_questions(data, tmp_path):
    made = {make_study(data, tmp_path / str(i), **s).identity
            for i, s in enumerate(({"mode": "exact"}, {"mode": "sketch"}, {"mode": "sketch", "sketch_dim": 99}))}
    assert len(made) == 3


def test_sketched_scores_do_not_depend_on_the_batch(data, tmp_path):
    study = make_study(data, tmp_path, mode="sketch", sketch_dim=256, precision="float64")
    run_warmup(study, Silent())
    targets.run_targets(study, Silent())
    engine = PoolPass(study)
    items = list(encoded_rows(Feed(study, "pool", engine.vlm), range(6), {}))
    together, alone = engine.scores(items), [engine.scores([item]) for item in items]
    for key in ("dots", "near"):
        assert torch.allclose(together[key], torch.cat([a[key] for a in alone]), rtol=1e-9, atol=1e-12)


def test_pool_sketches_estimate_cosines_between_rows(data, tmp_path):
    _, none = run(data, tmp_path / "none", checkpoints=1)
    assert none.pool_sketch.shape[0] == 0
    study, scores = run(data, tmp_path / "some", checkpoints=1, pool_sketch=2048)
    assert scores.pool_sketch.shape == (30, 1, 2048) and scores.pool_sketch.dtype == np.float16
    assert isinstance(scores.pool_sketch, np.memmap)
    vlm, checkpoints = targets.open_model(study)
    from cadc.gradients.keeping import GradientModel

    engine = GradientModel(study, vlm, checkpoints)
    feed = Feed(study, "pool", vlm)
    gradients = engine.all_gradients(feed, list(range(30)))[0]
    gamma, _, square = engine.feature(0).apply(gradients, 0, gradients.shape[1])
    unit = (gamma / square.sqrt()[:, None])[np.argsort(feed.by_length(range(30)))]
    kept = torch.from_numpy(np.array(scores.pool_sketch[:, 0], np.float32))
    assert (kept @ kept.t() - unit @ unit.t()).abs().max() < 5 * np.sqrt(2 / 2048)
