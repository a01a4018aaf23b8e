"""LESS's random projection: the projector that LESS's own code takes on a machine without trak's CUDA kernel."""

from typing import Any

import torch

BLOCK = 128
"""Columns of the sign matrix that are drawn at once, as LESS sets it."""


def projector(size: int, dimensions: int, seed: int, device: str) -> Any:
    """trak's `BasicProjector` for vectors of `size` numbers; `.project(rows [n, size], 0)` → [n, dimensions]."""
    from trak.projectors import BasicProjector, ProjectionType

    return BasicProjector(grad_dim=size, proj_dim=dimensions, seed=seed, proj_type=ProjectionType.rademacher,
                          device=torch.device(device), dtype=torch.float32, block_size=BLOCK)
