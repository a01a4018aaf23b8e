"""Faithfulness: does an influence predict what training on other rows does? The linear datamodelling score (METHOD §6).

Many models are trained on random halves of some rows; an influence predicts each one's loss on a held-out unit by the
sum of its values over the rows of that half; the score is the Spearman rank correlation over the halves between
prediction and measurement (Ilyas et al. 2022; Park et al. 2023). R retrainings, n rows, M units.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadc.arrays import spearman
from cadc.errors import DataError
from cadc.evaluation.request import RowList, hash_of, trained_on
from cadc.evaluation.retrain import Retrainer, retrain
from cadc.evaluation.scoring import teacher_forced
from cadc.evaluation.settings import EvaluationSettings
from cadc.study import Study, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

SCORED_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Score:
    """The linear datamodelling score of one influence."""

    mean: float
    """Mean over units of the Spearman correlation; about 0 for an influence that says nothing."""
    error: float
    """Its standard error: bootstrap over the retrainings, which all units share."""
    by_unit: tuple[float, ...]
    """M correlations; nan where a unit's loss or prediction does not vary."""
    retrainings: int


def half_pools(rows: int, retrainings: int, seed: int = 0) -> np.ndarray:
    """bool [R, n]: random halves, each drawn on its own (complements in pairs would be half as many observations: what
    a linear prediction says about a half it says, reversed, about the other)."""
    rng = np.random.default_rng([seed, 81])
    masks = np.zeros((retrainings, rows), bool)
    for mask in masks:
        mask[rng.permutation(rows)[:rows // 2]] = True
    return masks


def lds(influence: np.ndarray, halves: np.ndarray, loss: np.ndarray, *, rounds: int = 200, seed: int = 0) -> Score:
    """How well Σ influence over a half ranks −loss. influence: [n, M]; halves: bool [R, n]; loss: [R, M].

    The mean of an influence over the half is used, so that halves of an odd n do not differ by their size.
    """
    halves, loss, influence = np.asarray(halves, bool), np.asarray(loss, np.float64), np.asarray(influence, np.float64)
    if halves.shape != (len(loss), len(influence)) or influence.shape[1:] != loss.shape[1:]:
        raise DataError(f"lds: influence {influence.shape}, halves {halves.shape} and loss {loss.shape} do not fit.")
    predicted = halves @ influence / np.maximum(halves.sum(1, keepdims=True), 1)  # [R, M]
    by_unit = spearman(predicted, -loss, constant=np.nan)
    rng, means = np.random.default_rng([seed, 82]), []
    for _ in range(rounds):
        draw = rng.integers(0, len(loss), len(loss))
        means.append(_mean(spearman(predicted[draw], -loss[draw], constant=np.nan)))
    return Score(mean=_mean(by_unit), error=float(np.nanstd(means)) if np.isfinite(means).any() else float("nan"),
                 by_unit=tuple(by_unit.tolist()), retrainings=len(loss))


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


# ---- the retrainings -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class HalfPools:
    """A question for retrainings; its files lie below `lds/` of the study's evaluation folder."""

    rows: tuple[int, ...]
    """Positions in the pool file of the n rows that halves are drawn from."""
    scored: tuple[int, ...]
    """Positions in the target file of the held-out samples."""
    retrainings: int = 24
    steps: int = 60
    batch: int = 32
    learning_rate: float = 3e-3
    seed: int = 0
    products: str = "float32"
    """`EvaluationSettings.products`."""

    @property
    def halves(self) -> np.ndarray:
        """bool [R, n]."""
        return half_pools(len(self.rows), self.retrainings, self.seed)

    def file(self, study: Study, number: int) -> Path:
        """Result of one retraining."""
        question = [trained_on(study), self.rows, self.scored, self.retrainings, self.steps, self.batch,
                    self.learning_rate, self.seed, number]
        if self.products != "float32":
            question.append(self.products)
        return study.evaluation_folder / "lds" / f"{hash_of(question)[:16]}.json"

    @property
    def training(self) -> EvaluationSettings:
        """Batch, rate and rise of a retraining."""
        return EvaluationSettings(batch=self.batch, learning_rate=self.learning_rate, rise=min(10, self.steps),
                                  products=self.products)


def measure_half(study: Study, asked: HalfPools, number: int, retrainer: Retrainer, progress: Progress) -> None:
    """Retrain on one half and write the mean loss of every unit; nothing to do where it is there.

    All halves share one initialisation: what differs between them is their rows and the order these are drawn in.
    """
    from cadc.models.precision import products

    path = asked.file(study, number)
    if path.exists():
        return
    rows = RowList(index=np.array(asked.rows)[asked.halves[number]].tolist(), stages=None, shuffled=True)
    loss: dict[str, list[float]] = {}
    with products(asked.products, retrainer.vlm.device):
        retrain(retrainer, rows, steps=asked.steps, seed=asked.seed, settings=asked.training, progress=progress)
        for start in range(0, len(retrainer.scored), SCORED_AT_ONCE):
            chunk = retrainer.scored[start:start + SCORED_AT_ONCE]
            for row, value in zip(chunk, teacher_forced(retrainer.vlm, retrainer.target, chunk)[0], strict=True):
                loss.setdefault(retrainer.samples[row].unit or retrainer.samples[row].id, []).append(value)
    write_json(path, {"identity": study.identity, "loss": {u: sum(v) / len(v) for u, v in loss.items()}})
    mean = float(np.mean([np.mean(values) for values in loss.values()]))
    log.info("half %d of %d: mean loss %.3f", number + 1, asked.retrainings, mean)


def measured(study: Study, asked: HalfPools, units: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(halves bool [R, n], loss [R, M]) of the retrainings that are finished."""
    done = [r for r in range(asked.retrainings) if asked.file(study, r).exists()]
    found: list[dict[str, float]] = [json.loads(asked.file(study, r).read_text())["loss"] for r in done]
    loss = np.array([[one.get(unit, np.nan) for unit in units] for one in found]).reshape(len(done), len(units))
    return asked.halves[done], loss


def scores_of(influences: Mapping[str, np.ndarray], halves: np.ndarray, loss: np.ndarray) -> dict[str, Score]:
    """`lds` of several influences [n, M]; units whose loss is not finite are left aside."""
    kept = np.isfinite(loss).all(0)
    return {name: lds(np.asarray(value)[:, kept], halves, loss[:, kept]) for name, value in influences.items()}
