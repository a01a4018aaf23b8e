"""How many batches of target samples a CPU computes at a time, each in a thread with a model of its own (METHOD §2)."""

from typing import TYPE_CHECKING

from cadc.gradients.modes import SHARE, free_bytes

if TYPE_CHECKING:
    from cadc.models import Vlm

AT_ONCE = 3
"""Batches of gradients of one lane that are there together: in the making, waiting, and being kept."""


def lane_bytes(vlm: "Vlm", checkpoints: int, rows: int) -> int:
    """What a lane holds: a model, and gradients of `rows` samples at every checkpoint."""
    weights = sum(weight.nbytes for weight in vlm.model.parameters())
    return weights + AT_ONCE * rows * checkpoints * vlm.layout.size * vlm.dtype.itemsize


def lanes(vlm: "Vlm", checkpoints: int, rows: int, workers: int) -> int:
    """As many as there are workers, where they may share the work (`side_by_side`) and so many lanes take at most half
    of the free memory; else one."""
    from cadc.training.lanes import side_by_side

    if not side_by_side(vlm):
        return 1
    return max(1, min(workers, int(SHARE * free_bytes(vlm.device) / lane_bytes(vlm, checkpoints, rows))))
