"""The shipped model: genuine, small, offline; its tokenizer and chat template take anything."""

import random
import socket

import pytest
from PIL import Image

from cadc.demo import MODEL_DIR, kinds
from cadc.demo.model import IMAGE_TOKENS, build_processor

TEXTS = (
    "What number is shown?", "", " two  spaces\n\n\ttab", "héllo wörld ▁Ġ Ċ", "漢字かな 😀👩‍👩‍👧",
    "a\x00b\u202e<image >", "العربية",
)


@pytest.fixture(scope="module")
def processor():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(MODEL_DIR, local_files_only=True)


@pytest.fixture(scope="module")
def net():
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(MODEL_DIR, local_files_only=True).eval()


def _user(*parts: str | Image.Image) -> dict:
    content = [{"type": "image"} if isinstance(p, Image.Image) else {"type": "text", "text": p} for p in parts]
    return {"role": "user", "content": content}


def _logits(net, processor, messages: list[dict], pictures: list[Image.Image]):
    import torch

    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    batch = processor(text=[text], images=[pictures] if pictures else None, return_tensors="pt")
    with torch.no_grad():
        return batch, net(**batch).logits


def test_model_is_of_the_genuine_class_and_small(net) -> None:
    assert type(net).__name__ == "Idefics3ForConditionalGeneration"
    assert 1e6 < sum(p.numel() for p in net.parameters()) < 4e6
    assert sum(f.stat().st_size for f in MODEL_DIR.iterdir()) < 12e6
    assert not [f for f in MODEL_DIR.iterdir() if f.suffix in (".bin", ".pt", ".pkl", ".py")]


def test_model_loads_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    def refuse(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert AutoModelForImageTextToText.from_pretrained(MODEL_DIR) and AutoProcessor.from_pretrained(MODEL_DIR)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_template_takes_any_number_of_pictures(net, processor, n: int) -> None:
    import torch

    pictures = [Image.new("RGB", (64, 64), c) for c in ("red", "blue")[:n]]
    batch, logits = _logits(net, processor, [_user(*pictures, "Which colour is it?")], pictures)
    image_id = processor.tokenizer.convert_tokens_to_ids("<image>")
    assert int((batch["input_ids"] == image_id).sum()) == n * IMAGE_TOKENS
    assert torch.isfinite(logits).all()


def test_template_takes_many_turns_and_plain_strings(processor) -> None:
    said = [
        _user("One?"), {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
        {"role": "user", "content": "Two?"},
    ]
    assert processor.apply_chat_template(said, add_generation_prompt=True) == (
        "<|im_start|>User: One?<end_of_utterance>\nAssistant: yes<end_of_utterance>\n"
        "User: Two?<end_of_utterance>\nAssistant:"
    )


@pytest.mark.parametrize("size", [(64, 64), (200, 50), (31, 77)])
def test_pictures_of_any_size_become_sixteen_tokens(net, processor, size: tuple[int, int]) -> None:
    import torch

    picture = Image.new("RGB", size, "green")
    batch, logits = _logits(net, processor, [_user(picture, "Which colour is it?")], [picture])
    assert batch["pixel_values"].shape[-2:] == (64, 64) and torch.isfinite(logits).all()


@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer_round_trips_any_text(processor, text: str) -> None:
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert processor.tokenizer.decode(ids) == text
    assert all(i is not None for i in ids)


def test_answers_and_template_words_are_single_tokens(processor) -> None:
    rng = random.Random(0)
    for kind in kinds.KINDS.values():
        turn = kinds.compose(kind, rng)[2]
        words = turn.question.replace("?", " ?").replace(",", " ,").replace(".", " .").split()
        ids = processor.tokenizer(turn.question, add_special_tokens=False)["input_ids"]
        assert len(ids) <= len(words)
        assert len(processor.tokenizer(f" {turn.answer}", add_special_tokens=False)["input_ids"]) == 1


def test_shipped_processor_is_the_one_that_the_code_builds(processor) -> None:
    built = build_processor()
    assert built.tokenizer.get_vocab() == processor.tokenizer.get_vocab()
    assert built.image_seq_len == processor.image_seq_len == IMAGE_TOKENS
    assert processor.image_processor.do_image_splitting is False
