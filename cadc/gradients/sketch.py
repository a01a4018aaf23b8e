"""A seeded count sketch R^P → R^d, applied to one LoRA linear at a time (mode `sketch`, METHOD §2,
decision 0011).

Every coordinate of the flat gradient gets a random sign and one of d numbers to be added to: P signs and P places, no
matrix. ⟨sketch(x), sketch(y)⟩ is an unbiased estimate of ⟨x, y⟩ with variance at most 2 ‖x‖² ‖y‖² / d (Charikar et al.
2002; Weinberger et al. 2009). All linears share the d numbers, so that the error follows the whole vectors' norms and
not those of the unluckiest linear. Signs are drawn anew for every checkpoint: errors then average out over T.

Of d numbers the first k may be exact coordinates along k orthonormal *anchors*, directions that the vectors have in
common; then only what is left of both sides goes through the random part.

⟨Γ, g⟩ = ⟨c ⊙ Γ, g ⊘ c⟩ for any positive c, and the error follows the product of the two norms. With Adam weights w
it is smallest where both sides carry √w: c = 1/√w (`balances`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from cadc.models.layout import LoraMatrix

PRODUCTS = 31  # stream of the study's seed


class Sketch:
    """The same projection wherever seed, layout, dimension and anchors are the same."""

    def __init__(self, matrices: "Sequence[LoraMatrix]", dim: int, seed: Sequence[int], steps: int, *,
                 scales: Sequence[torch.Tensor] | None = None, device: str = "cpu",
                 kind: torch.dtype = torch.float32) -> None:
        """`scales`: per checkpoint [P], multiplied in before the projection; None is 1."""
        self.dim, self._steps, self._kind, self._scales = dim, steps, kind, scales
        self._matrices, self._seed, self._device = tuple(matrices), tuple(seed), device
        self._anchors: list[list[torch.Tensor]] = []
        """Per checkpoint and linear [k, p], scaled."""
        self._seen: list[torch.Tensor] = []
        """Random parts of the anchors [k, d − k], per checkpoint."""
        self._draw(dim)

    def _draw(self, dim: int) -> None:
        """Places and signs of a random part of `dim` numbers."""
        self._random = dim
        self._index: list[torch.Tensor] = []
        """Per linear int32 [c · dim]: which of its p coordinates goes to number i mod dim; padding points to 0."""
        self._weight: list[list[torch.Tensor]] = [[] for _ in range(self._steps)]
        """Per checkpoint and linear [c · dim]: sign times scale, 0 on padding."""
        for number, m in enumerate(self._matrices):
            order = torch.from_numpy(np.random.default_rng([*self._seed, number]).permutation(m.size))
            front = m.offset % dim  # linears follow one another around the numbers, so that all get equally many
            pad = (front, -(front + m.size) % dim)
            self._index.append(torch.nn.functional.pad(order, pad).int().to(self._device))
            for t in range(self._steps):
                signs = np.random.default_rng([*self._seed, number, t]).integers(0, 2, m.size) * 2 - 1
                weight = torch.from_numpy(signs).to(self._kind)
                if self._scales is not None:
                    weight = weight * self._scales[t][m.offset:m.end].to("cpu", self._kind)[order]
                self._weight[t].append(torch.nn.functional.pad(weight, pad).to(self._device))

    def anchor(self, directions: Sequence[torch.Tensor]) -> "Sketch":
        """Give the first k of the d numbers to `directions`: per checkpoint [k, P], orthonormal after scaling."""
        self._draw(self.dim - len(directions[0]))
        for t, rows in enumerate(directions):
            rows = rows.to(self._device, self._kind)
            scale = 1 if self._scales is None else self._scales[t].to(self._device, self._kind)
            self._seen.append(self._fold(t, rows / scale))
            rows = rows * scale
            self._anchors.append([rows[:, m.offset:m.end].contiguous() for m in self._matrices])
        return self

    def zeros(self, batch: int) -> torch.Tensor:
        """Where the parts of `batch` vectors are added up: [B, d]."""
        return torch.zeros(batch, self.dim, dtype=self._kind, device=self._device)

    def part(self, t: int, number: int, rows: torch.Tensor) -> torch.Tensor:
        """What linear `number` of vectors rows [B, p] adds to their sketches before `finish`: [B, d]."""
        rows = rows.to(self._kind)
        spread = rows.index_select(1, self._index[number]) * self._weight[t][number]
        random = spread.view(len(rows), -1, self._random).sum(1)
        return torch.cat([rows @ self._anchors[t][number].t(), random], 1) if self._anchors else random

    def finish(self, t: int, total: torch.Tensor) -> torch.Tensor:
        """Sums of parts [B, d] → sketches: what lies along the anchors is taken out of the random part."""
        if not self._anchors:
            return total
        along, random = total.split([self.dim - self._random, self._random], 1)
        return torch.cat([along, random - along @ self._seen[t]], 1)

    def whole(self, t: int, rows: torch.Tensor) -> torch.Tensor:
        """rows [B, P] → sketches [B, d] at checkpoint t."""
        total = self.zeros(len(rows))
        for number, m in enumerate(self._matrices):
            total += self.part(t, number, rows[:, m.offset:m.end])
        return self.finish(t, total)

    def _fold(self, t: int, rows: torch.Tensor) -> torch.Tensor:
        """The random part [B, d − k] of rows [B, P]."""
        total = rows.new_zeros(len(rows), self._random)
        for number, m in enumerate(self._matrices):
            spread = rows[:, m.offset:m.end].index_select(1, self._index[number]) * self._weight[t][number]
            total += spread.view(len(rows), -1, self._random).sum(1)
        return total


def principal(rows: torch.Tensor, count: int) -> torch.Tensor:
    """The `count` main directions of rows [n, P] (not centred), orthonormal: [≤ count, P]. Directions without a length
    are left out."""
    values, turned = torch.linalg.eigh((rows @ rows.t()).double())
    keep = values > 1e-10 * values[-1].clamp_min(1e-300)
    keep[:-count] = False
    values, turned = values[keep], turned[:, keep]
    return ((turned / values.sqrt()).t().to(rows.dtype) @ rows)


def balances(kind: str, seconds: Sequence[torch.Tensor], updates: Sequence[int], beta: float, epsilon: float
             ) -> list[torch.Tensor] | None:
    """c [P] of every checkpoint: (√v̂ + ε)^½ for `adam` and `less`, from raw second moments [P]; None for `sgd`."""
    if kind == "sgd":
        return None
    return [((v / (1 - beta ** max(n, 1))).sqrt() + epsilon).sqrt() for v, n in zip(seconds, updates, strict=True)]
