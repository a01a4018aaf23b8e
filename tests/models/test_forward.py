"""The forward cut at the lowest adapted layer, LoRA and adapters."""

import pytest
import tiny_vlm
import torch
from PIL import Image

from cadc.data.sample import Sample, Turn
from cadc.errors import ModelError
from cadc.models import (
    adapter_state,
    add_lora,
    answer_losses,
    generate,
    load_adapter_state,
    load_vlm,
    lora_parameters,
    prefix,
    verify,
)

TALK = (Turn(role="user", parts=(0, "what is it?")), Turn(role="assistant", parts=("a thing",)))
WORDS = (Turn(role="user", parts=("what?",)), Turn(role="assistant", parts=("nothing at all",)))
SAMPLES = [Sample(index=0, id="p", turns=TALK, images=("p.png",)), Sample(index=1, id="w", turns=WORDS)]
PICTURE = Image.radial_gradient("L").resize((16, 16)).convert("RGB")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tiny_vlm.idefics3(tmp_path_factory.mktemp("model"), layers=3))


def batch_of(vlm):
    return vlm.collate([vlm.encode(s, [PICTURE][:len(s.images)]) for s in SAMPLES])


def trained(folder, layers="all", **options):
    """A model whose adapter does something."""
    vlm = load_vlm(folder, **options)
    add_lora(vlm, rank=2, alpha=4.0, layers=layers, seed=3)
    state = adapter_state(vlm)
    generator = torch.Generator().manual_seed(1)
    load_adapter_state(vlm, {k: torch.randn(v.shape, generator=generator) * 0.3 for k, v in state.items()})
    return vlm


@pytest.mark.parametrize("layers", ["all", "last:2", "last:1"])
def test_cut_forward_equals_the_models_own(folder, layers):
    vlm = trained(folder, layers, dtype="float64")
    assert verify(vlm, batch_of(vlm)) < 1e-12


@pytest.mark.parametrize("layers", ["all", "last:1"])
def test_losses_are_means_over_each_samples_answer(folder, layers):
    vlm = trained(folder, layers, dtype="float64")
    batch = batch_of(vlm)
    losses = answer_losses(vlm, prefix(vlm, batch))
    logits = vlm.model(**batch.inputs).logits.log_softmax(-1)
    for i in range(2):
        at = batch.answer[i].nonzero()[:, 0]
        truth = -logits[i, at - 1, batch.inputs["input_ids"][i, at]].mean()
        assert abs(losses[i] - truth) < 1e-12


def test_prefix_is_the_same_for_every_adapter(folder):
    vlm = trained(folder, "last:1", dtype="float64")
    given = prefix(vlm, batch_of(vlm))
    load_adapter_state(vlm, {k: v * -2 for k, v in adapter_state(vlm).items()})
    assert torch.equal(given.hidden, prefix(vlm, batch_of(vlm)).hidden)
    assert torch.allclose(answer_losses(vlm, given), answer_losses(vlm, prefix(vlm, batch_of(vlm))), rtol=1e-14)


def test_only_the_adapters_learn(folder):
    vlm = trained(folder)
    answer_losses(vlm, prefix(vlm, batch_of(vlm))).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in lora_parameters(vlm))
    learning = {name for name, p in vlm.model.named_parameters() if p.requires_grad}
    assert len(learning) == len(lora_parameters(vlm)) and all("lora_" in name and "text_model.layers" in name
                                                            for name in learning)


def test_layout_covers_the_flat_vector_without_gaps(folder):
    vlm = trained(folder, "last:2")
    ends = [0] + [m.end for m in vlm.lora.matrices]
    assert [m.offset for m in vlm.lora.matrices] == ends[:-1]
    assert vlm.lora.size == sum(p.numel() for p in lora_parameters(vlm))
    flat = torch.arange(vlm.lora.size, dtype=torch.float32)
    assert torch.equal(vlm.lora.flatten(vlm.lora.unflatten(flat)), flat)


def test_adapters_are_drawn_from_the_seed(folder):
    states = []
    for seed in (1, 1, 2):
        vlm = load_vlm(folder)
        add_lora(vlm, rank=2, alpha=4.0, seed=seed)
        states.append(vlm.lora.flatten(adapter_state(vlm)))
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_more_layers_than_the_model_has_are_refused(folder):
    with pytest.raises(ModelError, match="only 3 layers"):
        add_lora(load_vlm(folder), rank=2, alpha=4.0, layers="last:4")


def test_unknown_model_is_one_clear_line(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_vlm(str(tmp_path))


def test_generated_text_does_not_depend_on_the_batch(folder):
    vlm = load_vlm(folder)
    together = generate(vlm, SAMPLES, [[PICTURE], []], 6)
    alone = [generate(vlm, [s], [[PICTURE][:len(s.images)]], 6)[0] for s in SAMPLES]
    assert together == alone
