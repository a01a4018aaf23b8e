"""A loaded model: the one thing that encoding, forward, adapters and every job after them share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn

from cadc.data.sample import Sample
from cadc.errors import ModelError
from cadc.models.encode import Batch, Encoded, Encoder
from cadc.models.layout import LoraLayout, Outer

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(eq=False)
class Vlm:
    """A model, its processor, and where its language model lies."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    encoder: Encoder
    decoder: nn.Module
    """The language model without its head: what `prefix` stops at."""
    layers: nn.ModuleList
    """Its decoder layers."""
    device: str
    dtype: torch.dtype
    notes: list[str] = field(default_factory=list)
    """Choices made while loading that can change a number; jobs store them with their result."""
    lora: LoraLayout | None = None
    """Set by `add_lora`."""

    @property
    def precision(self) -> str:
        """Number type of base weights and activations, by its name in the settings."""
        return str(self.dtype).removeprefix("torch.")

    def encode(self, sample: Sample, images: "Sequence[Image]") -> Encoded:
        """Tokens, pixels and answer mask of a sample. Raises DataError (too long, no answer, pictures that do not
        fit)."""
        return self.encoder.encode(sample, images)

    def collate(self, batch: Sequence[Encoded]) -> Batch:
        """Pad and join samples, with or without pictures, on the model's device."""
        return self.encoder.collate(batch).to(self.device, self.dtype)

    @property
    def quantized(self) -> bool:
        """Whether base weights are kept in 8 or 4 bits."""
        return getattr(self.model, "hf_quantizer", None) is not None

    @property
    def head(self) -> nn.Module:
        """The language-model head: hidden state → logits."""
        return self.model.get_output_embeddings()

    @property
    def text_config(self) -> "PreTrainedConfig":
        """Config of the language model."""
        return self.model.config.get_text_config()

    @property
    def layout(self) -> LoraLayout:
        """`lora`. Raises ModelError before `add_lora`."""
        if self.lora is None:
            raise ModelError("the model has no LoRA adapters yet. Call add_lora first.")
        return self.lora

    @property
    def outer(self) -> Outer:
        """Adapted linears outside the language model; of no names when there are none."""
        return (self.lora and self.lora.outer) or Outer((), ())
