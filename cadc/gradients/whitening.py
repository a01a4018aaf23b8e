"""Whitening by the target's own samples, exact and without a projection (METHOD §4).

Reference rows are the S single target samples: H [S, P] their unit-norm features, G = H Hᵀ, C = HᵀH / S their second
moments, μ = m / S the ridge. What a row z shares with the reference is p(z) = H ĥ(z) [S], which the pool pass computes
anyway; Woodbury gives from it every inner product in the metric (C + μI)⁻¹. The same holds for features of any signal
(embeddings). Shape letters: B rows, S single target samples.
"""

from dataclasses import dataclass
from functools import cached_property

import torch


@dataclass(frozen=True)
class Whitening:
    """The metric of one set of reference rows."""

    gram: torch.Tensor
    """G float64 [S, S], ones on its diagonal (zeros where a sample has no direction)."""
    ridge: float
    """m, on the scale of G."""

    @cached_property
    def inverse(self) -> torch.Tensor:
        """(G + mI)⁻¹ float64 [S, S]."""
        regular = self.gram.double() + self.ridge * torch.eye(len(self.gram), dtype=torch.float64,
                                                              device=self.gram.device)
        return torch.cholesky_inverse(torch.linalg.cholesky(regular))

    @cached_property
    def products(self) -> torch.Tensor:
        """μ ⟨ĥ(z'_j), (C + μI)⁻¹ ĥ(z'_i)⟩ float64 [S, S] of the target samples with each other: m (G + mI)⁻¹ G."""
        return self.ridge * (self.inverse @ self.gram.double())

    @cached_property
    def own(self) -> torch.Tensor:
        """μ ‖ĥ(z'_j)‖²_w float64 [S], of each target sample with itself."""
        return self.products.diagonal().clamp_min(1e-12)

    def kernel(self, products: torch.Tensor) -> torch.Tensor:
        """k(z, z'_j) [B, S], cosines in the metric, from p(z) [B, S] of rows with unit-norm features.

        The row's own norm is 1 − pᵀ (G + mI)⁻¹ p, a small difference: p must not have been rounded on the way.
        """
        inverse, own = (value.to(products.device, products.dtype) for value in (self.inverse, self.own))
        solved = products @ inverse
        square = (1 - torch.linalg.vecdot(solved, products)).clamp_min(1e-6)
        return self.ridge * solved / (square[:, None] * own).sqrt()

    def left_out(self) -> torch.Tensor:
        """k⁻ʲ(z'_j, z'_i) float64 [S, S]: row j as if z'_j were a pool row, left out of the reference.

        In the metric that it helped to make, a sample looks far from all others; without this a calibration on the
        target's own samples breaks (METHOD §4). Sherman–Morrison on (C + μI)⁻¹, the sum C being over S rows still.
        """
        size = len(self.gram)
        scale = size / self.ridge  # 1 / μ
        between, own = scale * self.products, scale * self.own
        # 1 / (S − a): a ≤ S always; = S only without a ridge.
        gain = 1 / (size - own).clamp_min(1e-9 * size)
        top = between * (1 + own * gain).sqrt()[:, None]
        bottom = own[:, None] * (own[None, :] + between.square() * gain[:, None])
        return top / bottom.clamp_min(1e-30).sqrt()
