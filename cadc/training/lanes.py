"""Parts of a training batch side by side on a CPU, each in a thread (METHOD §1).

A small model leaves cores idle that one process could use, and torch's own threads are slower beside any other busy
process than none. So a batch is cut into parts in the same way everywhere, and gradients of parts are added up in
their order: how many are computed at a time changes no bit.
"""

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from cadc.models.folding import folded_training
from cadc.models.forward import Prefix, answer_losses
from cadc.models.lora import lora_parameters

if TYPE_CHECKING:
    from cadc.models.vlm import Vlm

PART = 16
"""Rows of a part on a CPU; a GPU takes a batch as it is."""


def side_by_side(vlm: "Vlm") -> bool:
    """Whether threads may share the work: on a CPU whose processes have one torch thread each."""
    return vlm.device == "cpu" and torch.get_num_threads() == 1


def lane_count(vlm: "Vlm", batch: int, workers: int) -> int:
    """Parts at a time of a batch of so many rows: as many as there are workers, where they may share the work."""
    return max(1, min(workers, -(-batch // PART))) if side_by_side(vlm) else 1


def cut(lengths: Sequence[int], device: str) -> list[list[int]]:
    """Positions 0 … n-1 in parts of at most `PART` rows, as even as can be, of neighbours in length; all in one part
    in the order given, where one suffices or a GPU computes."""
    count = -(-len(lengths) // PART)
    if device != "cpu" or count < 2:
        return [list(range(len(lengths)))]
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    ends = [len(order) * (part + 1) // count for part in range(count)]
    return [order[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class Lanes:
    """A model, and `count` - 1 further ones that share its weights: what is copied are adapters and modules."""

    def __init__(self, vlm: "Vlm", count: int = 1) -> None:
        self._every = [vlm, *(_beside(vlm) for _ in range(count - 1))]
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane") if count > 1 else None

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()

    def backward(self, parts: Sequence[Prefix], count: int) -> float:
        """Make the gradients of Σ ℓ / `count` over all parts those of the model's adapters; returns that sum."""
        own, width, total = lora_parameters(self._every[0]), len(self._every), 0.0
        sums: list[torch.Tensor | None] = [None] * len(own)
        for parameter in own:
            parameter.grad = None
        for start in range(0, len(parts), width):
            for loss, gradients in self._at_once(parts[start:start + width], count):
                total += loss
                sums = [more if made is None else made if more is None else made.add_(more)
                        for made, more in zip(sums, gradients, strict=True)]
        for parameter, gradient in zip(own, sums, strict=True):
            parameter.grad = gradient
        return total

    def _at_once(self, parts: Sequence[Prefix], count: int
                 ) -> Iterator[tuple[float, list[torch.Tensor | None]]]:
        if self._pool is None or len(parts) == 1:
            yield from (_gradients(self._every[0], part, count) for part in parts)
            return
        for other in self._every[1:]:
            for mine, first in zip(lora_parameters(other), lora_parameters(self._every[0]), strict=True):
                mine.data = first.data
        yield from list(self._pool.map(_gradients, self._every, parts, [count] * len(parts)))


@contextmanager
def opened(vlm: "Vlm", count: int) -> Iterator[Lanes]:
    """`Lanes`, closed at the end."""
    lanes = Lanes(vlm, count)
    try:
        yield lanes
    finally:
        lanes.close()


def _gradients(vlm: "Vlm", given: Prefix, count: int) -> tuple[float, list[torch.Tensor | None]]:
    """Σ ℓ / count of a part, and its gradients, which are taken away from the parameters."""
    with folded_training(vlm):
        loss = answer_losses(vlm, given).sum() / count
        loss.backward()
    gradients = [parameter.grad for parameter in lora_parameters(vlm)]
    for parameter in lora_parameters(vlm):
        parameter.grad = None
    return float(loss.detach()), gradients


def _beside(vlm: "Vlm") -> "Vlm":
    """The same model with adapters of its own: frozen weights and buffers are the same tensors."""
    shared = [*(p for p in vlm.model.parameters() if not p.requires_grad), *vlm.model.buffers()]
    model, decoder, layers = copy.deepcopy((vlm.model, vlm.decoder, vlm.layers), {id(t): t for t in shared})
    return replace(vlm, model=model, decoder=decoder, layers=layers)
