"""Arithmetic of a half-precision base: what is multiplied in bfloat16, and what is never rounded to it.

Matrix products and attention take bfloat16 operands; the residual stream, norms, rotations, logits and losses are
float32. The stream is the sum of all layers, so rounding it is what hurts most: kept in float32 it costs one wider
addition per layer and removes about 60 % of 1 − cosine of the gradients (docs/decisions/0012).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from cadc.models.vlm import Vlm

STARTS = (nn.Embedding, nn.Conv2d, nn.Conv3d)
"""Modules whose output begins a residual stream, in the language model as in vision towers."""


@contextmanager
def arithmetic(vlm: Vlm) -> Iterator[None]:
    """Context of every forward of the model. Nothing changes for a float32 or float64 base, on the meta
    device (operations are counted there), or inside another one."""
    kind = torch.device(vlm.device).type
    if vlm.dtype in (torch.float32, torch.float64) or _autocasts(kind) is not False:
        yield
        return
    hooks = [module.register_forward_hook(_lift) for module in _starts(vlm)]
    hooks.append(vlm.decoder.register_forward_pre_hook(_lift_embeddings, with_kwargs=True))
    norms = [module for module in vlm.model.modules() if isinstance(module, nn.LayerNorm)]
    for norm in norms:
        norm.forward = _wide(norm)  # type: ignore[method-assign, assignment]
    try:
        with torch.autocast(kind, vlm.dtype):
            yield
    finally:
        for hook in hooks:
            hook.remove()
        for norm in norms:
            del norm.forward


@contextmanager
def products(kind: str, device: str) -> Iterator[None]:
    """Context in which a CPU's float32 matrix products may round their operands to bfloat16 (`bfloat16`), or nothing
    changes (`float32`, and any other device).

    oneDNN then takes them over from torch's BLAS, and rounds where the processor gains by it; sums stay float32. For
    short sequences attention by plain products is faster than the fused kernel under it, so it is chosen too.
    """
    if kind == "float32" or not device.startswith("cpu"):
        yield
        return
    from torch.nn.attention import SDPBackend, sdpa_kernel

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def full(tensor: torch.Tensor) -> AbstractContextManager[object]:
    """Context in which nothing is rounded, whatever surrounds it."""
    kind = tensor.device.type
    return torch.autocast(kind, enabled=False) if _autocasts(kind) else nullcontext()


def _autocasts(kind: str) -> bool | None:
    """Whether a kind of device is inside torch's autocast now; None: it has none (the meta device)."""
    return torch.is_autocast_enabled(kind) if kind != "meta" else None


def _wide(norm: nn.LayerNorm) -> Callable[[torch.Tensor], torch.Tensor]:
    """torch's CPU layer norm takes no float32 stream with half-precision weights."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        weight, bias = (None if p is None else p.float() for p in (norm.weight, norm.bias))
        return nn.functional.layer_norm(x.float(), norm.normalized_shape, weight, bias, norm.eps)

    return forward


def _starts(vlm: Vlm) -> list[nn.Module]:
    """Words are embedded outside the decoder where pictures are put between them: some families want both in one
    number type there, so such a stream is lifted where it enters the decoder."""
    inside = {id(module) for module in vlm.decoder.modules()}
    words = vlm.model.get_input_embeddings()
    apart = id(words) not in inside or vlm.encoder.template.image_token is not None
    return [module for module in vlm.model.modules() if isinstance(module, STARTS) and not (apart and module is words)]


def _lift_embeddings(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    given = kwargs.get("inputs_embeds")
    return args, kwargs if given is None else kwargs | {"inputs_embeds": given.float()}


def _lift(module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
    return output.float()
