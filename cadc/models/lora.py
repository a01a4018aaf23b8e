"""LoRA on the linear layers of the language model, on request of connector and vision tower too, and adapters that are
switched rather than reloaded (METHOD §1)."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from cadc.errors import ModelError
from cadc.models.layout import LoraLayout, LoraMatrix
from cadc.models.outer import find_outer, watch_outer
from cadc.models.refusal import unsupported
from cadc.models.vlm import Vlm

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

log = logging.getLogger(__name__)

ADAPTER = "default"


def add_lora(vlm: Vlm, *, rank: int, alpha: float, layers: str = "all", seed: int = 0, targets: str = "language"
             ) -> LoraLayout:
    """Put LoRA on every linear of the chosen parts; the head stays as it is.

    `targets`: `language`, `connector`, `vision`, or several joined by `+`. `layers`: `all` or `last:k` decoder layers,
    for `language`. A is drawn from `seed` (Kaiming uniform), B is zero. Raises ModelError when a part has no linears, k
    exceeds the layers, or samples cannot be told apart in a part.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if vlm.lora is not None:
        raise ModelError("the model already has LoRA adapters. Load it again.")
    parts = set(targets.split("+"))
    found = find_outer(vlm, parts - {"language"}) if parts != {"language"} else None
    first = 0 if layers == "all" or "language" not in parts else len(vlm.layers) - int(layers.removeprefix("last:"))
    if first < 0:
        raise ModelError(f"lora_layers={layers}: the language model has only {len(vlm.layers)} layers. Use a "
                         "smaller k.")
    inside = _language(vlm, first) if "language" in parts else set()
    names = [name for name, m in vlm.model.named_modules() if id(m) in inside or (found and name in found.names)]
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0,  # type: ignore[arg-type]  # a float is fine, too
                        target_modules=names, bias="none")
    inject_adapter_in_model(config, vlm.model, adapter_name=ADAPTER)
    offset, matrices = 0, []
    for name in names:
        module = cast(nn.Linear, vlm.model.get_submodule(name))  # it has the shape of the one it is around
        matrices.append(LoraMatrix(name, module.in_features, module.out_features, rank, offset))
        offset = matrices[-1].end
    vlm.lora = LoraLayout(tuple(matrices), first, alpha / rank)
    vlm.model.requires_grad_(False).eval()
    for parameter in lora_parameters(vlm):
        parameter.data = parameter.data.to(adapter_dtype(vlm))
        parameter.requires_grad_(True)
    switch(vlm, _initial(vlm, seed))
    if found:
        vlm.lora = replace(vlm.lora, outer=watch_outer(vlm, found))
    return vlm.lora


def _language(vlm: Vlm, first: int) -> set[int]:
    """Ids of the linears in the decoder layers from `first` on. Raises ModelError when there are none."""
    modules = [m for layer in vlm.layers[first:] for m in layer.modules()]
    inside = {id(m) for m in modules if isinstance(m, nn.Linear)}
    if not inside:
        raise unsupported(f"{type(vlm.model).__name__}: the language model's layers hold no nn.Linear to adapt "
                          "(GPT-2's Conv1D is none)")
    others = sum(p.dim() >= 2 for m in modules if id(m) not in inside for p in m.parameters(recurse=False))
    if others:
        note = f"{others} weight matrices of the adapted layers are no nn.Linear and get no adapter"
        vlm.notes.append(note)
        log.warning(note)
    return inside


def adapter_dtype(vlm: Vlm) -> torch.dtype:
    """Number type of A and B, their moments, their gradients and all products with them: float32, also over a half
    precision base (an update of 1e-3 of a weight is lost in bfloat16); float64 for a float64 model."""
    return torch.float64 if vlm.dtype == torch.float64 else torch.float32


def _initial(vlm: Vlm, seed: int) -> torch.Tensor:
    """Flat [P]: A Kaiming-uniform as in peft, B zero; drawn here so that numbers do not depend on peft's version."""
    layout = vlm.layout
    generator = torch.Generator().manual_seed(seed)
    flat = torch.zeros(layout.size, dtype=torch.float32)
    for m, (a, _) in zip(layout.matrices, layout.views(flat), strict=True):
        bound = 1 / math.sqrt(m.inputs)
        a.copy_(torch.empty(a.shape).uniform_(-bound, bound, generator=generator))
    return flat.to(vlm.device, lora_parameters(vlm)[0].dtype)


def lora_modules(vlm: Vlm) -> "list[LoraLayer]":
    """peft's LoRA linears, in layout order."""
    return [cast("LoraLayer", vlm.model.get_submodule(name)) for name in vlm.layout.names]


def lora_parameters(vlm: Vlm) -> list[nn.Parameter]:
    """A and B of every module in turn, in layout order."""
    return [cast(nn.Parameter, letter[ADAPTER].weight)
            for module in lora_modules(vlm) for letter in (module.lora_A, module.lora_B)]


def adapter_state(vlm: Vlm) -> dict[str, torch.Tensor]:
    """A copy of the adapter: `{name}.A` [r, in], `{name}.B` [out, r]."""
    flat = torch.cat([p.detach().reshape(-1) for p in lora_parameters(vlm)])
    return vlm.layout.unflatten(flat)


def load_adapter_state(vlm: Vlm, state: Mapping[str, torch.Tensor]) -> None:
    """Make `state` the current adapter. Raises ModelError when it does not fit the layout."""
    switch(vlm, vlm.layout.flatten(state))


def switch(vlm: Vlm, flat: torch.Tensor) -> None:
    """Make flat [P] the current adapter: parameters become views of it, nothing is copied on the right device."""
    parameters = lora_parameters(vlm)
    flat = flat.to(parameters[0].device, parameters[0].dtype)
    for number, (a, b) in enumerate(vlm.layout.views(flat)):
        parameters[2 * number].data = a
        parameters[2 * number + 1].data = b
