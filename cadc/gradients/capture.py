"""Per-sample LoRA gradients from hooks in one batched backward (METHOD §2).

For a LoRA linear y = W x + s B A x with input x [B, L, in] and output gradient δ [B, L, out], the gradients of sample
b are ∂A = s Σ_l (Bᵀ δ_l) x_lᵀ [r, in] and ∂B = s Σ_l δ_l (A x_l)ᵀ [out, r]. Both factor through r: nothing of size
[out, in] is built per sample. Two ways to get there, with equal results:

* `Merged` (float32 and float64): the checkpoint's W + s B A is put in W's place, so that forward and backward are
  those of the plain model, cheaper than a LoRA training pass; x and δ are caught at the linear, and A, B are applied
  to them here.
* `Branch` (half precision, where adding a small s B A to W would lose it; quantised weights; weights that two modules
  share): s B A x is added to the plain linear's output in float32, and A, B are applied to x and δ here all the same.

Weights need no gradient meanwhile: the first watched output is made to ask for one, which starts the graph at the
lowest adapted layer and spares the batch's summed weight gradients.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from cadc.errors import ModelError
from cadc.models.lora import lora_modules, lora_parameters
from cadc.models.precision import full

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from cadc.models.vlm import Vlm

Consumer = Callable[[int, torch.Tensor], None]
"""Called once per LoRA linear and backward: its number in layout order, gradients [B, r·in + r·out] (A, then B by
rows)."""


def lora_gradient(x: torch.Tensor, delta: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float
                  ) -> tuple[torch.Tensor, torch.Tensor]:
    """∂A [B, r, in] and ∂Bᵀ [B, r, out] from x [B, L, in], δ [B, L, out], A [r, in], B [out, r] and s."""
    return torch.bmm(_few(scale * b.t(), delta), x), torch.bmm(_few(scale * a, x), delta)


def _few(rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """[r, in] times every value of [B, L, in] → [B, r, L]. A product of few rows is twice as fast on a CPU as the same
    one of few columns (docs/decisions/0034)."""
    return torch.mm(rows, values.flatten(0, 1).t()).view(-1, *values.shape[:2]).transpose(0, 1)


class Capture(Protocol):
    """Switches checkpoints and hands per-sample gradients on."""

    def switch(self, flat: torch.Tensor) -> None:
        """Make flat [P] the current adapter."""

    def watch(self, consume: Consumer) -> AbstractContextManager[None]:
        """Context: every backward inside hands its gradients to `consume`; the loss must be a sum over samples."""

    def close(self) -> None:
        """Put the model back as it was."""


def open_capture(vlm: "Vlm") -> Capture:
    """The way that suits the model's precision."""
    owners = Counter(id(p) for m in vlm.model.modules() for p in m.parameters(recurse=False))
    plain = all(type(m.base_layer) is nn.Linear and owners[id(m.base_layer.weight)] == 1 for m in lora_modules(vlm))
    return Merged(vlm) if plain and vlm.dtype in (torch.float32, torch.float64) else Branch(vlm)


class _Linear:
    """What one LoRA linear has collected in the backward that is running.

    A linear called several times in one forward (a shared module) is handed on once, with its gradients added up.
    """

    __slots__ = ("left", "a", "b")

    def __init__(self) -> None:
        self.left = 0
        """Calls in the forward whose gradients have not come back yet."""
        self.a: torch.Tensor | None = None
        self.b: torch.Tensor | None = None

    def add(self, a: torch.Tensor | None = None, b: torch.Tensor | None = None) -> None:
        """Add ∂A [B, r, in] or ∂Bᵀ [B, r, out] of one call."""
        if a is not None:
            self.a = a if self.a is None else self.a + a
        if b is not None:
            self.b = b if self.b is None else self.b + b

    def came_back(self, number: int, consume: Consumer) -> None:
        """One call is through."""
        self.left -= 1
        if self.left == 0:
            self.flush(number, consume)

    def flush(self, number: int, consume: Consumer) -> None:
        """Hand on what there is; a call whose output no loss depends on has no gradient and is never waited for."""
        if self.a is not None and self.b is not None:
            joined = torch.cat([self.a.flatten(1), self.b.transpose(1, 2).flatten(1)], dim=1)
            self.a = self.b = None
            consume(number, joined)


@contextmanager
def _hooked(handles: "list[RemovableHandle]", linears: list[_Linear], consume: Consumer) -> Iterator[None]:
    try:
        yield
        for number, linear in enumerate(linears):
            linear.flush(number, consume)
    finally:
        for handle in handles:
            handle.remove()


def _input(args: tuple) -> torch.Tensor:
    """The input [B, L, in] of a linear. Raises ModelError when samples cannot be told apart in it."""
    x = args[0].detach()
    if x.dim() != 3:
        raise ModelError("a LoRA linear of the language model got its samples joined in one list (as in a mixture of "
                         "experts), so they cannot be told apart. This family is not supported.")
    return x


def _asks(output: torch.Tensor) -> torch.Tensor:
    """Start the graph here if it has not begun below."""
    return output if output.requires_grad else output.requires_grad_(True)


class Merged:
    """W + s B A in W's place; x and δ are caught at the base linear."""

    def __init__(self, vlm: "Vlm") -> None:
        self._vlm, self._scale = vlm, vlm.layout.scale
        self._modules = lora_modules(vlm)
        self._weights = [module.get_base_layer().get_parameter("weight") for module in self._modules]
        self._kept = [weight.data for weight in self._weights]
        self._place = [torch.empty_like(weight) for weight in self._kept]
        self._pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        for module in self._modules:
            module.enable_adapters(False)

    def switch(self, flat: torch.Tensor) -> None:
        self._pairs = self._vlm.layout.views(flat)
        for weight, kept, place, (a, b) in zip(self._weights, self._kept, self._place, self._pairs, strict=True):
            torch.addmm(kept, b, a, alpha=self._scale, out=place)
            weight.data = place

    def watch(self, consume: Consumer) -> AbstractContextManager[None]:
        linears = [_Linear() for _ in self._modules]
        handles = [module.base_layer.register_forward_hook(self._hook(number, linears[number], consume))
                   for number, module in enumerate(self._modules)]
        return _hooked(handles, linears, consume)

    def _hook(self, number: int, linear: _Linear, consume: Consumer
              ) -> Callable[[nn.Module, tuple, torch.Tensor], None]:
        def after(module: nn.Module, args: tuple, y: torch.Tensor) -> None:
            if not torch.is_grad_enabled():
                return
            x = _input(args)
            linear.left += 1
            _asks(y).register_hook(lambda delta: on(x, delta))

        def on(x: torch.Tensor, delta: torch.Tensor) -> None:
            linear.add(*lora_gradient(x, delta, *self._pairs[number], self._scale))
            linear.came_back(number, consume)

        return after

    def close(self) -> None:
        for module, weight, kept in zip(self._modules, self._weights, self._kept, strict=True):
            weight.data = kept
            module.enable_adapters(True)


class Branch:
    """The base linear's output plus s B A x, in float32 from a half-precision x and rounded once."""

    def __init__(self, vlm: "Vlm") -> None:
        self._vlm, self._scale = vlm, vlm.layout.scale
        self._modules = lora_modules(vlm)
        self._pairs = [(letter[0].detach(), letter[1].detach()) for letter in _pairs(lora_parameters(vlm))]
        self._linears: list[_Linear] = []
        self._consume: Consumer | None = None
        for module in self._modules:
            module.enable_adapters(False)
        self._handles = [module.base_layer.register_forward_hook(self._hook(number))
                         for number, module in enumerate(self._modules)]

    def switch(self, flat: torch.Tensor) -> None:
        self._pairs = self._vlm.layout.views(flat)

    @contextmanager
    def watch(self, consume: Consumer) -> Iterator[None]:
        self._linears, self._consume = [_Linear() for _ in self._modules], consume
        try:
            with _hooked([], self._linears, consume):
                yield
        finally:
            self._linears, self._consume = [], None

    def _hook(self, number: int) -> Callable[[nn.Module, tuple, torch.Tensor], torch.Tensor]:
        def after(module: nn.Module, args: tuple, y: torch.Tensor) -> torch.Tensor:
            a, b = self._pairs[number]
            x = args[0]
            if self._consume is None or not torch.is_grad_enabled():
                return _Added.apply(y, x, a, b, self._scale, None)
            _input(args)
            linear, consume = self._linears[number], self._consume
            linear.left += 1

            def take(gradient_a: torch.Tensor, gradient_b: torch.Tensor) -> None:
                linear.add(gradient_a, gradient_b)
                linear.came_back(number, consume)

            return _Added.apply(_asks(y), x, a, b, self._scale, take)

        return after

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()
        for module in self._modules:
            module.enable_adapters(True)


class _Added(torch.autograd.Function):
    """y + s B A x, with ∂A and ∂B of every sample handed to `take` in the backward.

    x and δ stay as they come (half precision, shared by the linears that read the same x) until they are multiplied;
    every product with A, B, x and δ is taken and summed in A's precision.
    """

    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float,
                take: Callable[[torch.Tensor, torch.Tensor], None] | None) -> torch.Tensor:
        ctx.save_for_backward(x, a, b)
        ctx.scale, ctx.take = scale, take
        with full(x):
            return torch.add(y, x.to(a.dtype) @ a.t() @ b.t(), alpha=scale).to(y.dtype)

    @staticmethod
    def backward(ctx: Any, delta: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, a, b = ctx.saved_tensors
        with full(delta):
            wide = delta.to(a.dtype)
            if ctx.take is not None:
                ctx.take(*lora_gradient(x.to(a.dtype), wide, a, b, ctx.scale))
            below = (wide @ (ctx.scale * b) @ a).to(x.dtype) if ctx.needs_input_grad[1] else None
        return delta, below, None, None, None, None


def _pairs(parameters: list[nn.Parameter]) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    return zip(parameters[::2], parameters[1::2], strict=True)


def gradient_matrix(vlm: "Vlm", capture: Capture, losses: Callable[[], torch.Tensor]
                    ) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses [B] and full per-sample gradients [B, P]: for target samples, which are few."""
    layout = vlm.layout
    found: list[tuple[int, torch.Tensor]] = []
    with capture.watch(lambda number, gradient: found.append((number, gradient))):
        values = losses()
        values.sum().backward()
    matrix = torch.zeros(values.shape[0], layout.size, dtype=values.dtype, device=values.device)
    for number, gradient in found:
        m = layout.matrices[number]
        matrix[:, m.offset:m.end] = gradient
    return values.detach(), matrix
