"""bfloat16: the whole chain runs, and every sample's gradient points where the float64 reference points."""

import numpy as np
import pytest
import torch
from reference import Reference
from tiny_study import make_study, work

from cadc.data import read_samples
from cadc.gradients import targets
from cadc.gradients.capture import gradient_matrix
from cadc.gradients.checkpoints import open_model
from cadc.models import answer_losses, lora_parameters, prefix
from cadc.models.feed import Feed
from cadc.models.precision import arithmetic
from cadc.scores import attribution
from cadc.scores.scores import Scores
from cadc.training import warmup
from cadc.training.warmup import checkpoint_file


@pytest.fixture(scope="module", params=["all", "last:2"])
def half(data, tmp_path_factory, request):
    return work(make_study(data, tmp_path_factory.mktemp("half"), precision="bfloat16", lora_layers=request.param),
                "scores")


def test_chain_runs_and_says_its_precision(half):
    for found in (warmup.summary(half), targets.summary(half), attribution.report(half)):
        assert found["precision"] == "bfloat16"
    scores = Scores.load(half, near="gradients")
    assert len(scores.index) == 30 and np.isfinite(scores.dots).all() and np.isfinite(scores.near).all()


def test_adapters_and_their_moments_stay_float32(half):
    from safetensors.torch import load_file

    state = load_file(checkpoint_file(half, 1))
    assert {value.dtype for value in state.values()} == {torch.float32}
    value = next(v for name, v in state.items() if name.endswith(".A"))
    assert not torch.equal(value, value.bfloat16().float())  # not a rounded copy


def test_every_gradient_points_where_the_float64_reference_points(half):
    vlm, checkpoints = open_model(half)
    feed, truth = Feed(half, "pool", vlm), Reference(half)
    given = prefix(vlm, vlm.collate([feed.encode(row) for row in range(len(feed))]))
    for t in range(len(checkpoints)):
        checkpoints.switch(t)
        losses, found = gradient_matrix(vlm, checkpoints.capture, lambda: answer_losses(vlm, given))
        assert found.dtype == losses.dtype == torch.float32
        for row, sample in enumerate(feed.samples):
            loss, gradient = truth.gradient(sample, t)
            ours = found[row].double().numpy()
            cosine = ours @ gradient / np.linalg.norm(ours) / np.linalg.norm(gradient)
            assert cosine >= 0.999, (t, sample.id)
            assert abs(losses[row].item() - loss) <= 0.01 * loss


def test_scores_follow_the_float64_reference(half):
    scores, truth = Scores.load(half, near="gradients"), Reference(half)
    pool = read_samples(half.samples_file("pool"))
    norms = np.array([[np.linalg.norm(truth.gradient(s, t)[1]) for t in range(2)] for s in pool])
    assert np.abs(scores.gradient_norm / norms - 1).max() < 0.03


def test_nothing_is_left_on_the_model_and_other_precisions_are_untouched(half, ready):
    for study in (half, ready):
        vlm, checkpoints = open_model(study)
        checkpoints.capture.close()
        start = next(m for m in vlm.model.modules() if isinstance(m, torch.nn.Conv2d))  # a stream begins here
        pixels = torch.rand(1, 3, 16, 16).to(vlm.dtype)
        plain = start(pixels)
        with arithmetic(vlm):
            inside = start(pixels)
            with arithmetic(vlm):
                assert torch.equal(start(pixels), inside)
            assert torch.equal(start(pixels), inside)
        assert inside.dtype == torch.float32 and torch.allclose(inside, plain.float(), atol=1e-6)
        assert start(pixels).dtype == plain.dtype == vlm.dtype
        assert not any(module._forward_hooks or "forward" in vars(module) for module in vlm.model.modules())
        assert {p.dtype for p in lora_parameters(vlm)} == {torch.float32}
