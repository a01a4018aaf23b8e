"""The job `transfer`: the intervention test of a study (METHOD §3), run by run, each kept at once in a small file.

It reads the target samples that gradients would see, so that those which evaluation holds out stay unseen by the map,
and starts from the untrained base, so that it needs no warm-up and says the same with and without gradients. M units.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from cadc.data.indices import FeedRow
from cadc.discovery.intervention import Intervention, Start, Transfer, TransferSettings, assembled
from cadc.discovery.transfer import FLOOR
from cadc.errors import JobError
from cadc.jobs.engines import EngineSettings
from cadc.jobs.processes import begin, context
from cadc.study import Study, replacing, write_array, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

ARRAYS = ("before", "after", "unit", "held")


def run_transfer(study: Study, progress: Progress, *, engine: EngineSettings | None = None) -> None:
    """The job. A stop repeats at most the runs that were being made.

    engine: on a CPU runs are made side by side where it has several processes (None: one). Raises Cancelled, JobError
    when no target sample can be used or a run goes astray, and what opening the base raises.
    """
    result = study.result("transfer")
    if result.finished:
        progress.note("transfer between target units is measured already")
        return
    settings, workers = TransferSettings.of(study.config), engine.processes if engine else 1
    with _SideBySide(workers, progress) if workers > 1 and not _on_gpu() else _OneByOne(progress) as maker:
        progress.start(1 + len(_units(study)) * settings.repeats, unit="runs")
        if _start_of(study) is None:
            progress.note("loss of every target sample under the untrained base")
            maker.make([Task(study=study)])
        start = _start_of(study)
        if start is None:
            raise JobError(f"{Task(study=study).path} was not written, or changed at once. Run the job again.")
        tasks = [Task(study=study, unit=number, repeat=repeat) for repeat in range(settings.repeats)
                 for number in range(len(start.names)) if start.members(number)]
        waiting = [task for task in tasks if _read(task) is None]
        progress.start(1 + len(tasks), unit="runs", done=1 + len(tasks) - len(waiting))
        progress.note(f"training on one of {len(start.names)} units at a time, {settings.steps} steps each")
        maker.make(waiting)
    _write_result(study, assembled(start, settings, {(task.unit, task.repeat): _made(task) for task in tasks}),
                  settings)


def measured(study: Study) -> Transfer:
    """What the finished job found. Raises JobError before it ran, or where a file is damaged."""
    result = study.require("transfer")
    about = json.loads(result.intact("transfer.json").read_text())
    arrays = {name: np.load(result.intact(f"{name}.npy"), allow_pickle=False) for name in ARRAYS}
    return Transfer(units=tuple(about["units"]), **arrays)


def _write_result(study: Study, found: Transfer, settings: TransferSettings) -> None:
    result = study.result("transfer")
    with np.load(Task(study=study).path, allow_pickle=False) as kept:
        failed = json.loads(str(kept["failed"]))
    quiet = [name for name, own in zip(found.units, found.own, strict=True) if not own >= FLOOR]
    for name in ARRAYS:
        write_array(result.folder / f"{name}.npy", getattr(found, name))
    write_json(result.folder / "transfer.json", {
        "units": list(found.units), "silent": quiet, "floor": FLOOR, "failed": failed, "settings": asdict(settings),
        "start": "untrained base" if settings.checkpoint == 0 else f"checkpoint {settings.checkpoint}"})
    result.finish()
    if quiet:
        log.warning("%d of %d units gain less than %g nats from their own samples; what others do for them is not "
                    "known: %s", len(quiet), len(found.units), FLOOR, ", ".join(quiet))


def _units(study: Study) -> dict[str, list[FeedRow]]:
    """The target samples that gradients would see, by unit: evaluation scores others where there are enough."""
    from cadc.data import read_samples
    from cadc.gradients.choice import drawn

    rows = drawn(study.config, read_samples(study.samples_file("target")))
    return {unit: sorted(own) for unit, own in rows.items()}


# ---- runs ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Task:
    """One run, or (unit −1) what all runs start from."""

    study: Study
    unit: int = -1
    repeat: int = 0

    @property
    def path(self) -> Path:
        """Where it is kept."""
        name = "start.npz" if self.unit < 0 else f"run-{self.unit:05d}-{self.repeat}.npz"
        return self.study.result("transfer").folder / name


class _OneByOne:
    """Makes runs in this process; the base is loaded once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._loaded: Intervention | None = None

    def __enter__(self) -> "_OneByOne":
        return self

    def __exit__(self, *exception: object) -> None:
        self._loaded = None

    def make(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._loaded = self._loaded or Intervention(task.study, TransferSettings.of(task.study.config))
            _make(task, self._loaded, lambda loss: self._progress.step(0, loss=loss))
            self._progress.step(1)


class _SideBySide:
    """Makes runs in processes of one torch thread each, which keep the base and what lies below the adapters."""

    def __init__(self, workers: int, progress: Progress) -> None:
        self._progress = progress
        self._pool = ProcessPoolExecutor(workers, mp_context=context(), initializer=begin,
                                         initargs=(dict(os.environ),))

    def __enter__(self) -> "_SideBySide":
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        if kind is not None:
            for process in list((self._pool._processes or {}).values()):  # kill_workers() only comes with Python 3.14
                process.kill()
        self._pool.shutdown(cancel_futures=True)

    def make(self, tasks: Sequence[Task]) -> None:
        waiting = {self._pool.submit(_make_alone, task) for task in tasks}
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                self._progress.step(1)
            self._progress.step(0)  # a cancel is seen here


_HERE: dict[str, Intervention] = {}
"""Of a process that makes runs: the base it has loaded, by study folder."""


def _make_alone(task: Task) -> None:
    """In a process of its own."""
    folder = str(task.study.folder)
    if folder not in _HERE:
        _HERE[folder] = Intervention(task.study, TransferSettings.of(task.study.config))
    _make(task, _HERE[folder], lambda loss: None)


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _make(task: Task, loaded: Intervention, told: Callable[[float], None]) -> None:
    if task.unit < 0:
        start, failed = loaded.start(_units(task.study))
        for row, reason in sorted(failed.items()):
            log.warning("target row %d cannot be used: %s", loaded.feed.samples[row].index, reason)
        listed = [{"index": loaded.feed.samples[row].index, "reason": reason} for row, reason in sorted(failed.items())]
        _write_start(task, start, json.dumps(listed))
        return
    start_now = _start_of(task.study)
    if start_now is None:
        raise JobError(f"{Task(study=task.study).path} changed while runs were made. Run the job again.")
    _write_run(task, loaded.run(start_now, task.unit, task.repeat, told))


# ---- files -----------------------------------------------------------------------------------------------------------
def _write_start(task: Task, start: Start, failed: str) -> None:
    result = task.study.result("transfer")
    with replacing(task.path) as handle:
        np.savez(handle, key=np.array(result.key), source=np.array(result.source), rows=start.rows, unit=start.unit,
                 loss=start.loss, names=np.array(json.dumps(start.names)), failed=np.array(failed))


def _write_run(task: Task, loss: np.ndarray) -> None:
    result = task.study.result("transfer")
    with replacing(task.path) as handle:
        np.savez(handle, key=np.array(result.key), source=np.array(result.source), loss=loss)


def _read(task: Task) -> dict[str, np.ndarray] | None:
    """What a run left. None for one that is not there, not whole, or of other inputs than there are now: it is made
    (again)."""
    result = task.study.result("transfer")
    try:
        with np.load(task.path, allow_pickle=False) as found:
            if (str(found["key"]), str(found["source"])) == (result.key, result.source):
                return {name: found[name] for name in found.files}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        log.warning("%s cannot be read (%s): made again", task.path, error)
    return None


def _made(task: Task) -> np.ndarray:
    found = _read(task)
    if found is None:
        raise JobError(f"{task.path} was not written, or changed at once. Run the job again.")
    return found["loss"]


def _start_of(study: Study) -> Start | None:
    found = _read(Task(study=study))
    if found is None:
        return None
    return Start(names=tuple(json.loads(str(found["names"]))), rows=found["rows"], unit=found["unit"],
                 loss=found["loss"])
