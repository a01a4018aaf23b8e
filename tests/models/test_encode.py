"""Answer masks and batches, checked by decoding."""

from dataclasses import replace

import pytest
import tiny_vlm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cadc.data.sample import Sample, Turn
from cadc.errors import DataError
from cadc.models import load_vlm

LLAVA = (
    "{% for m in messages %}{{ m['role'] | upper + ': ' }}"
    "{% for part in m['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in m['content'] if part['type'] == 'text' %}{{ part['text'] + ' ' }}{% endfor %}{% endfor %}"
)
TRIMMING = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] | trim + ' ' + eos_token }}"
    "{% else %}{{ '[INST] ' + m['content'] | trim + ' [/INST]' }}{% endif %}{% endfor %}"
)
SHOUTING = "{% for m in messages %}{{ m['content'] | upper + '\n' }}{% endfor %}"


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    return load_vlm(str(tiny_vlm.idefics3(tmp_path_factory.mktemp("idefics3"))))


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    return load_vlm(str(tiny_vlm.idefics3(tmp_path_factory.mktemp("tiled"), splitting=True)))


def sample(*turns, images: int = 0) -> Sample:
    """Turns in turn from user and assistant; a text, or a tuple of parts."""
    made = tuple(Turn(role=("user", "assistant")[i % 2], parts=parts if isinstance(parts, tuple) else (parts,))
                 for i, parts in enumerate(turns))
    return Sample(index=0, id="s", turns=made, images=tuple(f"{i}.png" for i in range(images)))


def pictures(*sizes):
    return [Image.new("RGB", size, (40 * i + 20, 90, 200)) for i, size in enumerate(sizes)]


def answers(vlm, encoded) -> str:
    return vlm.tokenizer.decode(encoded.inputs["input_ids"][encoded.answer])


def test_mask_covers_every_answer_and_its_end_of_turn(vlm):
    talk = sample((0, "what?"), "a red dot", "sure?", "yes", images=1)
    encoded = vlm.encode(talk, pictures((16, 16)))
    assert answers(vlm, encoded) == "a red dot<end_of_utterance>yes<end_of_utterance>"


def test_a_turn_that_is_not_learnt_carries_no_label(vlm):
    talk = sample((0, "what?"), "wrong", "sure?", "right", "and?", "ok", images=1)
    marked = replace(talk, turns=tuple(replace(turn, learnt=turn.parts[0] != "wrong") for turn in talk.turns))
    encoded, whole = (vlm.encode(one, pictures((16, 16))) for one in (marked, talk))
    assert answers(vlm, encoded) == "right<end_of_utterance>ok<end_of_utterance>"
    assert torch.equal(encoded.inputs["input_ids"], whole.inputs["input_ids"]), "it is still seen"


def test_answer_that_repeats_the_question_is_masked_once(vlm):
    encoded = vlm.encode(sample("yes or no? yes", "yes", "yes<end_of_utterance> yes", "no"), [])
    assert answers(vlm, encoded) == "yes<end_of_utterance>no<end_of_utterance>"


def test_answers_between_pictures_are_found(tiled):
    talk = sample((0, "first?"), "one", ("then ", 1, " or ", 2, "?"), "two", images=3)
    encoded = tiled.encode(talk, pictures((32, 16), (16, 16), (32, 32)))
    assert answers(tiled, encoded) == "one<end_of_utterance>two<end_of_utterance>"
    assert encoded.inputs["pixel_values"].shape[:2] == (1, 3 + 5 + 5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=12), min_size=2,
                max_size=6).filter(lambda texts: len(texts) % 2 == 0))
def test_any_text_is_masked_exactly(vlm, texts):
    encoded = vlm.encode(sample(*texts), [])
    assert answers(vlm, encoded) == "".join(text + "<end_of_utterance>" for text in texts[1::2])


@pytest.mark.parametrize(("template", "truth"), [
    (tiny_vlm.CHATML, " blue <end_of_utterance>no<end_of_utterance>"),
    (LLAVA, " blue no"),
    (TRIMMING, "blue <end_of_utterance>no <end_of_utterance>"),
    (None, " blue <end_of_utterance>no<end_of_utterance>"),
])
def test_every_kind_of_chat_template(tmp_path, template, truth):
    vlm = load_vlm(str(tiny_vlm.llama(tmp_path, template=template)))
    encoded = vlm.encode(sample("colour?", " blue ", "sure?", "no"), [])
    assert answers(vlm, encoded) == truth
    assert int((encoded.inputs["input_ids"] == 1).sum()) == (4 if template == tiny_vlm.CHATML else template == TRIMMING)


def test_template_that_changes_answers_is_refused(tmp_path):
    vlm = load_vlm(str(tiny_vlm.llama(tmp_path, template=SHOUTING)))
    with pytest.raises(DataError, match="changes the answer text"):
        vlm.encode(sample("colour?", "blue"), [])


@pytest.mark.parametrize(("made", "words"), [
    (lambda: sample("only a question"), "no assistant turn"),
    (lambda: sample("look <image>", "yes"), "1 picture places for 0 pictures"),
    (lambda: sample((0, "what?"), "yes"), "does not list"),
    (lambda: sample("what?", ("see ", 0), images=1), "answer holds a picture"),
    (lambda: sample("long " * 500, "yes"), "too long: .* at most max_tokens"),
])
def test_sample_that_cannot_be_learnt_from_says_why(vlm, made, words):
    with pytest.raises(DataError, match=words):
        vlm.encode(made(), pictures((16, 16)))


def test_padding_is_never_an_answer(vlm):
    batch = vlm.collate([vlm.encode(sample("a", "b"), []), vlm.encode(sample("a much longer one", "so is this"), [])])
    assert not batch.answer[batch.inputs["attention_mask"] == 0].any()


def test_samples_with_none_one_and_several_pictures_share_a_batch(tiled):
    talks = [sample("none", "a"), sample((0, "one"), "b", images=1), sample((0, "of", 1), "c", images=2)]
    encoded = [tiled.encode(t, pictures((16, 16), (32, 16))) for t in talks]
    batch = tiled.collate(encoded)
    with torch.no_grad():
        together = tiled.model(**batch.inputs).logits
        for i, one in enumerate(encoded):
            alone = tiled.model(**tiled.collate([one]).inputs).logits[0]
            assert torch.allclose(together[i, :len(alone)], alone, atol=1e-4)


def test_text_model_refuses_pictures(tmp_path):
    vlm = load_vlm(str(tiny_vlm.llama(tmp_path)))
    with pytest.raises(DataError, match="reads text only"):
        vlm.encode(sample((0, "what?"), "yes", images=1), pictures((16, 16)))
