"""What the target pass collects, seen through a linear map: in full, as sketches, or as products with a few pool rows.

Unit means and their differences are linear in the gradients, so a map may come before or after them. Shape letters:
T checkpoints, S single target samples, M units, W numbers per vector after the map (METHOD §2).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

View = Callable[[int, torch.Tensor], torch.Tensor]
"""Checkpoint and gradients [B, P] → [B, W], row by row and linear."""


def in_full(t: int, rows: torch.Tensor) -> torch.Tensor:
    """The gradients themselves."""
    return rows


@dataclass(frozen=True, kw_only=True)
class Left:
    """What is left of the target once every row was tried."""

    count: torch.Tensor
    """[M]: encoded rows of each unit; M' units have any."""
    places: torch.Tensor
    """int64 [S']: the single samples that are left, as numbers 0…S-1."""
    sample_unit: torch.Tensor
    """int64 [S']: unit (0…M'-1) of each."""
    plain: list[int]
    """Units (0…M'-1) whose grounded mean is the plain one."""
    rounds: int
    """Permutations of the pictures."""


class Collected:
    """Unit vectors of single samples and sums of units, of `view`."""

    def __init__(self, view: View, shape: tuple[int, int, int, int], grounded: bool, kind: torch.dtype,
                 stored: torch.dtype | None = None) -> None:
        """shape: T, S, M, W; sums are made in `kind`, single samples kept in `stored`. S = 0 keeps no single ones."""
        steps, samples, units, width = shape
        self._view = view
        self.sample = torch.zeros(steps, samples, width, dtype=stored or kind)
        self.unit = torch.zeros(steps, units, width, dtype=kind)
        self._swapped = torch.zeros(steps, units, width, dtype=kind) if grounded else None

    def add(self, t: int, units: torch.Tensor, rows: torch.Tensor, single: torch.Tensor) -> None:
        """Gradients rows [B, P] of target samples in units [B]; single [B]: 0…S-1, -1 for a sample of means only."""
        seen = self._view(t, rows).cpu()
        self.unit[t].index_add_(0, units, seen.to(self.unit.dtype))
        if len(self.sample[t]):
            chosen = (single >= 0).nonzero()[:, 0]
            norm = rows.norm(dim=1).cpu()[chosen, None].clamp_min(1e-30)
            self.sample[t][single[chosen]] = (seen[chosen] / norm).to(self.sample.dtype)

    def add_swapped(self, t: int, units: torch.Tensor, rows: torch.Tensor) -> None:
        """The same with the pictures of other samples of the unit; only where `grounded`."""
        assert self._swapped is not None
        self._swapped[t].index_add_(0, units, self._view(t, rows).cpu().to(self.unit.dtype))

    def vectors(self, left: Left) -> dict[str, torch.Tensor]:
        """`sample` [T, S', W], `unit` and, where collected, `grounded` [T, M', W] of what is left."""
        alive = (left.count > 0).nonzero()[:, 0]
        unit = self.unit[:, alive] / left.count[alive, None]
        found = {"sample": self.sample[:, left.places] if self.sample.shape[1] else self.sample, "unit": unit}
        if self._swapped is not None:
            grounded = unit - self._swapped[:, alive] / (left.rounds * left.count[alive, None])
            grounded[:, left.plain] = unit[:, left.plain]
            found["grounded"] = grounded
        return found
