"""Greedy answers, for the evaluation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from cadc.data.sample import Sample
from cadc.models.precision import arithmetic
from cadc.models.vlm import Vlm

if TYPE_CHECKING:
    from PIL.Image import Image


def generate(vlm: Vlm, samples: Sequence[Sample], images: "Sequence[Sequence[Image]]", max_new_tokens: int
             ) -> list[str]:
    """Greedy continuation of each sample's conversation up to its last answer; one text per sample, stripped.

    `images[i]` are the opened pictures of `samples[i]`. Raises DataError for a sample that cannot be encoded.
    """
    encoded = [vlm.encoder.encode_prompt(s, pictures) for s, pictures in zip(samples, images, strict=True)]
    batch = vlm.encoder.collate(encoded, left=True).to(vlm.device, vlm.dtype)
    pad = vlm.tokenizer.pad_token_id if vlm.tokenizer.pad_token_id is not None else vlm.tokenizer.eos_token_id
    with torch.no_grad(), arithmetic(vlm):
        output = vlm.model.generate(  # type: ignore[operator]  # transformers hides its type
            **batch.inputs, max_new_tokens=max_new_tokens, do_sample=False, use_cache=True, pad_token_id=pad)
    new = output[:, batch.inputs["input_ids"].shape[1]:]
    return [text.strip() for text in vlm.tokenizer.batch_decode(new, skip_special_tokens=True)]
