"""The FLOP model: what a pool row costs, counted while the engine's own code runs, for a device that is not there.

torch's counter sees every matmul, convolution and attention product of the vision tower, the connector, the
language-model layers below and above the lowest adapted one, the head at answer positions, the backward and the
per-sample gradients. One multiply-add is two FLOP. Softmax, norms and copies are left out: they are the device's
memory bandwidth, not its matmuls, and part of what the efficiency factor stands for. Works on weightless models
(torch's `meta` device) too.

Shape letters: B samples, L tokens, T checkpoints, R target vectors, P LoRA parameters.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from cadc.data.indices import FeedRow
from cadc.errors import JobError

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

    from cadc.models.encode import Batch, Encoded
    from cadc.models.forward import Prefix
    from cadc.models.vlm import Vlm
    from cadc.study import Study

COUNTED, SAMPLED = 6, 64
"""Rows that are run, and rows whose tokens and pixels are looked at."""


@dataclass(frozen=True, kw_only=True)
class RowFlops:
    """FLOP of one row (or of a batch, or a mean)."""

    vision: float
    """Vision tower and connector, forward."""
    below: float
    """Language-model layers below the lowest adapted one, forward."""
    forward: float
    """Layers with adapters, and the head at answer positions."""
    backward: float
    """The way back to the lowest adapter, per-sample gradients included."""
    kept: float
    """Numbers (not bytes) that wait for the backward."""

    @property
    def once(self) -> float:
        """What is computed once for all checkpoints."""
        return self.vision + self.below

    @property
    def each(self) -> float:
        """What every checkpoint adds, products with target vectors not included."""
        return self.forward + self.backward


@dataclass(frozen=True)
class RowShape:
    """What the FLOP of a row depend on."""

    pixels: int
    """Numbers that go into the vision tower."""
    tokens: int
    """L, picture tokens included."""
    answers: int
    """Answer tokens."""


def product_flops(vectors: int, parameters: int) -> float:
    """Products of one row's gradient [P] with R target vectors."""
    return 2.0 * vectors * parameters


@contextmanager
def counting() -> "Iterator[FlopCounterMode]":
    """torch's FLOP counter; attention runs as plain matmuls meanwhile, because fused CPU kernels are not counted."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


def count(vlm: "Vlm", batch: "Batch") -> RowFlops:
    """Count one batch of a loaded model with adapters."""
    from cadc.models import prefix

    entered: list[float] = []
    with counting() as counter:
        hook = vlm.decoder.register_forward_pre_hook(lambda *_: entered.append(counter.get_total_flops()))
        try:
            given = prefix(vlm, batch)
        finally:
            hook.remove()
        whole = counter.get_total_flops()
    forward, backward, kept = count_rest(vlm, given)
    return RowFlops(vision=entered[0], below=whole - entered[0], forward=forward, backward=backward, kept=kept)


def count_rest(vlm: "Vlm", given: "Prefix") -> tuple[float, float, float]:
    """FLOP of forward and backward of one checkpoint above the cut, and the numbers that wait for the backward.

    Counted on peft's LoRA branch, which is what runs on a GPU in half precision.
    """
    from cadc.gradients.capture import Branch
    from cadc.models import answer_losses

    held = _Held(vlm)
    capture = Branch(vlm)
    try:
        with counting() as counter, capture.watch(lambda number, gradient: None):
            with torch.autograd.graph.saved_tensors_hooks(held.pack, lambda tensor: tensor):
                loss = answer_losses(vlm, given).sum()
            forward = counter.get_total_flops()
            loss.backward()
            backward = counter.get_total_flops() - forward
    finally:
        capture.close()
    return float(forward), float(backward), float(held.numbers)


class _Held:
    """Adds up what autograd saves, each storage once, weights left out."""

    def __init__(self, vlm: "Vlm") -> None:
        own = (*vlm.model.parameters(), *vlm.model.buffers())
        self._seen = {t.untyped_storage()._cdata for t in own}
        self._alive: list[torch.Tensor] = []  # so that no storage is freed and its place used again
        self.numbers = 0

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self._alive.append(tensor)
            self.numbers += storage.nbytes() // tensor.element_size()
        return tensor


def shape_of(encoded: "Encoded") -> RowShape:
    """Pixels, tokens and answer tokens of an encoded sample."""
    pixels = sum(value.numel() for value in encoded.inputs.values() if value.is_floating_point())
    return RowShape(pixels, encoded.length, encoded.tokens)


def mean_row(shapes: Sequence[RowShape], counted: Sequence[RowFlops], rows: Sequence[RowShape]) -> RowFlops:
    """Mean FLOP of `rows`, from rows of `shapes` that were `counted`.

    Every part is linear in known terms: the tower in pixels, a layer in L and L², the head in answer tokens. The few
    counted rows determine the factors by least squares.
    """
    fitted = {}
    for field in fields(RowFlops):
        vision = field.name == "vision"
        known = torch.tensor([_terms(s, vision) for s in shapes], dtype=torch.float64)
        wanted = torch.tensor([_terms(s, vision) for s in rows], dtype=torch.float64)
        scale = torch.cat([known, wanted]).amax(0).clamp_min(1)
        values = torch.tensor([getattr(c, field.name) for c in counted], dtype=torch.float64)
        factors = torch.linalg.lstsq(known / scale, values[:, None], driver="gelsd").solution
        fitted[field.name] = max(0.0, float((wanted / scale @ factors).mean()))
    return RowFlops(**fitted)


def _terms(shape: RowShape, vision: bool) -> list[float]:
    return [shape.pixels] if vision else [shape.tokens, shape.tokens**2, shape.answers]


def pool_row(study: "Study", vlm: "Vlm") -> tuple[RowFlops, float, int]:
    """Mean FLOP of a row of the study's pool, mean tokens, and how many rows were looked at.

    Raises JobError when no row can be encoded.
    """
    from cadc.models.batching import encoded_rows
    from cadc.models.feed import Feed

    feed = Feed(study, "pool", vlm)
    order = feed.by_length()
    chosen = [order[i * len(order) // min(SAMPLED, len(order))] for i in range(min(SAMPLED, len(order)))]
    failed: dict[FeedRow, str] = {}
    items = [encoded for _, encoded in encoded_rows(feed, chosen, failed)]
    if not items:
        raise JobError("no pool row can be encoded, so nothing can be counted: " + next(iter(failed.values()), "empty"))
    items.sort(key=lambda e: e.length)
    spread = sorted({round(i * (len(items) - 1) / max(COUNTED - 1, 1)) for i in range(COUNTED)})
    counted = [count(vlm, vlm.collate([items[i]])) for i in spread]
    shapes = [shape_of(e) for e in items]
    row = mean_row([shapes[i] for i in spread], counted, shapes)
    return row, sum(s.tokens for s in shapes) / len(shapes), len(items)
