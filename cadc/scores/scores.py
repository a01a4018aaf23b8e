"""The columns of a study together, memory-mapped for the interactive half, with one choice of near(z, s).

N pool samples, T checkpoints, M target units, S single target samples. Plain `.npy` files (no pickle): they can be
mapped column by column, which is what makes a move of one unit cost one column and not the whole matrix.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd

from cadc.errors import DataError
from cadc.scores import columns
from cadc.scores.calibration import scale_of
from cadc.study import Study

HELD_OUT = "held-out"
"""Folder inside the scores' result for what was predicted for measured rows."""


def _none() -> np.ndarray:
    return np.zeros(0, np.float32)


def _all_measured() -> np.ndarray:
    return np.zeros(0, bool)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """All that is kept per pool sample (METHOD §4, "What makes the app interactive"). The fields are columns of
    `cadc.scores.columns`, which says what each holds."""

    index: np.ndarray
    """int64 [N]: position in the pool file, ascending; the other arrays are in this order."""
    eta: np.ndarray
    """float32 [T]: mean learning rate η_t of each checkpoint's interval."""
    dots: np.ndarray
    """float32 [T, M, N]: ⟨Γ_t(z), ḡ_t(s)⟩ / ‖Γ_t(z)‖, ḡ the raw mean of the unit."""
    dots_grounded: np.ndarray
    """float32 [T, M, N]: the same with the grounded mean; shape [0, M, N] when it was not computed."""
    near: np.ndarray
    """float32 [M, N]: near(z, s) of the chosen signal or join (`choice`)."""
    winner: np.ndarray
    """int32 [M, N]: the target sample (0…S-1) in s that the row is nearest to."""
    loss: np.ndarray
    """float32 [N, T]: ℓ(z; θ_t)."""
    gradient_norm: np.ndarray
    """float32 [N, T]: ‖g_t(z)‖."""
    feature_norm: np.ndarray
    """float32 [N, T]: ‖Γ_t(z)‖."""
    tokens: np.ndarray
    """int32 [N]: answer tokens."""
    best_index: np.ndarray
    """int32 [S, L]: the best rows (0…N-1) of each target sample, in the order of the choice; -1 pads."""
    best_value: np.ndarray
    """float32 [S, L]: their similarities, descending; on the common scale for a join."""
    gram: np.ndarray
    """float32 [T, M, M]: ⟨ḡ_t(s), ḡ_t(s')⟩."""
    gram_grounded: np.ndarray
    """float32 [T, M, M] of the grounded means; shape [0, M, M] when not computed."""
    sample_gram: np.ndarray
    """float32 [T, S, S]: cosines between single target gradients."""
    sample_unit: np.ndarray
    """int32 [S]: unit (0…M-1) of each single target sample."""
    sample_index: np.ndarray
    """int64 [S]: its position in the target file."""
    units: tuple[str, ...]
    """M names."""
    judge_loss: np.ndarray = field(default_factory=_none)
    """float32 [N]: mean of ℓ(z) over adapters that trained on target samples alone (METHOD §5); NaN for a row that they
    could not read; [0] before that job."""
    base_loss: np.ndarray = field(default_factory=_none)
    """float32 [N]: ℓ(z) under the untrained base, NaN and [0] as above."""
    judge_target: np.ndarray = field(default_factory=_none)
    """float32 [S]: mean of ℓ of the single target samples over the judges that did not train on them; NaN where all
    did."""
    base_target: np.ndarray = field(default_factory=_none)
    """float32 [S]: their ℓ under the untrained base."""
    measured: np.ndarray = field(default_factory=_all_measured)
    """bool [N]: the row's gradients were computed; False: predicted from one forward (decision 0013). Left out: all
    were."""
    choice: str = "gradients"
    """Which near(z, s) this is: one of `columns.NEAR`, or the name of another signal."""
    middle: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """float [M]: near(z, s) that counts as 0, a row like any other (METHOD §4). Left out: 0."""
    own: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """float [M]: near(z, s) that counts as 1, a row like the unit's own samples. Left out: 1."""

    def __post_init__(self) -> None:
        if len(self.measured) != len(self.index):
            object.__setattr__(self, "measured", np.ones(len(self.index), bool))
        if len(self.middle) != len(self.units):
            object.__setattr__(self, "middle", np.zeros(len(self.units)))
            object.__setattr__(self, "own", np.ones(len(self.units)))

    @property
    def has_gradients(self) -> bool:
        """Whether gradients were computed: without, T is 0 and every array over checkpoints is empty."""
        return len(self.eta) > 0

    @property
    def last_loss(self) -> np.ndarray:
        """float32 [N]: ℓ(z) at the last checkpoint; without gradients under the untrained base; NaN where neither is
        known."""
        if self.has_gradients:
            return np.asarray(self.loss[:, -1])
        known = len(self.base_loss) == len(self.index)
        return self.base_loss if known else np.full(len(self.index), np.nan, np.float32)

    @property
    def has_judge(self) -> bool:
        """Whether the judges' losses are there."""
        return len(self.judge_loss) == len(self.index) > 0

    @cached_property
    def has_grounded(self) -> bool:
        """Whether grounded target gradients were computed."""
        return self.dots_grounded.shape[0] > 0

    @classmethod
    def load(cls, study: Study, near: str = "") -> "Scores":
        """Map the columns of a study, with near(z, s) of this choice ('': the best the study has by now).

        Raises JobError when the job of one is not finished or a column is damaged, DataError for an unknown choice.
        """
        choice = near or columns.near_of(study)
        if choice not in columns.NEAR:
            raise DataError(f"nearness {choice!r} is unknown. Known: {', '.join(columns.NEAR)}")
        if choice == "quick":
            found = cls._quick(study)
            return aligned_with(cls.load(study, "gradients"), found) if study.finished("scores") else found
        own = {name: f"{name}.{choice}" for name in ("near", "best_index", "best_value", "winner")}
        names = [name for name in ARRAYS if name not in JUDGED]
        arrays = columns.read_all(study, {name: own.get(name, name) for name in names})
        judged = _judged(study, arrays["index"], arrays["sample_index"]) if study.finished("judge") else {}
        made = cls(**arrays, **judged, units=units(study), choice=choice)
        if choice in columns.CALIBRATED:
            return made
        if study.finished("near"):
            middle, scale = columns.read(study, f"scale.{choice}")
            return replace(made, middle=middle, own=scale)
        weight = np.asarray(made.eta, np.float64) / max(float(np.sum(made.eta)), 1e-30)
        rough = scale_of(made.near, np.einsum("t,tij->ij", weight, made.sample_gram), made.sample_unit,
                         study.config.near_q)
        return replace(made, middle=rough.middle, own=rough.own)

    @classmethod
    def _quick(cls, study: Study) -> "Scores":
        """What the job `quick` made: no gradients."""
        names = {"index": "rows", "sample_index": "samples", "sample_unit": "sample_units"}
        names |= {name: f"{name}.quick" for name in ("near", "winner", "best_index", "best_value")}
        arrays = columns.read_all(study, names)
        told = json.loads(study.require("quick").intact("quick.json").read_text())
        judged = {}
        if study.finished("judge"):
            judged = _judged(study, arrays["index"], arrays["sample_index"])
            tokens = _aligned(columns.read(study, "judge_rows"), arrays["index"])(columns.read(study, "judge_tokens"))
            judged["tokens"] = np.nan_to_num(tokens).astype(np.int32)
        return cls.bare(**arrays, **judged, units=tuple(told["units"]))

    @classmethod
    def bare(cls, *, index: np.ndarray, sample_index: np.ndarray, sample_unit: np.ndarray, units: tuple[str, ...],
             **known: np.ndarray) -> "Scores":
        """Rows without gradients; known: `near`, `winner`, `best_index`, `best_value`, `tokens` and what judges say,
        empty where they are left out."""
        m, n, s = len(units), len(index), len(sample_index)
        shapes = {"eta": (0,), "dots": (0, m, n), "dots_grounded": (0, m, n), "loss": (n, 0), "gradient_norm": (n, 0),
                  "feature_norm": (n, 0), "gram": (0, m, m), "gram_grounded": (0, m, m), "sample_gram": (0, s, s)}
        empty = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        none = {"near": np.zeros((m, n), np.float32), "winner": np.full((m, n), -1, np.int32),
                "best_index": np.full((s, 0), -1, np.int32), "best_value": np.zeros((s, 0), np.float32),
                "tokens": np.zeros(n, np.int32)}
        return cls(index=index, sample_index=sample_index, sample_unit=sample_unit, units=units, choice="quick",
                   **(none | known), **empty)

    @classmethod
    def held_out(cls, study: Study) -> "Scores | None":
        """The measured rows alone, with what was predicted for each of them without having seen it; None where every
        row was measured. Whatever is computed from scores can be computed from these as well, and compared: that is
        the error of the predicted rows. Without winners and best rows. Raises JobError as `load` does."""
        result = study.require("scores")
        if not (result.folder / HELD_OUT).is_dir():
            return None
        whole = cls.load(study, "gradients")
        rows = int(whole.measured.sum())
        none = {"best_index": whole.best_index[:, :0], "best_value": whole.best_value[:, :0],
                "winner": np.full((len(whole.units), rows), -1, np.int32),
                "index": whole.index[whole.measured], "measured": np.zeros(rows, bool)}
        own = {name: np.load(result.intact(f"{HELD_OUT}/{name}.npy"), mmap_mode="r", allow_pickle=False)
               for name in PREDICTED}
        same = {name: getattr(whole, name) for name in ("eta", "gram", "gram_grounded", "sample_gram", "sample_unit",
                                                        "sample_index", "units", "middle", "own")}
        return cls(**same, **own, **none)


def units(study: Study) -> tuple[str, ...]:
    """The names of the M target units that gradients were computed for. Raises JobError before there are any."""
    return tuple(json.loads(study.require("scores").intact("scores.json").read_text())["units"])


def aligned_with(rows: Scores, quick: Scores) -> Scores:
    """The rows of a gradient pass with the near(z, s) of another pass over the same pool: a row that only the first has
    is as near as any (0), and nobody's best row."""
    if np.array_equal(rows.index, quick.index) and np.array_equal(rows.sample_index, quick.sample_index):
        return replace(rows, near=quick.near, winner=quick.winner, best_index=quick.best_index,
                       best_value=quick.best_value, choice="quick", middle=quick.middle, own=quick.own)
    units, samples = len(rows.units), len(rows.sample_index)
    at = pd.Index(rows.index).get_indexer(pd.Index(quick.index))  # quick row → row, -1: none
    of_unit = {name: m for m, name in enumerate(quick.units)}
    of_sample = pd.Index(quick.sample_index).get_indexer(pd.Index(rows.sample_index))
    back = np.append(pd.Index(rows.sample_index).get_indexer(pd.Index(quick.sample_index)), -1)
    near, winner = np.zeros((units, len(rows.index)), np.float32), np.full((units, len(rows.index)), -1, np.int32)
    for m, name in enumerate(rows.units):
        if name in of_unit:
            near[m, at[at >= 0]] = np.asarray(quick.near[of_unit[name]])[at >= 0]
            winner[m, at[at >= 0]] = back[np.asarray(quick.winner[of_unit[name]])[at >= 0]]
    index = np.full((samples, quick.best_index.shape[1]), -1, np.int32)
    value = np.zeros(index.shape, np.float32)
    for s in np.flatnonzero(of_sample >= 0):
        listed = np.asarray(quick.best_index[of_sample[s]])
        fits = (listed >= 0) & (np.append(at, -1)[listed] >= 0)
        index[s, :fits.sum()], value[s, :fits.sum()] = at[listed[fits]], quick.best_value[of_sample[s]][fits]
    return replace(rows, near=near, winner=winner, best_index=index, best_value=value, choice="quick",
                   middle=np.zeros(units), own=np.ones(units))


def _judged(study: Study, index: np.ndarray, samples: np.ndarray) -> dict[str, np.ndarray]:
    """The judges' losses in the order of the scored rows and of the single target samples; NaN where there is none."""
    found = columns.read_all(study, {name: name for name in (*JUDGED, "judge_rows", "judge_samples")})
    rows, singles = _aligned(found["judge_rows"], index), _aligned(found["judge_samples"], samples)
    return {name: place(found[name]) for name, place in
            (("judge_loss", rows), ("base_loss", rows), ("judge_target", singles), ("base_target", singles))}


def _aligned(have: np.ndarray, wanted: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Function from values at positions `have` (ascending) to values at positions `wanted`, NaN where there is none."""
    place = np.minimum(np.searchsorted(have, wanted), max(len(have) - 1, 0))
    there = np.asarray(have)[place] == wanted if len(have) else np.zeros(len(wanted), bool)

    def values(given: np.ndarray) -> np.ndarray:
        found = np.full(len(wanted), np.nan, np.float32)
        found[there] = given[place[there]]
        return found

    return values


JUDGED = ("judge_loss", "base_loss", "judge_target", "base_target")
"""Fields that the job `judge` brings."""
ARRAYS = tuple(f.name for f in fields(Scores) if f.type is np.ndarray and f.name not in ("middle", "own"))
"""Fields that are arrays."""
PREDICTED = ("near", "dots", "dots_grounded", "loss", "gradient_norm", "feature_norm", "tokens")
"""Fields that the regression of decision 0013 predicts, kept for measured rows below `HELD_OUT`."""
