"""Predicted rows of the scores: features of the landmarks → regression → every row without gradients (decision 0013).

Shape letters: N scored rows, n landmarks, T checkpoints, M units, S single target samples.
"""

import logging
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cadc.arrays import spearman
from cadc.gradients import products
from cadc.gradients.landmarks import DIRECTIONS
from cadc.jobs.shards import Shard
from cadc.scores.regression import Basis, Fitted, Kernel, Ridge
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.data.sample import Sample

log = logging.getLogger(__name__)

KERNELS = (Kernel(0.15, ("hidden", "prompt", "error", "output", "numbers", "source")), Kernel(0.3, ("outer",)))
"""Chosen on the embedded study, see decision 0013."""
SOURCES = 64
"""Sources are hashed to this many one-hot places."""
_FLOOR = 1e-6
"""Norms and losses are predicted as logarithms; smaller ones count as this."""
_STREAM = 33  # of the study's seed


@dataclass
class Filled:
    """The arrays of `Scores` that predictions are written into, [.., N] or [N, ..] as there."""

    near: np.ndarray
    winner: np.ndarray
    dots: np.ndarray
    dots_grounded: np.ndarray
    loss: np.ndarray
    gradient_norm: np.ndarray
    feature_norm: np.ndarray
    tokens: np.ndarray


class _Groups:
    """Which columns are predicted together, and how they become arrays of `Scores` and back."""

    def __init__(self, into: Filled) -> None:
        self._into = into
        self.names = ["near", "dots", *(["dots_grounded"] if into.dots_grounded.shape[0] else []), "gradient_norm",
                      "feature_norm", *(["loss"] if into.loss.shape[1] > 1 else [])]

    def known(self, name: str, at: np.ndarray) -> np.ndarray:
        """Measured answers of rows `at`: [n, C]."""
        value = getattr(self._into, name)
        if name == "near":
            return value[:, at].T
        if name in ("dots", "dots_grounded"):
            return value[:, :, at].reshape(-1, len(at)).T
        return np.log(np.maximum(value[at, :-1] if name == "loss" else value[at], _FLOOR))

    def put(self, name: str, at: np.ndarray, found: np.ndarray) -> None:
        """Write predictions [rows, C] of rows `at`."""
        value = getattr(self._into, name)
        if name == "near":
            value[:, at] = found.T
        elif name in ("dots", "dots_grounded"):
            value[:, :, at] = found.T.reshape(*value.shape[:2], -1)
        elif name == "loss":
            value[at, :-1] = np.exp(found)
        else:
            value[at] = np.exp(found)


class Predictor:
    """Fitted on the landmarks; writes predictions of the other rows shard by shard."""

    def __init__(self, study: Study, pool: Sequence["Sample"], features: Sequence[Shard], into: Filled,
                 place: np.ndarray, measured: np.ndarray, influence: np.ndarray) -> None:
        """place: int [pool], position of each pool row in the arrays or -1; measured: bool [N]; influence: float16
        [n, S], of the measured rows in order of position."""
        began = time.monotonic()
        self._study, self._pool, self._shards, self._into, self._place = study, pool, features, into, place
        self.measured = measured
        self.landmarks = np.flatnonzero(measured)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        seed = study.config.seed * 1_000 + _STREAM
        blocks = self._gather()
        self._basis = Basis(blocks, KERNELS, seed=seed, own_units=("numbers",))
        ridge = Ridge(self._basis.features(blocks), seed=seed)
        self._groups = _Groups(into)
        self._fits: dict[str, Fitted] = {}
        answers = {name: self._tensor(self._groups.known(name, self.landmarks)) for name in self._groups.names}
        self._penalty = ridge.choose(torch.cat(list(answers.values()), 1))
        for name, known in answers.items():
            self._fits[name] = ridge.fit(known, self._penalty)
        fit = ridge.fit(self._tensor(influence), self._penalty)
        self._influence = replace(fit, held_out=fit.held_out[:0])  # n · S numbers that nobody reads
        self._began = began

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).float().to(self._device)

    def _gather(self) -> dict[str, torch.Tensor]:
        """Feature blocks of the landmarks, in order of position."""
        order = np.full(len(self.measured), -1)
        order[self.landmarks] = np.arange(len(self.landmarks))
        found: dict[str, torch.Tensor] = {}
        for shard in self._shards:
            at, blocks = self._read(shard, want=True)
            for key, value in blocks.items():
                whole = found.setdefault(key, value.new_zeros(len(self.landmarks), value.shape[1]))
                whole[torch.as_tensor(order[at])] = value
        return found

    def _read(self, shard: Shard, *, want: bool) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
        """Positions and blocks of the rows of a shard that are measured (or not); loss and tokens of the latter are
        exact and written at once."""
        from safetensors.torch import load_file

        stored = load_file(shard.file(self._study))
        rows = stored["rows"].numpy()
        at = self._place[rows]
        fits = (at >= 0) & (self.measured[np.maximum(at, 0)] == want)
        rows, at = rows[fits], at[fits]
        if not len(at):
            return at, {}
        part = {key: value[torch.as_tensor(fits)] for key, value in stored.items()}
        if not want:
            self._into.loss[at, -1] = part["loss"].numpy()
            self._into.tokens[at] = part["tokens"].numpy()
        blocks = {key: part[key].float() for key in DIRECTIONS}
        loss = part["loss"][:, None]
        pictures = torch.tensor([[float(min(3, len(self._pool[row].images)))] for row in rows])
        blocks["numbers"] = torch.cat([part["numbers"], loss, loss.clamp_min(_FLOOR).log(), pictures], 1)
        blocks["source"] = _sources([self._pool[row].source for row in rows])
        return at, {key: value.to(self._device) for key, value in blocks.items()}

    def fill(self, keep: int, table: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
        """Write every row that was not measured; best rows and values [S, ≤ keep] of each shard. table: int64 [M,
        most], the single target samples of each unit (`products.members`)."""
        lists = []
        for shard in self._shards:
            at, blocks = self._read(shard, want=False)
            if not len(at):
                continue
            features = self._basis.features(blocks)
            for name, fit in self._fits.items():
                self._groups.put(name, at, fit.predict(features).cpu().numpy())
            influence = self._influence.predict(features).cpu()  # [rows, S]
            self._into.winner[:, at] = products.near(influence, table, 1)[1].t().numpy()
            value, row = products.best(influence, keep)
            lists.append((at[row.numpy()], value.numpy()))
        return lists

    def held_out(self) -> Filled:
        """The landmarks' own arrays with predictions from the other folds in place of what was measured."""
        at, into = self.landmarks, self._into
        out = Filled(near=into.near[:, at], winner=np.full((len(into.near), len(at)), -1, np.int32),
                     dots=into.dots[:, :, at], dots_grounded=into.dots_grounded[:, :, at], loss=into.loss[at],
                     gradient_norm=into.gradient_norm[at], feature_norm=into.feature_norm[at], tokens=into.tokens[at])
        groups = _Groups(out)
        for name, fit in self._fits.items():
            groups.put(name, np.arange(len(at)), fit.held_out.cpu().numpy())
        return out

    def report(self, units: Sequence[str]) -> dict[str, Any]:
        """JSON value: how many rows were measured, what was fitted, held-out rank correlations."""
        found = {name: spearman(fit.held_out.cpu().numpy(), self._groups.known(name, self.landmarks))
                 for name, fit in self._fits.items()}
        near = found["near"]
        return {"measured": len(self.landmarks), "predicted": int((~self.measured).sum()),
                "centres": self._basis.size, "penalty": self._penalty,
                "held_out": {"median": _round(np.median(near)), "lowest": _round(near.min()),
                             "lowest_unit": units[int(near.argmin())],
                             "units": {unit: _round(value) for unit, value in zip(units, near, strict=True)}},
                "held_out_median": {name: _round(np.median(value)) for name, value in found.items()},
                "regression_seconds": round(time.monotonic() - self._began, 3)}


def _sources(names: Sequence[str]) -> torch.Tensor:
    """One-hot of the hashed source: float32 [rows, SOURCES]."""
    place = torch.tensor([zlib.crc32(name.encode()) % SOURCES for name in names])
    return torch.nn.functional.one_hot(place, SOURCES).float()


def _round(value: float) -> float:
    return round(float(value), 4)
