"""The scores of a finished study: every shard compacted once into memory-mapped arrays for the interactive half.

N pool samples, T checkpoints, M target units, S single target samples. Plain `.npy` files (no pickle): they can be
mapped column by column, which is what makes a move of one unit cost one column and not the whole matrix.
"""

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from cadc.errors import JobError
from cadc.study import Study, write_json

HELD_OUT = "held-out"
"""Folder inside the scores folder for what was predicted for measured rows."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """All that is kept per pool sample (METHOD §4, "What makes the app interactive")."""

    index: np.ndarray
    """int64 [N]: position in the pool file, ascending; the other arrays are in this order."""
    eta: np.ndarray
    """float32 [T]: mean learning rate η_t of each checkpoint's interval."""
    dots: np.ndarray
    """float32 [T, M, N]: ⟨Γ_t(z), ḡ_t(s)⟩ / ‖Γ_t(z)‖, ḡ the raw mean of the unit."""
    dots_grounded: np.ndarray
    """float32 [T, M, N]: the same with the grounded mean; shape [0, M, N] when it was not computed."""
    near: np.ndarray
    """float32 [M, N]: near(z, s), the mean of the q largest Inf(z, z') over the single samples of s."""
    winner: np.ndarray
    """int32 [M, N]: the target sample (0…S-1) with the largest Inf(z, z') in s."""
    loss: np.ndarray
    """float32 [N, T]: ℓ(z; θ_t)."""
    gradient_norm: np.ndarray
    """float32 [N, T]: ‖g_t(z)‖."""
    feature_norm: np.ndarray
    """float32 [N, T]: ‖Γ_t(z)‖."""
    tokens: np.ndarray
    """int32 [N]: answer tokens."""
    best_index: np.ndarray
    """int32 [S, L]: rows (0…N-1) of largest Inf(z, z') for each target sample, highest first; -1 pads."""
    best_value: np.ndarray
    """float32 [S, L]: their Inf(z, z')."""
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
    pool_sketch: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float16))
    """float16 [N, T, d]: a random projection of Γ_t(z)/‖Γ_t(z)‖ whose products estimate cosines between pool rows;
    zeros where a row was predicted, shape [0, T, d] when none was kept."""
    crossfit_loss: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """float32 [N]: ℓ(z) under models that did not train on z (docs/decisions/0016); [0] before the crossfit job."""
    crossfit_target: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """float32 [S]: ℓ of the single target samples under the same models."""
    identity: str
    """Identity of the study these scores belong to."""
    measured: np.ndarray = None  # type: ignore[assignment]
    """bool [N]: the row's gradients were computed; False: predicted from one forward (decision 0013). Left out: all
    were."""

    def __post_init__(self) -> None:
        if self.measured is None:
            object.__setattr__(self, "measured", np.ones(len(self.index), bool))

    @property
    def has_crossfit(self) -> bool:
        """Whether the cross-fitted loss is there."""
        return len(self.crossfit_loss) == len(self.index) > 0

    @cached_property
    def has_grounded(self) -> bool:
        """Whether grounded target gradients were computed."""
        return self.dots_grounded.shape[0] > 0

    def save(self, folder: Path) -> None:
        """Write all arrays, then `scores.json` last: without it the folder does not count as finished."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        write_json(folder / "scores.json", {"identity": self.identity, "units": list(self.units),
                                            "rows": int(self.index.shape[0])})

    @classmethod
    def load(cls, study: Study) -> "Scores":
        """Map the arrays of a study. Raises JobError when they are missing or belong to another question."""
        return cls._read(study, study.scores_folder)

    @classmethod
    def held_out(cls, study: Study) -> "Scores | None":
        """The measured rows alone, with what was predicted for each of them without having seen it; None where every
        row was measured. Whatever is computed from scores can be computed from these as well, and compared: that is
        the error of the predicted rows. Without winners and best rows."""
        folder = study.scores_folder / HELD_OUT
        return cls._read(study, folder) if (folder / "scores.json").exists() else None

    @classmethod
    def _read(cls, study: Study, folder: Path) -> "Scores":
        try:
            head = json.loads((folder / "scores.json").read_text())
        except FileNotFoundError:
            raise JobError(f"study {study.name!r} has no scores yet. Run its jobs first "
                           f"(`python -m cadc run {study.name}`, or the Trajectories page).") from None
        if head["identity"] != study.identity:
            raise JobError(f"scores of study {study.name!r} belong to another question ({head['identity']}). "
                           "Delete its scores folder and run again.")
        since = ("pool_sketch", "measured", "crossfit_loss", "crossfit_target")  # came later than the first studies
        there = [name for name in _ARRAYS if name not in since or (folder / f"{name}.npy").exists()]
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in there}
        return cls(**arrays, units=tuple(head["units"]), identity=head["identity"])


_ARRAYS = [f.name for f in fields(Scores) if f.type is np.ndarray]
