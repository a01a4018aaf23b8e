"""Base weights in 8 and 4 bits: real bitsandbytes, on the CPU."""

import sys

import pytest
import torch
from talks import SAMPLES, pictures_of

from cadc.errors import ModelError
from cadc.gradients.capture import Branch, gradient_matrix, open_capture
from cadc.models import add_lora, answer_losses, load_vlm, lora_parameters, prefix, switch, verify


def test_without_bitsandbytes_says_what_to_install(family_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match="requirements-quantization.txt"):
        load_vlm(str(family_folder("llama")), quantization="4bit")


def test_float64_is_refused(family_folder):
    pytest.importorskip("bitsandbytes")
    with pytest.raises(ModelError, match="float64"):
        load_vlm(str(family_folder("llama")), quantization="4bit", dtype="float64")


def one_by_one(vlm, samples) -> torch.Tensor:
    """Plain autograd on peft's parameters through the same quantised weights."""
    rows = []
    for sample in samples:
        batch = vlm.collate([vlm.encode(sample, pictures_of(sample))])
        labels = batch.inputs["input_ids"].masked_fill(~batch.answer, -100)[0, 1:]
        loss = torch.nn.functional.cross_entropy(vlm.model(**batch.inputs).logits[0, :-1].float(), labels)
        found = torch.autograd.grad(loss, lora_parameters(vlm), allow_unused=True)
        rows.append(torch.cat([(torch.zeros_like(p) if g is None else g).reshape(-1)
                               for g, p in zip(found, lora_parameters(vlm), strict=True)]))
    return torch.stack(rows)


@pytest.mark.parametrize("targets", ["language", "language+connector+vision"])
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_gradients_through_quantised_weights_equal_autograd(bits, targets, family_folder):
    pytest.importorskip("bitsandbytes")
    plain = load_vlm(str(family_folder("idefics3")))
    vlm = load_vlm(str(family_folder("idefics3")), quantization=bits)
    assert vlm.notes and vlm.quantized and not plain.quantized
    add_lora(vlm, rank=2, alpha=3.0, targets=targets)
    flat = torch.randn(vlm.lora.size, generator=torch.Generator().manual_seed(1)) * 0.2
    switch(vlm, flat)
    truth = one_by_one(vlm, SAMPLES)
    capture = open_capture(vlm)
    assert isinstance(capture, Branch)
    batch = vlm.collate([vlm.encode(s, pictures_of(s)) for s in SAMPLES])
    verify(vlm, batch)
    capture.switch(flat)
    found = gradient_matrix(vlm, capture, lambda: answer_losses(vlm, prefix(vlm, batch)))[1]
    capture.close()
    cosine = torch.nn.functional.cosine_similarity(found, truth)
    error = ((found - truth).norm(dim=1) / truth.norm(dim=1)).max()
    assert (cosine.min() > 0.999) if bits == "8bit" else (error < 1e-5)


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_quantised_model_is_near_the_plain_one_but_not_it(bits, family_folder):
    pytest.importorskip("bitsandbytes")
    losses = []
    for quantization in ("none", bits):
        vlm = load_vlm(str(family_folder("idefics3")), quantization=quantization)
        batch = vlm.collate([vlm.encode(s, pictures_of(s)) for s in SAMPLES])
        with torch.no_grad():
            losses.append(answer_losses(vlm, prefix(vlm, batch)))
    apart = (losses[1] - losses[0]).abs() / losses[0]
    assert 1e-6 < apart.max() < 0.3
