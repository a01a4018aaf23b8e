"""Ridge regression on kernel features, in closed form, with predictions held out for every row it was fitted on
(METHOD §4).

Shape letters: n rows with known answers, m centres, C columns to predict. Pure: tensors in, tensors out. Kernel: a sum
of Gaussian kernels over groups of feature blocks, each block first divided by its own spread. Beyond `CENTRES` rows
the kernel is cut to a seeded subset of them (Nyström), so that cost grows with n and not with n³.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

CENTRES = 4096
"""Most rows that span the kernel's features."""
FOLDS = 5
LAMBDAS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Ridge penalties per row that cross-validation chooses from."""
_JITTER = 1e-6
"""Added to the kernel's diagonal before it is factored: far below any penalty that pays."""
_PIECE = 4096
"""Rows whose features are held at once in float64."""

Blocks = Mapping[str, torch.Tensor]
"""Name → float32 [rows, width]."""


@dataclass(frozen=True)
class Kernel:
    """One Gaussian kernel: exp(−gamma · Σ_b ‖x_b − x'_b‖² / v_b), v_b the total variance of block b."""

    gamma: float
    blocks: tuple[str, ...]


class Basis:
    """Feature map φ with ⟨φ(x), φ(x')⟩ = Σ kernels (on the centres exactly)."""

    def __init__(self, blocks: Blocks, kernels: Sequence[Kernel], *, seed: int, centres: int = CENTRES,
                 own_units: Sequence[str] = ()) -> None:
        """own_units: blocks whose columns have units of their own; each is first brought to the same spread."""
        rows = len(next(iter(blocks.values())))
        draw = np.random.default_rng(seed).permutation(rows)[:centres] if rows > centres else np.arange(rows)
        self._kernels = kernels
        self._moments = {key: self._moment(value, key in own_units) for key, value in blocks.items()}
        self._centres = [self._point(blocks, kernel)[torch.as_tensor(np.sort(draw))] for kernel in kernels]
        self.size = len(draw)
        within = self._similar(self._centres)
        within.diagonal().add_(_JITTER * len(kernels))
        self._factor = torch.linalg.cholesky(within)

    @staticmethod
    def _moment(value: torch.Tensor, each: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and scale, [width] each: after both, the squared lengths of the rows have mean 1."""
        mean = value.double().mean(0)
        variance = (value.double() - mean).square().mean(0)
        variance = variance * value.shape[1] if each else variance.sum().expand_as(variance)
        return mean.float(), torch.where(variance > 1e-12, variance, 1).sqrt().float()

    def _point(self, blocks: Blocks, kernel: Kernel) -> torch.Tensor:
        parts = [(blocks[name] - self._moments[name][0]) / self._moments[name][1] for name in kernel.blocks]
        return torch.cat(parts, 1) * kernel.gamma**0.5

    def _similar(self, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """Σ kernels between rows and centres: float64 [rows, m]."""
        total = torch.zeros(len(points[0]), self.size, dtype=torch.float64, device=points[0].device)
        for point, centre in zip(points, self._centres, strict=True):
            x, c = point.double(), centre.double()
            square = x.square().sum(1, keepdim=True) + c.square().sum(1) - 2 * (x @ c.t())
            total += square.clamp_min_(0).neg_().exp_()
        return total

    def features(self, blocks: Blocks) -> torch.Tensor:
        """φ of every row: float32 [rows, m]."""
        points = [self._point(blocks, kernel) for kernel in self._kernels]
        pieces = []
        for start in range(0, len(points[0]), _PIECE):
            near = self._similar([point[start:start + _PIECE] for point in points])
            pieces.append(torch.linalg.solve_triangular(self._factor, near.t(), upper=False).t().float())
        return torch.cat(pieces) if pieces else points[0].new_zeros(0, self.size)


@dataclass(frozen=True)
class Fitted:
    """A regression of some columns that belong together."""

    weights: torch.Tensor
    """float32 [m, C], for standardised columns."""
    mean: torch.Tensor
    """float32 [C]: of the known answers."""
    stretch: torch.Tensor
    """float32 [C]: spread of the known answers ÷ spread of the predictions held out for them, × their own scale."""
    middle: torch.Tensor
    """float32 [C]: mean of the held-out predictions (standardised)."""
    held_out: torch.Tensor
    """float32 [n, C]: what was predicted for each row without having seen it, brought to the spread of the answers."""

    def predict(self, features: torch.Tensor) -> torch.Tensor:
        """float32 [rows, C]: predictions with the spread of the known answers.

        A regression's predictions lie closer together than the answers; a measured row would then outrank every
        predicted one. So each column is stretched about its mean to the spread it has where it is known.
        """
        return self.mean + self.stretch * (features @ self.weights - self.middle)


class Ridge:
    """All regressions on the same rows: fold-wise sums are computed once, columns come in groups."""

    def __init__(self, features: torch.Tensor, *, seed: int) -> None:
        self._features = features  # [n, m]
        rows = len(features)
        order = torch.as_tensor(np.random.default_rng(seed).permutation(rows))
        self.folds = [order[f::FOLDS].sort().values.to(features.device) for f in range(FOLDS)]
        self._grams = torch.stack([_product(features[fold], features[fold]) for fold in self.folds])
        self._factors: dict[tuple[int | None, float], torch.Tensor] = {}

    def choose(self, answers: torch.Tensor) -> float:
        """The penalty with the smallest held-out error over all columns [n, C], each brought to the same spread; the
        fits that follow share its factors."""
        known, _, _ = _standard(answers)
        moments, errors = self._moments(known), []
        for penalty in LAMBDAS:
            self._factors = {}
            errors.append(float((self._held_out(moments, penalty) - known).double().square().mean()))
        self._factors = {}
        return LAMBDAS[int(np.argmin(errors))]

    def fit(self, answers: torch.Tensor, penalty: float) -> Fitted:
        """Fit columns [n, C] with one penalty."""
        known, mean, scale = _standard(answers)
        moments = self._moments(known)
        held = self._held_out(moments, penalty)
        middle, spread = held.double().mean(0), held.double().std(0, correction=0)
        live = spread > 1e-6
        stretch = torch.where(live, scale / torch.where(live, spread, 1), 0)
        weights = self._solve(None, moments.sum(0), penalty)
        out = Fitted(weights.float(), mean.float(), stretch.float(), middle.float(), held)
        held.sub_(out.middle).mul_(out.stretch).add_(out.mean)
        return out

    def _held_out(self, moments: torch.Tensor, penalty: float) -> torch.Tensor:
        """Standardised predictions [n, C], each from the other folds."""
        moment = moments.sum(0)
        out = self._features.new_empty(len(self._features), moments.shape[2])
        for number, fold in enumerate(self.folds):
            out[fold] = self._features[fold] @ self._solve(number, moment - moments[number], penalty).float()
        return out

    def _moments(self, known: torch.Tensor) -> torch.Tensor:
        """φᵀ y of each fold: float64 [FOLDS, m, C]."""
        return torch.stack([_product(self._features[fold], known[fold]) for fold in self.folds])

    def _solve(self, without: int | None, moment: torch.Tensor, penalty: float) -> torch.Tensor:
        """Weights from all folds but one (or from all)."""
        key = (without, penalty)
        if key not in self._factors:
            ready, rows = self._grams.sum(0), len(self._features)
            if without is not None:
                ready, rows = ready - self._grams[without], rows - len(self.folds[without])
            ready.diagonal().add_(penalty * rows)
            self._factors[key] = torch.linalg.cholesky(ready)
        return torch.cholesky_solve(moment, self._factors[key])


def _standard(answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Columns [n, C] with mean 0 and spread 1 (a constant one: 0), their means and spreads in float64 [C]."""
    mean, scale = answers.double().mean(0), answers.double().std(0, correction=0)
    scale = torch.where(scale > 1e-9 * mean.abs(), scale, 1)
    return ((answers - mean) / scale).float(), mean, scale


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """leftᵀ right, summed in float64."""
    total = torch.zeros(left.shape[1], right.shape[1], dtype=torch.float64, device=left.device)
    for start in range(0, len(left), _PIECE):
        total += left[start:start + _PIECE].double().t() @ right[start:start + _PIECE].double()
    return total
