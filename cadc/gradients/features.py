"""The training-side feature Γ_t(z) of METHOD §2, module by module, with ‖g‖², ‖Γ‖² and ⟨Γ, g⟩ on the way."""
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from cadc.errors import ModelError


class Applied(NamedTuple):
    """What one module adds to a batch (METHOD §2, §4)."""

    feature: torch.Tensor
    """Γ [B, p]."""
    gradient: torch.Tensor
    """‖g‖² [B]."""
    square: torch.Tensor
    """‖Γ‖² [B]."""
    balanced: torch.Tensor
    """⟨Γ, g⟩ [B]; where Γ is linear in g this is ‖h‖², h the balanced form of METHOD §2."""


class Feature(Protocol):
    """Γ of one checkpoint."""

    def apply(self, gradient: torch.Tensor, start: int, end: int) -> Applied:
        """Gradients [B, end − start] of one module → its part of Γ and of the norms."""


@dataclass(frozen=True)
class Weighted:
    """`adam` (weight 1/(√v̂ + ε)) and `sgd` (weight 1): Γ = g ⊙ w."""

    weight: torch.Tensor
    """[P]."""

    def apply(self, gradient: torch.Tensor, start: int, end: int) -> Applied:
        norm = torch.linalg.vector_norm(gradient, dim=1)
        weighted = gradient * self.weight[start:end]
        return Applied(weighted, norm.square(), torch.linalg.vector_norm(weighted, dim=1).square(),
                       torch.linalg.vecdot(weighted, gradient))


@dataclass(frozen=True)
class AdamUpdate:
    """`less`: the update that AdamW would make for this sample alone (LESS, eq. 3), moments of the checkpoint carried
    on."""

    first: torch.Tensor
    """[P] raw first moment m."""
    second: torch.Tensor
    """[P] raw second moment v."""
    updates: int
    """Updates made so far."""
    betas: tuple[float, float]
    epsilon: float

    def apply(self, gradient: torch.Tensor, start: int, end: int) -> Applied:
        one, two = self.betas
        square = gradient * gradient
        m = (one * self.first[start:end] + (1 - one) * gradient) / (1 - one ** (self.updates + 1))
        v = (two * self.second[start:end] + (1 - two) * square) / (1 - two ** (self.updates + 1))
        update = m / (v.sqrt() + self.epsilon)
        return Applied(update, square.sum(1), (update * update).sum(1), (update * gradient).sum(1))


def feature(kind: str, first: torch.Tensor, second: torch.Tensor, updates: int, betas: tuple[float, float],
            epsilon: float) -> Feature:
    """Γ of kind `adam`, `less` or `sgd` at a checkpoint with raw moments [P] after `updates` updates."""
    if kind == "sgd":
        return Weighted(torch.ones_like(second))
    if kind == "adam":
        corrected = second / (1 - betas[1] ** max(updates, 1))
        return Weighted(1 / (corrected.sqrt() + epsilon))
    if kind == "less":
        return AdamUpdate(first, second, updates, betas, epsilon)
    raise ModelError(f"feature {kind!r} is not known. Use adam, less or sgd.")
