"""Products of pool features with the R target vectors: `Exact` with the vectors at full size, `Sketched` with random
projections of both sides. Each LoRA linear's features come once, are used and dropped (METHOD §2).

Shape letters: B samples of a batch, R target vectors, P LoRA parameters, p those of one linear, d sketch numbers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch

from cadc.gradients.sketch import Sketch

if TYPE_CHECKING:
    from cadc.models.layout import LoraMatrix
    from cadc.models.vlm import Vlm


class Products(Protocol):
    """Dot products of one batch at one checkpoint."""

    def add(self, number: int, features: torch.Tensor) -> None:
        """Take Γ [B, p] of linear `number`; every linear comes once."""

    def dots(self) -> torch.Tensor:
        """⟨Γ, target vector⟩ [B, R], once every linear has come."""

    def length(self, balanced: torch.Tensor) -> torch.Tensor:
        """‖h‖ [B] as the products see it, from ⟨Γ, g⟩ [B]; h the balanced form of METHOD §2."""


class Vectors(Protocol):
    """The target vectors of every checkpoint on the device."""

    def append(self, *rows: torch.Tensor) -> None:
        """The next checkpoint's vectors, as the target job wrote them: [R, P] or [R, d], in one tensor or several."""

    def products(self, t: int, batch: int) -> Products:
        """Products of `batch` samples at checkpoint t."""


def accumulating(vlm: "Vlm") -> torch.dtype:
    """What sums are made in: float64 for a float64 model, else float32."""
    return torch.float64 if vlm.dtype == torch.float64 else torch.float32


def stored(vlm: "Vlm") -> torch.dtype:
    """What full target vectors are kept in: bfloat16 on a GPU or beside a bfloat16 model (products are still summed in
    float32)."""
    half = str(vlm.device).startswith("cuda") or vlm.dtype == torch.bfloat16
    return torch.bfloat16 if half else accumulating(vlm)


class Exact:
    """Full vectors, cut by LoRA linear."""

    def __init__(self, vlm: "Vlm") -> None:
        self._matrices: Sequence[LoraMatrix] = vlm.layout.matrices
        self._device, self._kept, self._kind = vlm.device, stored(vlm), accumulating(vlm)
        self._blocks: list[list[torch.Tensor]] = []

    def append(self, *rows: torch.Tensor) -> None:
        self._blocks.append([torch.cat([part[:, m.offset:m.end].to(self._device, self._kept) for part in rows])
                             for m in self._matrices])

    def products(self, t: int, batch: int) -> Products:
        return _ExactProducts(self._blocks[t], batch, self._kind)


class _ExactProducts:
    def __init__(self, blocks: Sequence[torch.Tensor], batch: int, kind: torch.dtype) -> None:
        self._blocks = blocks
        self._total = blocks[0].new_zeros(batch, len(blocks[0]), dtype=kind)

    def add(self, number: int, features: torch.Tensor) -> None:
        block = self._blocks[number]  # [R, p]
        if block.dtype == features.dtype:
            self._total.addmm_(features, block.t())
        elif block.is_cuda:
            self._total += torch.mm(features.to(block.dtype), block.t(), out_dtype=self._total.dtype)
        else:  # no CPU kernel sums bfloat16 products in float32
            self._total.addmm_(features, block.to(features.dtype).t())

    def dots(self) -> torch.Tensor:
        return self._total

    def length(self, balanced: torch.Tensor) -> torch.Tensor:
        return balanced.clamp_min(0).sqrt()


class Sketched:
    """Vectors [R, d] that were projected when they were made; features meet the same projection here."""

    def __init__(self, sketch: Sketch, device: str) -> None:
        self._sketch, self._device = sketch, device
        self._rows: list[torch.Tensor] = []

    def append(self, *rows: torch.Tensor) -> None:
        self._rows.append(torch.cat([part.to(self._device) for part in rows]))

    def products(self, t: int, batch: int) -> Products:
        return _SketchedProducts(self._sketch, t, batch, self._rows[t])


class SketchSum:
    """Sketches [B, d] of a batch's features, linear by linear."""

    def __init__(self, sketch: Sketch, t: int, batch: int) -> None:
        self._sketch, self._t = sketch, t
        self._total = sketch.zeros(batch)

    def add(self, number: int, features: torch.Tensor) -> None:
        """Take Γ [B, p] of linear `number`."""
        self._total += self._sketch.part(self._t, number, features)

    @property
    def total(self) -> torch.Tensor:
        """[B, d], once every linear has come."""
        return self._sketch.finish(self._t, self._total)


class _SketchedProducts(SketchSum):
    def __init__(self, sketch: Sketch, t: int, batch: int, rows: torch.Tensor) -> None:
        super().__init__(sketch, t, batch)
        self._rows = rows

    def dots(self) -> torch.Tensor:
        return self.total @ self._rows.t()

    def length(self, balanced: torch.Tensor) -> torch.Tensor:
        """The sketch's own: both sides carry √w, so it is a sketch of h, and the kernel one of the sketched space."""
        return torch.linalg.vector_norm(self.total, dim=1)
