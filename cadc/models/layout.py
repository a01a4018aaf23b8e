"""Where each adapted linear layer's A and B lie in the flat vector of P numbers that gradients and adapters are
(METHOD §1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from cadc.errors import ModelError


@dataclass(frozen=True)
class Outer:
    """What lies outside the language model and is adapted."""

    names: tuple[str, ...]
    """Adapted linears."""
    blocks: tuple[str, ...]
    """Blocks of the vision tower, when all of it lies below the adapters; else ()."""
    entries: tuple[str, ...] = ()
    """The lowest adapted linears, when the tower lies below them: what they are called with is the same for every
    checkpoint."""


@dataclass(frozen=True)
class LoraMatrix:
    """One adapted linear layer: its A [r, in] and B [out, r] in the flat vector, A first."""

    name: str
    inputs: int
    outputs: int
    rank: int
    offset: int
    """Where A begins in the flat vector; B follows it."""

    @property
    def size(self) -> int:
        """Parameters of A and B."""
        return self.rank * (self.inputs + self.outputs)

    @property
    def split(self) -> int:
        """Where B begins."""
        return self.offset + self.rank * self.inputs

    @property
    def end(self) -> int:
        """One past B."""
        return self.offset + self.size


@dataclass(frozen=True)
class LoraLayout:
    """Order, shapes and offsets of all LoRA matrices in a flat vector of P numbers."""

    matrices: tuple[LoraMatrix, ...]
    first_layer: int
    """Number of the lowest adapted decoder layer."""
    scale: float
    """alpha / r."""
    outer: Outer | None = None
    """Adapted linears outside the language model; None when there are none."""

    @property
    def size(self) -> int:
        """P."""
        return self.matrices[-1].end

    @property
    def names(self) -> tuple[str, ...]:
        """Module names, in order."""
        return tuple(m.name for m in self.matrices)

    def views(self, flat: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(A [r, in], B [out, r]) of every module, as views of flat [P]."""
        return [(flat[m.offset:m.split].view(m.rank, m.inputs), flat[m.split:m.end].view(m.outputs, m.rank))
                for m in self.matrices]

    def flatten(self, state: Mapping[str, torch.Tensor], suffix: str = "") -> torch.Tensor:
        """Flat [P] from `{name}.A{suffix}`, `{name}.B{suffix}` tensors. Raises ModelError when they do not fit."""
        parts = []
        for m in self.matrices:
            for letter, shape in (("A", (m.rank, m.inputs)), ("B", (m.outputs, m.rank))):
                value = state.get(f"{m.name}.{letter}{suffix}")
                if value is None or tuple(value.shape) != shape:
                    raise ModelError(f"adapter has no {m.name}.{letter}{suffix} of shape {shape}. It belongs to "
                                     "another model or LoRA setting; run the warm-up again.")
                parts.append(value.reshape(-1))
        return torch.cat(parts)

    def unflatten(self, flat: torch.Tensor, suffix: str = "") -> dict[str, torch.Tensor]:
        """The inverse of `flatten`, as independent contiguous tensors."""
        state = {}
        for m, (a, b) in zip(self.matrices, self.views(flat), strict=True):
            state[f"{m.name}.A{suffix}"] = a.clone()
            state[f"{m.name}.B{suffix}"] = b.clone()
        return state
