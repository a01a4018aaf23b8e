"""Trajectories page: what runs, what it costs, how it goes, and how target gradients change over the checkpoints.

T checkpoints, M target units.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation.lacking import LAST
from cadc.curation.workbench import Workbench
from cadc.estimate import ledger
from cadc.estimate.devices import DEVICES
from cadc.gradients import modes
from cadc.study import Study
from cadc.study.jobs import offered_jobs
from cadc.views.jobs import start_warnings
from cadc.views.palette import colour
from cadc.views.settings import nearness, setting_table
from cadc.views.words import duration, unbroken

HERE = ledger.HERE
"""Key of this machine among the devices that costs are predicted for."""


@dataclass(frozen=True, kw_only=True)
class TrajectoriesView:
    """What a study runs."""

    model: str
    settings: pd.DataFrame
    """setting, value."""
    nearness: str
    """How near(z, s) is measured."""
    products: str
    """How gradients are multiplied; '' before that is known."""
    warnings: tuple[str, ...]
    """What the start-up checks of the gradient jobs found."""


def trajectories_view(study: Study) -> TrajectoriesView:
    """As the study's files have it. Raises JobError."""
    products = modes.recorded(study)
    asked = [job for job in offered_jobs(study.config) if study.finished(job)]
    gradients = study.finished(LAST) or LAST not in offered_jobs(study.config)
    return TrajectoriesView(model=study.config.model, settings=setting_table(study.config, asked),
                            nearness=nearness(study.config, gradients=gradients),
                            products=modes.sentence(products) + "." if products else "",
                            warnings=tuple(start_warnings(study)))


@dataclass(frozen=True, kw_only=True)
class LossView:
    """The warm-up so far."""

    log: pd.DataFrame
    """step, loss, samples_per_s …; empty before the first step."""
    ends: tuple[int, ...]
    """Steps after which a checkpoint was taken; () while it runs."""


def loss_view(study: Study) -> LossView:
    """Of the warm-up's log; a line that is just being written is left out."""
    log = warmup_log(study)
    done = len(log) > 0 and study.finished("warmup")
    return LossView(log=log, ends=tuple(checkpoint_ends(int(log["step"].max()), study.config.checkpoints))
                    if done else ())


def warmup_log(study: Study) -> pd.DataFrame:
    """A line per optimiser step of the warm-up; empty before the first."""
    if not study.finished("ingest"):
        return pd.DataFrame()
    path = study.warmup_folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return pd.DataFrame([json.loads(line) for line in lines if line.endswith("}")])


@dataclass(frozen=True, kw_only=True)
class CostView:
    """What the jobs of a study cost, predicted for one device beside what they took here."""

    table: pd.DataFrame
    predicted: str
    """All jobs together, in words; '' without a prediction."""
    taken: str


def devices() -> dict[str, str]:
    """Devices that a cost can be predicted for, this machine first: key → name."""
    return {HERE: "This machine (measured)"} | {key: device.name for key, device in DEVICES.items()}


def latest_device(study: Study) -> str:
    """The device of the newest prediction; this machine before any."""
    return next(reversed(ledger.kept(study)), HERE)


def cost_view(study: Study, device: str) -> CostView:
    """Raises JobError when a record cannot be read."""
    found = ledger.kept(study).get(device)
    rows = ledger.beside(study, found)
    predicted = f"Predicted in all: {duration(found['total']['seconds'])}, {found['basis']}" if found else ""
    return CostView(table=cost_table(rows, duration), predicted=predicted, taken=taken(rows))


def cost_table(rows: Sequence[Mapping[str, Any]], duration: Callable[[float], str]) -> pd.DataFrame:
    """One line per job: what was predicted beside what it took, and how many times too high the prediction was.

    Columns without any entry are left out; rows as `ledger.beside` gives them, `duration` puts seconds into words.
    """
    lines = []
    for row in rows:
        predicted, actual, ratio = (row[side] or {} for side in ("predicted", "actual", "ratio"))
        lines.append({
            "job": row["job"],
            "time, predicted": _words(predicted.get("seconds"), duration),
            "time, taken": _words(actual.get("seconds"), lambda seconds: duration(seconds) if seconds else "was there"),
            "predicted ÷ taken": _words(ratio.get("seconds"), "{:.2f}".format),
            "memory, predicted": _words(predicted.get("memory_mb"), "{:,.0f} MB".format),
            "memory, taken": _words(actual.get("memory_mb"), "{:,.0f} MB".format),
            "disk, predicted": _words(predicted.get("disk_mb"), "{:,.1f} MB".format),
            "disk, taken": _words(actual.get("disk_mb"), "{:,.1f} MB".format),
            "samples/s": _words(actual.get("samples_per_s"), "{:,.1f}".format)})
    return pd.DataFrame(lines).set_index("job").dropna(axis="columns", how="all").fillna("–")


def taken(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the jobs ran; rows as in `cost_table`."""
    devices = dict.fromkeys(row["actual"]["device"] for row in rows if row["actual"] and row["actual"]["device"])
    if not devices:
        return "What jobs take is recorded when they end."
    return f"Taken: on {' and '.join(devices)}. Memory is that of all processes of a job together."


def _words(value: float | None, say: Callable[[float], str]) -> str | None:
    return None if value is None else unbroken(say(value))


def checkpoint_ends(steps: int, checkpoints: int) -> list[int]:
    """Steps after which the T checkpoints are taken: spread evenly (METHOD §1)."""
    return [round((t + 1) * steps / checkpoints) for t in range(checkpoints)]


@dataclass(frozen=True, kw_only=True)
class NormView:
    """How the mean gradient of each target unit changes."""

    table: pd.DataFrame
    """unit, checkpoint, norm."""
    colours: dict[str, str]
    """Of each unit: that of its capability."""
    units: int


def norm_view(bench: Workbench) -> NormView:
    """Of a finished study."""
    found = bench.capabilities
    ids = (*found.ids, None)  # -1, unassigned, is the last
    return NormView(table=norm_table(bench.scores.gram, bench.scores.units), units=len(bench.scores.units),
                    colours={unit: colour(ids[k]) for unit, k in zip(found.units, found.of_unit, strict=True)})


def norm_table(gram: np.ndarray, units: Sequence[str]) -> pd.DataFrame:
    """unit, checkpoint (1…T), norm: ‖ḡ_t(s)‖ from the Gram matrices [T, M, M]."""
    norms = np.sqrt(np.maximum(np.einsum("tmm->tm", np.asarray(gram, np.float64)), 0))  # [T, M]
    checkpoints, count = norms.shape
    return pd.DataFrame({"unit": np.tile(np.asarray(units, object), checkpoints),
                         "checkpoint": np.repeat(np.arange(1, checkpoints + 1), count), "norm": norms.reshape(-1)})
