"""What is known of every pool row, as columns: each is written once, by one job, and never changed (decision 0022).

A column lies in the result folder of its job as `NAME.npy`; the record of that result holds its size and digest and the
digests of what it was made from. Reading one checks its size, and its bytes once per content. N scored pool rows, T
checkpoints, M units, S single target samples, L best rows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadc.errors import JobError
from cadc.study import JOBS, Study, write_array
from cadc.study.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Column:
    """One array over the pool (or over the target samples that the pool is held against)."""

    name: str
    shape: str
    """Type and shape letters."""
    job: str
    """The job that writes it."""
    about: str
    needs: tuple[str, ...] = ()
    """Columns that it is computed from, beside the job's own files."""


def _of(job: str, *columns: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, shape=shape, job=job, about=about) for name, shape, about in columns)


COLUMNS: Registry[Column] = Registry("column", (
    *_of("scores",
         ("index", "int64 [N]", "position in the pool file, ascending; all others are in this order"),
         ("measured", "bool [N]", "gradients were computed; false: predicted from one forward (decision 0013)"),
         ("tokens", "int32 [N]", "answer tokens"),
         ("eta", "float32 [T]", "η_t, mean learning rate of each checkpoint's interval"),
         ("dots", "float32 [T, M, N]", "⟨Γ_t(z), ḡ_t(s)⟩ / ‖Γ_t(z)‖, ḡ the raw mean of the unit"),
         ("dots_grounded", "float32 [T, M, N]", "the same with the grounded mean; [0, M, N] when not computed"),
         ("loss", "float32 [N, T]", "ℓ(z; θ_t)"),
         ("gradient_norm", "float32 [N, T]", "‖g_t(z)‖"),
         ("feature_norm", "float32 [N, T]", "‖Γ_t(z)‖"),
         ("winner.gradients", "int32 [M, N]", "the target sample (0…S-1) with the largest Inf(z, z') in s"),
         ("near.gradients", "float32 [M, N]", "mean of the q largest Inf(z, z') over the single samples of s"),
         ("best_index.gradients", "int32 [S, L]", "rows of largest Inf(z, z') for each target sample, highest first; "
          "-1 pads"),
         ("best_value.gradients", "float32 [S, L]", "their Inf(z, z')"),
         ("near.whitened", "float32 [M, N]", "mean of the q largest k(z, z'), cosines in the metric of the target's "
          "own samples"),
         ("winner.whitened", "int32 [M, N]", "the target sample with the largest k(z, z') in s"),
         ("best_index.whitened", "int32 [S, L]", "rows of largest k(z, z') for each target sample; -1 pads"),
         ("best_value.whitened", "float32 [S, L]", "their k(z, z')"),
         ("gram", "float32 [T, M, M]", "⟨ḡ_t(s), ḡ_t(s')⟩"),
         ("gram_grounded", "float32 [T, M, M]", "the same of the grounded means; [0, M, M] when not computed"),
         ("sample_gram", "float32 [T, S, S]", "cosines between single target gradients"),
         ("sample_unit", "int32 [S]", "unit (0…M-1) of each single target sample"),
         ("sample_index", "int64 [S]", "its position in the target file")),
    *_of("judge",
         ("judge_rows", "int64 [n]", "positions in the pool file, ascending, of the rows that the judges read"),
         ("judge_loss", "float32 [n]", "mean of ℓ(z) over adapters that trained on target samples alone"),
         ("base_loss", "float32 [n]", "ℓ(z) under the untrained base"),
         ("judge_tokens", "int32 [n]", "answer tokens"),
         ("judge_samples", "int64 [S]", "positions in the target file of the single target samples"),
         ("judge_target", "float32 [S]", "mean of their ℓ over the judges that did not train on them; NaN where all "
          "did"),
         ("base_target", "float32 [S]", "their ℓ under the untrained base")),
    *_of("quick",
         ("rows", "int64 [N]", "position in the pool file of the rows of the next four"),
         ("samples", "int64 [S]", "position in the target file of each single target sample"),
         ("sample_units", "int32 [S]", "its unit (0…M-1)"),
         ("near.quick", "float32 [M, N]", "mean of the calibrated columns of the signals that need no gradient "
          "(decision 0028)"),
         ("winner.quick", "int32 [M, N]", "the target sample with the largest calibrated similarity in s"),
         ("best_index.quick", "int32 [S, L]", "rows of the largest for each target sample; -1 pads"),
         ("best_value.quick", "float32 [S, L]", "their calibrated similarities")),
    *_of("near",
         ("scale.gradients", "float32 [2, M]", "near(z, s) of a row like any other, and of one like the unit's own"),
         ("scale.whitened", "float32 [2, M]", "the same of near.whitened"),
         ("near.joined", "float32 [M, N]", "mean of the calibrated columns of all signals (decision 0028)"),
         ("winner.joined", "int32 [M, N]", "the winner of the first of them"),
         ("best_index.joined", "int32 [S, L]", "rows with the largest mean of calibrated similarities; -1 pads"),
         ("best_value.joined", "float32 [S, L]", "that mean")),
))
"""Every column, in the order in which they come to be."""

NEAR = ("joined", "whitened", "gradients", "quick")
"""Choices of near(z, s): `near.CHOICE` with its winners and best rows."""
CALIBRATED = ("joined", "quick")
"""Those that are on the common scale already."""


def of_gradients(study: Study) -> tuple[str, ...]:
    """The choices that a study's gradient pass leaves."""
    return ("gradients", "whitened") if study.config.whitens else ("gradients",)


def near_of(study: Study) -> str:
    """The best choice of near(z, s) that a study has by now: all signals, plain gradients until these are joined, and
    what needs no gradient before there is any."""
    if study.finished("near"):
        return "joined"
    starts = study.finished("quick") or JOBS["scores"].optional(study.config)
    return "quick" if starts and not study.finished("scores") else "gradients"


def choice_of(study: Study, wanted: str) -> str:
    """The choice that a preset wants, where the study has its columns; else the best it has."""
    has = f"near.{wanted}" in COLUMNS and study.finished(COLUMNS[f"near.{wanted}"].job)
    return wanted if has else near_of(study)


def file_of(name: str) -> str:
    """File of a column below its job's result folder."""
    return f"{name}.npy"


def write(study: Study, name: str, values: np.ndarray) -> None:
    """Write a column of a job that is being done; what an earlier, unfinished run left stays where it holds the same.

    Raises JobError when the job is finished: its columns are never changed.
    """
    result = study.result(COLUMNS[name].job)
    if result.finished:
        raise JobError(f"column {name!r} of study {study.name!r} belongs to a finished result, which is never changed. "
                       f"To make it anew run `python -m cadc run {study.name} --again {result.job}`.")
    keep(result.folder / file_of(name), values)


def keep(path: Path, values: np.ndarray) -> None:
    """Write a `.npy` file unless it holds these values. One that is there may come from an earlier run, and that from
    other inputs (target gradients made again in another mode): it counts by its content alone."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        same = found.dtype == values.dtype and np.array_equal(found, values, equal_nan=found.dtype.kind == "f")
    except (OSError, ValueError, EOFError):  # none, or cut short
        same = False
    if not same:
        write_array(path, values)


def read(study: Study, name: str) -> np.ndarray:
    """A column, memory-mapped and read-only. Raises JobError when its job is not finished, or it is damaged."""
    return read_all(study, {name: name})[name]


def read_all(study: Study, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Several columns at once, by other names: what is asked → name of the column. Raises JobError as `read` does."""
    results = {job: study.require(job) for job in dict.fromkeys(COLUMNS[name].job for name in names.values())}
    return {asked: np.load(results[COLUMNS[name].job].intact(file_of(name)), mmap_mode="r", allow_pickle=False)
            for asked, name in names.items()}


def digest(study: Study) -> str:
    """Changes whenever any column does, comes or goes: what page caches are keyed by."""
    parts = []
    for job in dict.fromkeys(column.job for column in COLUMNS.values()):
        record = study.result(job).record if study.finished(job) else None
        parts.append(f"{job} {record.digest if record else ''}")
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
