"""An adapter folded into the weights it is beside: one product per linear instead of three, for forwards that want no
gradient (`folded`) and for training (`folded_training`). Shape letters: T tokens of a batch, r rank."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from cadc.models.lora import ADAPTER, lora_modules, lora_parameters
from cadc.models.vlm import Vlm

MANY = 2
"""Tokens per row or column of a weight matrix from which folding it anew at every step costs less than it saves."""


@contextmanager
def folded(vlm: Vlm) -> Iterator[None]:
    """Inside, every adapted linear is W + (α/r) B A of the adapter that is switched in now, and nothing beside it; the
    weights come back bit by bit. A base in half precision or fewer bits is left as it is: there an update is lost when
    it is added to a weight (docs/decisions/0012)."""
    if not _foldable(vlm):
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


@contextmanager
def folded_training(vlm: Vlm) -> Iterator[None]:
    """Inside, adapted linears make one product with W + (α/r) B A wherever a batch has many tokens for their size, and
    their gradients go to A and B as before: equal but for the order of sums.

    Only on a CPU, where what it saves are passes over activations (a GPU would pay with a second copy of the weights);
    a base in half precision or fewer bits is left as it is, as by `folded`.
    """
    if not _foldable(vlm) or torch.device(vlm.device).type != "cpu":
        yield
        return
    modules = [cast(nn.Module, module) for module in lora_modules(vlm)]
    plain = [module for module in modules if "forward" not in vars(module)]
    for module in plain:
        module.forward = _one_product(module, vlm.layout.scale)
    try:
        yield
    finally:
        for module in plain:
            del module.forward


def _foldable(vlm: Vlm) -> bool:
    return vlm.lora is not None and not vlm.quantized and vlm.dtype in (torch.float32, torch.float64)


def _one_product(module: Any, scale: float) -> Callable[..., torch.Tensor]:
    """A forward of peft's LoRA linear."""
    beside, base = module.forward, module.base_layer
    down, up = module.lora_A[ADAPTER], module.lora_B[ADAPTER]

    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        tokens = x.numel() // x.shape[-1]
        if tokens < MANY * max(base.weight.shape) or not torch.is_grad_enabled() or module.disable_adapters:
            return beside(x, *args, **kwargs)
        return _Folded.apply(x, base.weight, base.bias, down.weight, up.weight, scale)

    return forward


class _Folded(torch.autograd.Function):
    """x (W + s B A)ᵀ + b, with gradients of x, A and B."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, down: torch.Tensor,
                up: torch.Tensor, scale: float) -> torch.Tensor:
        whole = torch.addmm(weight, up, down, alpha=scale)
        ctx.save_for_backward(x, whole, down, up)
        ctx.scale = scale
        return F.linear(x, whole, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, whole, down, up = ctx.saved_tensors
        given, entered = outer[0].flatten(0, -2), x.flatten(0, -2)  # [T, out], [T, in]
        below = (given @ whole).view_as(x) if ctx.needs_input_grad[0] else None
        of_down = ctx.scale * ((given @ up).t() @ entered)
        # [r, T] × [T, out] and turned: a product of few columns is several times slower than one of few rows
        of_up = ctx.scale * (F.linear(entered, down).t() @ given).t()
        return below, None, None, of_down, of_up.contiguous(), None
