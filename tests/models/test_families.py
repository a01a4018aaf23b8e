"""Families, made tiny from config: loading without torchvision, answer masks, batches, the cut forward."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from talks import ANSWERS, SAMPLES, pictures_of, readable
from tiny_families import EAGER, FAMILIES, PICTURES, gpt2

from cadc.errors import ModelError
from cadc.models import add_lora, answer_losses, generate, load_vlm, prefix, verify

END = "<end_of_utterance>"


@pytest.mark.parametrize("family", FAMILIES)
def test_masked_tokens_are_the_answers(family, family_folder):
    vlm = load_vlm(str(family_folder(family)))
    for sample in readable(vlm):
        encoded = vlm.encode(sample, pictures_of(sample))
        ids, mask = encoded.inputs["input_ids"], encoded.answer
        assert vlm.tokenizer.decode(ids[mask]) == "".join(answer + END for answer in ANSWERS[sample.index])
        begins = int((mask[1:] & ~mask[:-1]).sum())
        assert begins == len(ANSWERS[sample.index])  # one run of tokens per answer


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_and_the_cut_change_no_loss(family, family_folder):
    exact = family not in EAGER
    vlm, bound = load_vlm(str(family_folder(family)), dtype="float64" if exact else "float32"), 1e-12 if exact else 1e-5
    samples = readable(vlm)
    encoded = [vlm.encode(s, pictures_of(s)) for s in samples]
    add_lora(vlm, rank=2, alpha=4.0, layers="last:1")
    batch = vlm.collate(encoded)
    assert verify(vlm, batch) < bound
    together = answer_losses(vlm, prefix(vlm, batch))
    for i, one in enumerate(encoded):
        alone = answer_losses(vlm, prefix(vlm, vlm.collate([one])))[0]
        assert torch.allclose(together[i], alone, rtol=bound)
    assert len(generate(vlm, samples, [pictures_of(s) for s in samples], 3)) == len(samples)


@pytest.mark.parametrize("family", PICTURES)
def test_every_picture_reaches_the_language_model(family, family_folder):
    vlm = load_vlm(str(family_folder(family)), dtype="float64")
    sample = SAMPLES[2]
    losses = []
    for turned in (None, 0, 1):
        shown = [p.transpose(Image.Transpose.ROTATE_180) if i == turned else p
                 for i, p in enumerate(pictures_of(sample))]
        shown = [Image.new("RGB", p.size) if i == turned else p for i, p in enumerate(shown)]
        losses.append(answer_losses(vlm, prefix(vlm, vlm.collate([vlm.encode(sample, shown)]))).item())
    assert abs(losses[1] - losses[0]) > 1e-6 and abs(losses[2] - losses[0]) > 1e-6


def test_paligemma_sees_its_question_both_ways_and_its_answers_one_way(family_folder):
    vlm = load_vlm(str(family_folder("paligemma")), dtype="float64")
    for sample in SAMPLES:
        encoded = vlm.encode(sample, pictures_of(sample))
        batch = vlm.collate([encoded])
        first = int(encoded.answer.nonzero()[0])
        with torch.no_grad():
            own = vlm.model(**batch.inputs).logits[0]
            for place in range(encoded.length):
                changed = batch.inputs["input_ids"].clone()
                if changed[0, place] == 4:  # a picture's place
                    continue
                changed[0, place] = 100 if changed[0, place] != 100 else 101
                other = vlm.model(**batch.inputs | {"input_ids": changed}).logits[0]
                moved = (other - own).abs().amax(1) > 1e-9
                if place < first:
                    assert moved[:first].all()
                else:
                    assert not moved[:place].any() and moved[place]


def test_paligemma_writes_its_prompt_as_its_processor_does(family_folder):
    vlm = load_vlm(str(family_folder("paligemma")))
    sample = SAMPLES[1]
    stock = vlm.encoder._processor(text=["<image>one picture"], images=[pictures_of(sample)], return_tensors="pt",
                                   suffix=["a blue one"], add_special_tokens=False)
    encoded = vlm.encode(sample, pictures_of(sample))
    assert torch.equal(encoded.inputs["input_ids"], stock["input_ids"][0])
    assert torch.equal(encoded.inputs["token_type_ids"], stock["token_type_ids"][0])
    assert torch.equal(encoded.inputs["input_ids"].masked_fill(~encoded.answer, -100), stock["labels"][0])
    prompt = vlm.encoder.encode_prompt(SAMPLES[2], pictures_of(SAMPLES[2])).inputs
    assert vlm.tokenizer.decode(prompt["input_ids"]).endswith(f"first, and second\nx{END}and?\n")
    assert int(prompt["token_type_ids"].sum()) == len(f"x{END}and?\n") - len(END) + 1


def test_logits_that_are_not_finite_are_refused(family_folder):
    vlm = load_vlm(str(family_folder("gemma2")), dtype="float64")
    batch = vlm.collate([vlm.encode(s, []) for s in readable(vlm)])
    with pytest.raises(ModelError, match="not finite beside padding"):
        verify(vlm, batch)


def test_family_without_linears_is_refused_in_one_line(tmp_path):
    vlm = load_vlm(str(gpt2(tmp_path)))
    with pytest.raises(ModelError, match=r"hold no nn\.Linear") as raised:
        add_lora(vlm, rank=2, alpha=4.0)
    assert "\n" not in str(raised.value)


def test_every_family_tried_is_in_the_table():
    table = (Path(__file__).parents[2] / "docs" / "models.md").read_text().split("## Refused")[0]
    named = re.sub(r"[^a-z0-9|\n]", "", table.lower())
    for family in FAMILIES:
        assert re.search(rf"\|[^|\n]*{family.replace('_', '')}", named), family
