"""The last decoder layer where it counts: at the positions that predict answer tokens (METHOD §2).

Above the last attention every position stands for itself, and only those whose hidden state predicts an answer token
reach the loss. So inside `narrowed` the last layer computes keys and values everywhere, and queries, the attention's
output, norms and MLP at those positions alone: its states are [B, A, W] in place of [B, L, W], equal but for the order
of sums. Shape letters: B samples, L tokens, A most answer tokens of a sample, W hidden width.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from cadc.models.outer import hooks
from cadc.models.vlm import Vlm

SHARE = 0.5
"""Where answers fill more of a batch's positions, picking them out is not worth it."""
NEEDED = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
KNOWN = NEEDED | {"pre_feedforward_layernorm", "post_feedforward_layernorm"}
"""Parts of a decoder layer that adds its attention and then its MLP to what it was called with."""


@dataclass(frozen=True)
class Places:
    """The positions of a batch that predict answer tokens."""

    at: torch.Tensor
    """int64 [B, A]: positions of each sample; where it has fewer than A, its first again."""
    own: torch.Tensor
    """bool [B, A]: which of them are its own."""
    order: torch.Tensor
    """int64 [answer tokens]: place of each among those of its sample."""

    @classmethod
    def of(cls, rows: torch.Tensor, columns: torch.Tensor, samples: int) -> "Places | None":
        """rows, columns int64 [answer tokens], in order: samples 0 … `samples`-1, each at least once, and positions.
        None where answers fill too much, or where no value is known (on the meta device operations are counted)."""
        if rows.is_meta:
            return None
        counts = torch.bincount(rows, minlength=samples)
        most, length = torch.stack([counts.max(), columns.max() + 2]).tolist()
        if most > SHARE * length:
            return None
        first = counts.cumsum(0) - counts
        steps = torch.arange(most, device=rows.device)
        own = steps < counts[:, None]
        order = torch.arange(len(rows), device=rows.device) - first[rows]
        return cls(columns[first[:, None] + steps * own], own, order)


def separable(layers: nn.ModuleList) -> bool:
    """Whether the last decoder layer is made as `narrowed` expects it, and stands in no other place as well."""
    layer = layers[-1]
    names = {name for name, _ in layer.named_children()}
    if not NEEDED <= names <= KNOWN or sum(other is layer for other in layers) > 1:
        return False
    return {"q_proj", "o_proj"} <= {name for name, _ in layer.get_submodule("self_attn").named_children()}


@contextmanager
def narrowed(vlm: Vlm, places: Places) -> Iterator[None]:
    """Inside, the last decoder layer (`separable`) returns its states at `places`: [B, A, W]; those that are not a
    sample's own must not be used."""
    layer: Any = vlm.layers[-1]
    inside = ExitStack()

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        whole = args[0] if args else kwargs["hidden_states"]
        inside.enter_context(_instead({
            layer.input_layernorm: lambda forward, x: forward(whole),
            layer.self_attn.q_proj: lambda forward, x: _spread(forward(_picked(x, places.at)), places, x.shape[1]),
            layer.self_attn.o_proj: lambda forward, x: forward(_picked(x, places.at))}))
        narrow = _picked(whole, places.at)
        return ((narrow, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": narrow})

    def leave(module: nn.Module, args: tuple, output: Any) -> None:
        inside.close()

    with inside, hooks([layer.register_forward_pre_hook(enter, with_kwargs=True),
                        layer.register_forward_hook(leave)]):
        yield


@contextmanager
def _instead(forwards: "dict[nn.Module, Callable[[Callable[..., torch.Tensor], torch.Tensor], torch.Tensor]]"
             ) -> Iterator[None]:
    """Inside, these modules do this with their own forward and what they are called with."""
    before = {module: vars(module).get("forward") for module in forwards}
    for module, made in forwards.items():
        module.forward = partial(made, module.forward)
    try:
        yield
    finally:
        for module, own in before.items():
            del module.forward
            if own is not None:
                module.forward = own


def _picked(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """[B, L, …] → [B, A, …]."""
    return x.gather(1, at[:, :, None].expand(-1, -1, x.shape[2]))


def _spread(y: torch.Tensor, places: Places, length: int) -> torch.Tensor:
    """[B, A, …] → [B, L, …], zeros elsewhere."""
    wide = y.new_zeros(y.shape[0], length, y.shape[2])
    return wide.scatter_add_(1, places.at[:, :, None].expand_as(y), y * places.own[:, :, None].to(y.dtype))
