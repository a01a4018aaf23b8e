"""Per-sample gradients of every family and every adapted part, against one-sample float64 autograd."""

import pytest
import torch
from family_reference import Reference
from talks import pictures_of, readable
from tiny_families import EAGER, FAMILIES, PICTURES, mixtral, opt

from cadc.errors import ModelError
from cadc.gradients.capture import Branch, Merged, gradient_matrix, open_capture
from cadc.models import add_lora, answer_losses, load_vlm, lora_parameters, prefix, switch, verify
from cadc.models.lora import adapter_dtype
from cadc.models.outer import counts_of

BOUND = {"float64": 1e-11, "float32": 1e-5}


def adapter(size: int) -> torch.Tensor:
    """An adapter that does something, exact in float32."""
    return (torch.randn(size, generator=torch.Generator().manual_seed(1)) * 0.2).float()


def opened(folder, dtype="float64", **lora):
    vlm = load_vlm(str(folder), dtype=dtype)
    add_lora(vlm, rank=2, alpha=3.0, **lora)
    return vlm


def truth_of(folder, flat, samples, **lora) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses [N] and gradients [N, P]."""
    reference = Reference(folder, flat=flat, rank=2, alpha=3.0, **lora)
    pairs = [reference.gradient(sample, pictures_of(sample)) for sample in samples]
    return torch.tensor([loss for loss, _ in pairs], dtype=torch.float64), torch.stack([g for _, g in pairs])


def engine(vlm, flat, samples, way=open_capture, checked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses [B] and gradients [B, P] of all samples in one batch."""
    batch = vlm.collate([vlm.encode(sample, pictures_of(sample)) for sample in samples])
    capture = way(vlm)
    try:
        capture.switch(flat.to(adapter_dtype(vlm)))
        if checked:
            assert verify(vlm, batch) < 1e-5
        given = prefix(vlm, batch)
        return gradient_matrix(vlm, capture, lambda: answer_losses(vlm, given))
    finally:
        capture.close()


def assert_equal(found, truth, bound: float) -> None:
    """Per sample: ‖ours − truth‖ ≤ bound · ‖truth‖; a sample without a gradient has none."""
    (losses, gradients), (true_losses, true_gradients) = found, truth
    assert torch.allclose(losses.double(), true_losses, rtol=bound)
    error = (gradients.double() - true_gradients).norm(dim=1)
    assert (error <= bound * true_gradients.norm(dim=1)).all(), (error / true_gradients.norm(dim=1)).tolist()


@pytest.mark.parametrize("layers", ["all", "last:1"])
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_equal_one_sample_autograd(family, layers, family_folder):
    folder = family_folder(family)
    vlm = opened(folder, layers=layers)
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    truth = truth_of(folder, flat, samples, layers=layers)
    assert (truth[1].norm(dim=1) > 1e-3).all()
    if family not in EAGER:
        assert_equal(engine(vlm, flat, samples), truth, BOUND["float64"])
    assert_equal(engine(opened(folder, "float32", layers=layers), flat, samples), truth, BOUND["float32"])


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_gradients_point_where_autograd_points(family, family_folder):
    folder = family_folder(family)
    vlm = opened(folder, "bfloat16")
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    _, gradients = engine(vlm, flat, samples, checked=False)
    cosine = torch.nn.functional.cosine_similarity(gradients.double(), truth_of(folder, flat, samples)[1], dim=1)
    assert (cosine >= 0.999).all(), cosine.tolist()


OUTER = [(family, targets) for family in PICTURES
         for targets in ("connector", "language+connector", "vision", "language+connector+vision")
         if not (family == "gemma3" and "connector" in targets)]


@pytest.mark.parametrize(("family", "targets"), OUTER)
def test_adapters_outside_the_language_model_equal_one_sample_autograd(family, targets, family_folder):
    folder = family_folder(family)
    vlm = opened(folder, targets=targets)
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    truth = truth_of(folder, flat, samples, targets=targets)
    shown = torch.tensor([bool(sample.images) for sample in samples])
    assert (truth[1][shown].norm(dim=1) > 1e-3).all()
    order = [3, 0, 2, 4, 1, 5]  # samples without pictures between those with one and with two
    mixed = [samples[i] for i in order]
    found = engine(vlm, flat, mixed)
    assert_equal(found, tuple(t[order] for t in truth), BOUND["float64"])
    single = opened(folder, "float32", targets=targets)
    assert_equal(engine(single, flat, mixed), tuple(t[order] for t in truth), BOUND["float32"])


@pytest.mark.parametrize("way", [Merged, Branch])
@pytest.mark.parametrize("family", ["idefics3", "qwen2_vl"])
def test_both_ways_of_capture_work_outside_the_language_model(family, way, family_folder):
    folder, lora = family_folder(family), {"targets": "language+connector+vision", "layers": "last:1"}
    vlm = opened(folder, **lora)
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    assert_equal(engine(vlm, flat, samples, way), truth_of(folder, flat, samples, **lora), BOUND["float64"])


@pytest.mark.parametrize("targets", ["connector", "vision"])
def test_batch_of_words_only_has_the_gradients_it_has_beside_pictures(targets, family_folder):
    vlm = opened(family_folder("qwen2_vl"), targets=targets)
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    losses, gradients = engine(vlm, flat, samples)
    words = [i for i, sample in enumerate(samples) if not sample.images]
    alone_losses, alone = engine(vlm, flat, [samples[i] for i in words])
    assert torch.allclose(alone_losses, losses[words], rtol=1e-12)
    assert not alone.any() and not gradients[words].any()


@pytest.mark.parametrize("rows", [range(6), [0, 4]])
def test_every_adapter_outside_hears_from_every_batch(rows, family_folder):
    vlm = opened(family_folder("llava"), targets="connector+vision")
    samples = [readable(vlm)[i] for i in rows]
    capture, heard = open_capture(vlm), set()
    given = prefix(vlm, vlm.collate([vlm.encode(s, pictures_of(s)) for s in samples]))
    capture.switch(adapter(vlm.lora.size).double())
    with capture.watch(lambda number, gradient: heard.add(number)):
        answer_losses(vlm, given).sum().backward()
    assert heard == set(range(len(vlm.lora.matrices)))


def tied(folder):
    """A model in which two linears share one weight."""
    vlm = load_vlm(str(folder), dtype="float64")
    for layer in vlm.layers:
        layer.mlp.up_proj.weight = layer.mlp.gate_proj.weight
    add_lora(vlm, rank=2, alpha=3.0)
    return vlm


def test_weights_shared_by_two_linears(family_folder):
    vlm = tied(family_folder("llama"))
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    found = engine(vlm, flat, samples)[1]
    switch(vlm, flat.double())
    for i, sample in enumerate(samples):
        batch = vlm.collate([vlm.encode(sample, [])])
        labels = batch.inputs["input_ids"].masked_fill(~batch.answer, -100)[0, 1:]
        loss = torch.nn.functional.cross_entropy(vlm.model(**batch.inputs).logits[0, :-1], labels)
        truth = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, lora_parameters(vlm))])
        assert (found[i] - truth).norm() <= 1e-11 * truth.norm()


def test_part_without_linears_is_refused(family_folder):
    with pytest.raises(ModelError, match="connector holds no linear modules"):
        opened(family_folder("gemma3"), targets="language+connector")
    with pytest.raises(ModelError, match="reads text only"):
        opened(family_folder("llama"), targets="vision")


def reversing(vlm) -> None:
    """Make a model that works through its pictures from the last to the first, and gives the same features."""

    def flip(module, args, kwargs):
        return tuple(a.flip(0) if isinstance(a, torch.Tensor) else a for a in args), {
            k: v.flip(0) if isinstance(v, torch.Tensor) else v for k, v in kwargs.items()}

    vlm.model.model.vision_tower.register_forward_pre_hook(flip, with_kwargs=True)
    vlm.model.model.multi_modal_projector.register_forward_hook(lambda module, args, y: y.flip(0))


def test_model_that_deals_out_its_rows_otherwise_is_refused(family_folder):
    vlm = load_vlm(str(family_folder("llava")))
    reversing(vlm)
    with pytest.raises(ModelError, match="which rows of .* belong to which sample"):
        add_lora(vlm, rank=2, alpha=3.0, targets="connector")


def test_rows_that_do_not_come_out_even_are_refused():
    assert counts_of(torch.zeros(3, 4, 5), (1, 0, 2), "linear") == [4, 0, 8]
    assert counts_of(torch.zeros(6, 5), (8, 16), "merger") == [2, 4]
    with pytest.raises(ModelError, match="which row is whose"):
        counts_of(torch.zeros(7, 5), (8, 16), "merger")


def test_samples_joined_inside_the_language_model_are_refused_before_any_training(tmp_path):
    vlm = opened(opt(tmp_path))
    batch = vlm.collate([vlm.encode(sample, []) for sample in readable(vlm)])
    with pytest.raises(ModelError, match="joined in one list"):
        verify(vlm, batch)


def test_experts_stay_frozen_and_the_result_says_so(tmp_path):
    vlm = opened(mixtral(tmp_path), "float32")
    assert any("no nn.Linear" in note for note in vlm.notes)
    flat, samples = adapter(vlm.lora.size), readable(vlm)
    together = engine(vlm, flat, samples)[1]
    for i, sample in enumerate(samples):
        alone = engine(opened(vlm.model.name_or_path, "float32"), flat, [sample])[1][0]
        assert (together[i] - alone).norm() <= 1e-5 * alone.norm()
