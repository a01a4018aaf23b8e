"""An adapter folded into the weights it is beside, for forwards that want no gradient: one product per linear instead
of three."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

from cadc.models.lora import lora_modules, lora_parameters
from cadc.models.vlm import Vlm


@contextmanager
def folded(vlm: Vlm) -> Iterator[None]:
    """Inside, every adapted linear is W + (α/r) B A of the adapter that is switched in now, and nothing beside it; the
    weights come back bit by bit. A base in half precision or fewer bits is left as it is: there an update is lost when
    it is added to a weight (docs/decisions/0012)."""
    if vlm.lora is None or vlm.quantized or vlm.dtype not in (torch.float32, torch.float64):
        yield
        return
    modules = lora_modules(vlm)
    before = [cast(nn.Linear, module.base_layer).weight.data for module in modules]
    try:
        matrices = [parameter.data for parameter in lora_parameters(vlm)]
        for module, weight, down, up in zip(modules, before, matrices[::2], matrices[1::2], strict=True):
            own = cast(nn.Linear, module.base_layer).weight
            own.data = torch.addmm(weight, up, down, alpha=vlm.layout.scale) if up.any() else weight
            module._disable_adapters = True
        yield
    finally:
        for module, weight in zip(modules, before, strict=True):
            cast(nn.Linear, module.base_layer).weight.data = weight
            module._disable_adapters = False
