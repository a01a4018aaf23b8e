"""Other families, made tiny from config: loading without torchvision, answer masks, batches, the cut forward."""

import pytest
import torch
from PIL import Image
from tiny_families import FAMILIES

from cadc.data.sample import Sample, Turn
from cadc.vlm import add_lora, answer_losses, generate, load_vlm, prefix, verify


def talk(*texts: str) -> list[Turn]:
    return [Turn(role=("user", "assistant")[i % 2], parts=(text,)) for i, text in enumerate(texts)]


ONE = Turn(role="user", parts=(0, "one picture"))
TWO = Turn(role="user", parts=(0, "first, and second", 1))
SAMPLES = [
    Sample(index=0, id="none", turns=tuple(talk("no picture", "right"))),
    Sample(index=1, id="one", turns=(ONE, *talk("", "a blue one")[1:]), images=("a",)),
    Sample(index=2, id="two", turns=(TWO, *talk("", "x", "and?", "yy")[1:]), images=("a", "b")),
]
PICTURES = [Image.radial_gradient("L").resize((16, 16)).convert("RGB"),
            Image.linear_gradient("L").resize((32, 16)).convert("RGB")]


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family, tmp_path):
    folder = str(FAMILIES[family](tmp_path))
    vlm = load_vlm(folder, dtype="float64")
    encoded = [vlm.encode(s, PICTURES[:len(s.images)]) for s in SAMPLES]
    end = "<end_of_utterance>"
    assert [vlm.tokenizer.decode(e.inputs["input_ids"][e.answer]) for e in encoded] == \
        [f"right{end}", f"a blue one{end}", f"x{end}yy{end}"]
    add_lora(vlm, rank=2, alpha=4.0, layers="last:1")
    batch = vlm.collate(encoded)
    assert verify(vlm, batch) < 1e-12
    together = answer_losses(vlm, prefix(vlm, batch))
    for i, one in enumerate(encoded):
        alone = answer_losses(vlm, prefix(vlm, vlm.collate([one])))[0]
        assert torch.allclose(together[i], alone, rtol=1e-12)
    blank = [Image.new("RGB", p.size) for p in PICTURES]
    blind = answer_losses(vlm, prefix(vlm, vlm.collate([vlm.encode(SAMPLES[2], blank)])))
    assert (blind[0] - together[2]).abs().item() > 1e-6  # the pictures do reach the language model
    assert len(generate(vlm, SAMPLES, [PICTURES[:len(s.images)] for s in SAMPLES], 3)) == 3
