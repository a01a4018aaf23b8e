"""Base weights in 8 or 4 bits through bitsandbytes; adapters and activations keep the study's precision."""

import importlib.util
from typing import TYPE_CHECKING, Any

from cadc.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


def quantized_loading(quantization: str, device: str, dtype: str) -> dict[str, Any]:
    """Options of `from_pretrained` for `none` (no options), `8bit` or `4bit`.

    4 bits: NF4 with double quantisation, as QLoRA has it. Raises ModelError when bitsandbytes is not installed or the
    precision does not go with it.
    """
    if quantization == "none":
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(f"quantization={quantization} needs bitsandbytes, which is not installed. Run `pip install -r "
                         "requirements-quantization.txt`, or choose quantization=none.")
    if dtype == "float64":
        raise ModelError(f"quantization={quantization} cannot compute in float64. Choose precision=float32 or "
                         "bfloat16.")
    import torch
    from transformers import BitsAndBytesConfig

    if quantization == "8bit":
        chosen = BitsAndBytesConfig(load_in_8bit=True)
    else:
        chosen = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                    bnb_4bit_compute_dtype=getattr(torch, dtype))
    return {"quantization_config": chosen, "device_map": {"": device}}


def keep_packing(model: "nn.Module") -> None:
    """Stop bitsandbytes from repacking 4-bit weights at their first call on a CPU with AVX512-BF16: it rounds scales to
    bfloat16 there, has no backward for that form, and fails on widths that are no multiple of 32."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def quantization_notes(quantization: str) -> list[str]:
    """What a quantised base changes in the numbers; stored with each result."""
    notes = {"4bit": "base weights in 4 bits (NF4): losses and gradients are those of the rounded model",
             "8bit": "base weights in 8 bits: activations are rounded to 8 bits too, with outliers looked for over the "
                     "whole batch, so a sample's numbers depend slightly on its batch"}
    return [notes[quantization]] if quantization in notes else []
