"""Any image-text-to-text model: loading, encoding, LoRA, and the forward cut at the lowest adapted layer."""

from cadc.vlm.encode import Batch, Encoded
from cadc.vlm.forward import Prefix, answer_losses, prefix, verify
from cadc.vlm.generation import generate
from cadc.vlm.load import Vlm, best_device, load_vlm
from cadc.vlm.lora import LoraLayout, adapter_state, add_lora, load_adapter_state, lora_parameters, switch
from cadc.vlm.opening import open_vlm

__all__ = [
    "Batch", "Encoded", "LoraLayout", "Prefix", "Vlm", "adapter_state", "add_lora", "answer_losses", "best_device",
    "generate", "load_adapter_state", "load_vlm", "lora_parameters", "open_vlm", "prefix", "switch", "verify",
]
