"""Any image-text-to-text model: loading, encoding, LoRA, and the forward cut at the lowest adapted layer."""

from cadc.models.encode import Batch, Encoded
from cadc.models.forward import Prefix, answer_losses, last_states, prefix, verify
from cadc.models.generation import generate
from cadc.models.layout import LoraLayout
from cadc.models.load import best_device, load_vlm
from cadc.models.lora import adapter_state, add_lora, load_adapter_state, lora_parameters, switch
from cadc.models.opening import open_vlm
from cadc.models.vlm import Vlm

__all__ = [
    "Batch", "Encoded", "LoraLayout", "Prefix", "Vlm", "adapter_state", "add_lora", "answer_losses", "best_device",
    "generate", "last_states", "load_adapter_state", "load_vlm", "lora_parameters", "open_vlm", "prefix", "switch",
    "verify",
]
