"""Per-sample gradients from hooks."""

import pytest
import tiny_vlm
import torch
from torch import nn

from cadc.data.sample import Sample, Turn
from cadc.gradients.capture import Branch, Merged, gradient_matrix
from cadc.models import add_lora, answer_losses, load_vlm, lora_parameters, prefix


def turns(*texts: str) -> tuple[Turn, ...]:
    roles = ("user", "assistant")
    return tuple(Turn(role=roles[i % 2], parts=(text,)) for i, text in enumerate(texts))


TEXTS = (("how many?", "7"), ("a much longer question about nothing", "a long answer, too"),
         ("one", "two", "three", "four"))
SAMPLES = [Sample(index=i, id=str(i), turns=turns(*texts)) for i, texts in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_vlm.llama(tmp_path_factory.mktemp("llama"), layers=3)


def ready(folder, layers="all", dtype="float64"):
    vlm = load_vlm(str(folder), dtype=dtype)
    add_lora(vlm, rank=2, alpha=3.0, layers=layers, seed=0)
    generator = torch.Generator().manual_seed(5)
    flat = torch.randn(vlm.lora.size, generator=generator).to(vlm.dtype) * 0.2
    return vlm, flat


def one_by_one(vlm, flat, samples) -> torch.Tensor:
    """autograd on peft's parameters, sample by sample, through the model's uncut forward and its labels."""
    from cadc.models import switch

    switch(vlm, flat)
    rows = []
    for sample in samples:
        batch = vlm.collate([vlm.encode(sample, [])])
        labels = batch.inputs["input_ids"].masked_fill(~batch.answer, -100)[0, 1:]
        loss = nn.functional.cross_entropy(vlm.model(**batch.inputs).logits[0, :-1], labels)
        rows.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, lora_parameters(vlm))]))
    return torch.stack(rows)


def hooked(vlm, flat, way, samples=SAMPLES) -> torch.Tensor:
    """Gradients [B, P] of all samples in one batch."""
    capture = way(vlm)
    capture.switch(flat)
    given = prefix(vlm, vlm.collate([vlm.encode(s, []) for s in samples]))
    found = gradient_matrix(vlm, capture, lambda: answer_losses(vlm, given))[1]
    capture.close()
    return found


@pytest.mark.parametrize("way", [Merged, Branch])
@pytest.mark.parametrize("layers", ["all", "last:1"])
def test_hooks_equal_autograd(folder, way, layers):
    vlm, flat = ready(folder, layers)
    truth = one_by_one(vlm, flat, SAMPLES)
    assert torch.allclose(hooked(vlm, flat, way), truth, rtol=0, atol=1e-12 * truth.abs().max().item())


def test_adapters_on_the_last_layer_have_the_gradients_they_have_among_all(folder):
    rows = {}
    for layers in ("all", "last:1"):
        vlm, flat = ready(folder, layers)
        flat.zero_()
        part = vlm.lora.matrices[-7:]
        generator = torch.Generator().manual_seed(1)
        for m in part:
            flat[m.offset:m.end] = torch.randn(m.size, generator=generator).double()
        assert all("layers.2." in m.name for m in part)
        rows[layers] = hooked(vlm, flat, Merged)[:, part[0].offset:]
    assert torch.allclose(rows["all"], rows["last:1"], rtol=1e-12)


@pytest.mark.parametrize("way", [Merged, Branch])
def test_module_called_twice_adds_its_gradients_up(folder, way):
    vlm, _ = ready(folder)
    vlm.layers[2] = vlm.layers[1]  # weights shared by two layers
    vlm.lora = None
    vlm, flat = shared(vlm)
    truth = one_by_one(vlm, flat, SAMPLES)
    assert torch.allclose(hooked(vlm, flat, way), truth, rtol=0, atol=1e-12 * truth.abs().max().item())


def shared(vlm):
    """Layout of the adapters that are left when layer 2 is layer 1."""
    from cadc.models.lora import LoraLayout, LoraMatrix

    offset, matrices = 0, []
    for name, module in vlm.model.named_modules():
        if hasattr(module, "lora_A") and hasattr(module, "base_layer"):
            matrices.append(LoraMatrix(name, module.in_features, module.out_features, 2, offset))
            offset = matrices[-1].end
    vlm.lora = LoraLayout(tuple(matrices), 0, 1.5)
    flat = torch.randn(offset, generator=torch.Generator().manual_seed(5)).double() * 0.2
    return vlm, flat


@pytest.mark.parametrize("way", [Merged, Branch])
def test_nothing_is_left_on_the_model(folder, way):
    vlm, flat = ready(folder)
    before = {name: value.clone() for name, value in vlm.model.state_dict().items()}
    asks = [p.requires_grad for p in vlm.model.parameters()]
    capture = way(vlm)
    given = prefix(vlm, vlm.collate([vlm.encode(s, []) for s in SAMPLES]))
    with pytest.raises(RuntimeError, match="on purpose"):
        with capture.watch(lambda number, gradient: None):
            answer_losses(vlm, given)
            raise RuntimeError("on purpose")
    capture.close()
    after = vlm.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert asks == [p.requires_grad for p in vlm.model.parameters()]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in vlm.model.modules() if isinstance(m, nn.Module))


def test_gradients_do_not_depend_on_batch_composition(folder):
    vlm, flat = ready(folder, dtype="float32")
    together = hooked(vlm, flat, Merged)
    for i, sample in enumerate(SAMPLES):
        alone = hooked(vlm, flat, Merged, [sample])[0]
        assert (together[i] - alone).norm() <= 1e-5 * alone.norm()
