"""The model of a study, with its adapters: every job opens it here, so that all of them see the same numbers."""

from typing import Any

from cadc.models.load import best_device, load_vlm
from cadc.models.lora import add_lora
from cadc.models.vlm import Vlm
from cadc.study import StudyConfig


def open_vlm(config: StudyConfig, *, device: str = "") -> Vlm:
    """The frozen base model in the study's precision with freshly drawn LoRA adapters (METHOD §1).

    `device`: '' takes the best one there is. Raises ModelError when it cannot be loaded or adapted.
    """
    device = device or best_device()
    vlm = load_vlm(config.model, device=device, max_tokens=config.max_tokens, quantization=config.quantization,
                   **_precision(config, device))
    add_lora(vlm, rank=config.lora_rank, alpha=config.lora_alpha, layers=config.lora_layers, seed=config.seed,
             targets=config.lora_targets)
    return vlm


def precision_of(config: StudyConfig, device: str) -> str:
    """`float32`, `bfloat16` or `float64`: `auto` is bfloat16 on a GPU and float32 on a CPU."""
    if config.precision != "auto":
        return config.precision
    return "bfloat16" if device.startswith("cuda") else "float32"


def _precision(config: StudyConfig, device: str) -> dict[str, Any]:
    """Options of `load_vlm`. Beside a bfloat16 base float32 products may round their operands to TF32 on a GPU: still
    eight times finer than what they are multiplied from, and several times faster."""
    import torch

    chosen = precision_of(config, device)
    if device.startswith("cuda"):
        torch.set_float32_matmul_precision("high" if chosen == "bfloat16" else "highest")
    return {"dtype": chosen}
