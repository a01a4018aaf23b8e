"""The model of a study, with its adapters: every job opens it here, so that all of them see the same numbers."""

from typing import Any

from cadc.study import StudyConfig
from cadc.vlm.load import Vlm, best_device, load_vlm
from cadc.vlm.lora import add_lora


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


def _precision(config: StudyConfig, device: str) -> dict[str, Any]:
    """`auto` is bfloat16 on a GPU and float32 on a CPU."""
    chosen = config.precision
    if chosen == "auto":
        chosen = "bfloat16" if device.startswith("cuda") else "float32"
    return {"dtype": chosen}
