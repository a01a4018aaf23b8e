"""Per-sample LoRA gradients from hooks in one batched backward.

For a LoRA linear with input x [B, L, in], u = A x [B, L, r] and y = B u [B, L, out], the gradients of sample b are ∂A
= Σ_l (∂ℓ/∂u)_l x_lᵀ [r, in] and ∂B = Σ_l (∂ℓ/∂y)_l u_lᵀ [out, r]: both factor through r, so nothing of size [out, in]
is built. The weights themselves need no gradient meanwhile: each u is made to ask for one, which starts the graph at
the first adapted layer and spares the batch's summed weight gradients.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from cadc.errors import ModelError
from cadc.vlm.lora import ADAPTER, lora_modules, lora_parameters

Consumer = Callable[[int, torch.Tensor], None]
"""Called once per LoRA linear and backward: its number in layout order, gradients [B, r·in + r·out] (A, then B row by
row)."""


def per_sample(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Σ_l left_l rightᵀ_l of every sample: [B, L, p], [B, L, q] → [B, p, q]."""
    return torch.bmm(left.transpose(1, 2), right)


class _Linear:
    """What one LoRA linear has collected in the backward that is running."""

    __slots__ = ("left", "a", "b")

    def __init__(self) -> None:
        self.left = 0
        """Calls in the forward whose gradients have not come back yet."""
        self.a: torch.Tensor | None = None
        self.b: torch.Tensor | None = None

    def flush(self, number: int, consume: Consumer) -> None:
        """Hand on what there is; a call whose output no loss depends on has no gradient and is never waited for."""
        if self.a is not None and self.b is not None:
            joined = torch.cat([self.a.flatten(1), self.b.flatten(1)], dim=1)
            self.a = self.b = None
            consume(number, joined)


@contextmanager
def captured(vlm: Any, consume: Consumer) -> Iterator[None]:
    """While open, every backward through the model hands per-sample LoRA gradients to `consume`, linear by linear.

    The loss must be a sum over samples. A linear called several times in one forward (a shared module) is handed on
    once, with its gradients added up. Hooks are removed and parameters ask for gradients again on leaving.
    """
    parameters = lora_parameters(vlm)
    handles: list[Any] = []
    linears = [_Linear() for _ in lora_modules(vlm)]
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        for number, module in enumerate(lora_modules(vlm)):
            handles += _watch(number, module, linears[number], consume)
        yield
        for number, linear in enumerate(linears):
            linear.flush(number, consume)
    finally:
        for handle in handles:
            handle.remove()
        for parameter in parameters:
            parameter.requires_grad_(True)


def _watch(number: int, module: nn.Module, state: _Linear, consume: Consumer) -> list[Any]:
    """Hooks of one LoRA linear."""
    down: list[torch.Tensor] = []

    def after_a(layer: nn.Module, args: tuple, u: torch.Tensor) -> None:
        if not torch.is_grad_enabled():
            return
        x = args[0].detach()
        if x.dim() != 3:
            raise ModelError("a LoRA linear got its samples joined in one list, so they cannot be told apart. Adapt "
                             "only the language model's layers.")
        if not u.requires_grad:
            u.requires_grad_(True)
        state.left += 1
        down.append(u.detach())
        u.register_hook(lambda gradient: on_a(x, gradient))

    def after_b(layer: nn.Module, args: tuple, y: torch.Tensor) -> None:
        if torch.is_grad_enabled():
            u = down.pop()
            y.register_hook(lambda gradient: on_b(u, gradient))

    def on_b(u: torch.Tensor, gradient: torch.Tensor) -> None:
        found = per_sample(u, gradient).transpose(1, 2)  # [B, out, r]
        state.b = found if state.b is None else state.b + found

    def on_a(x: torch.Tensor, gradient: torch.Tensor) -> None:
        found = per_sample(gradient, x)  # [B, r, in]
        state.a = found if state.a is None else state.a + found
        state.left -= 1
        if state.left == 0:
            state.flush(number, consume)

    down_hook = module.lora_A[ADAPTER].register_forward_hook(after_a)
    return [down_hook, module.lora_B[ADAPTER].register_forward_hook(after_b)]


def gradient_matrix(vlm: Any, losses: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses [B] and full per-sample gradients [B, P], for target samples (few) and tests."""
    layout = vlm.lora
    found: list[tuple[int, torch.Tensor]] = []
    with captured(vlm, lambda number, gradient: found.append((number, gradient))):
        values = losses()
        values.sum().backward()
    matrix = torch.zeros(values.shape[0], layout.size, dtype=found[0][1].dtype, device=values.device)
    for number, gradient in found:
        m = layout.matrices[number]
        matrix[:, m.offset:m.end] = gradient
    return values.detach(), matrix
