"""Which rows look wrong to models that never trained on them: the cross-fitted loss (docs/decisions/0016).

The warm-up has seen too little to tell a wrong answer from a hard one. So a fifth of the pool, chosen in rounds over
all target samples, is split in two folds; a model trained on one fold gives the loss of every row outside it. A second
round leaves out what looked wrong in the first and splits anew. N scored pool rows, S single target samples, M units.
"""

import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadc.curation.candidates import looks_wrong, repeated
from cadc.curation.select import Taken, in_rounds
from cadc.errors import JobError
from cadc.folds import FOLDS, candidate_rows, fold_batch, fold_steps, work
from cadc.gradients.scores import Scores
from cadc.influence import InfluenceColumns
from cadc.processes import end_with_parent
from cadc.progress import Progress, Silent
from cadc.study import Study, temporary_beside, write_array

if TYPE_CHECKING:
    from cadc.evaluation.retrain import Bench

BATCH = 64
"""Rows per forward when losses are read; progress is told after each."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the models of one study are trained on."""

    index: np.ndarray
    """int64 [N]: positions in the pool file."""
    fold: np.ndarray
    """int8 [rounds, N]: fold of each row in each round; near-duplicates share theirs."""
    open: np.ndarray
    """bool [N]: may be trained on: none that repeats a target sample, one of each group of near-duplicates."""


def run_crossfit(study: Study, progress: Progress, *, workers: int = 1) -> None:
    """The crossfit job: rounds of two models; `crossfit_loss` [N] and `crossfit_target` [S] beside the other scores.

    workers: on a CPU the two models of a round are made side by side where this is more than one; the numbers are the
    same. Idempotent; a stop repeats at most the models that were being made. Raises Cancelled, and what opening the
    base raises.
    """
    rounds = study.config.crossfit
    if not rounds:
        progress.note("switched off (crossfit=0): rows that look wrong are found by the loss of the last checkpoint")
        return
    scores = Scores.load(study)
    if scores.has_crossfit:
        progress.note("the cross-fitted loss is there already")
        return
    columns, question = InfluenceColumns(scores), _question(study, scores)
    want = candidate_rows(study.config, len(scores.index))
    progress.start(sum(work(study.config, len(scores.index), len(scores.sample_index))), unit="samples")
    maker = _SideBySide(progress) if workers > 1 and not _on_gpu() else _OneByOne(progress)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for number in range(rounds):
        own = question.open.copy()
        if found:
            own &= ~looks_wrong(columns, *_mean(found))
        rows = candidates(columns, own, want)
        found.append(_round(study, question, rows, number, scores, maker))
    loss, target = _mean(found)
    for name, values in (("crossfit_target", target), ("crossfit_loss", loss)):  # the loss last: it alone counts
        write_array(study.scores_folder / f"{name}.npy", values)


def candidates(columns: InfluenceColumns, open_rows: np.ndarray, want: int) -> np.ndarray:
    """Positions of up to `want` open rows, taken in rounds over the single target samples of all units."""
    units = np.arange(len(columns.scores.units))
    taken = Taken(open_rows, np.zeros(0, np.int64), 0)
    chosen = []
    for position, *_ in in_rounds(columns.scores, units, open_rows, taken):
        if len(chosen) == want:
            break
        if taken.free(position):
            taken.take(position)
            chosen.append(position)
    return np.sort(np.array(chosen, np.int64))


def _question(study: Study, scores: Scores) -> Question:
    """Folds by near-duplicate group, seeded."""
    from cadc.data import read_samples, read_table
    from cadc.evaluation.leaks import prints_of, repeats_target

    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    by_index = {s.index: s for s in pool}
    leaks = repeats_target([by_index[int(i)] for i in scores.index], target, prints_of(study))
    table = read_table(study.samples_file("pool")).set_index("index")
    groups = table["group"].loc[np.asarray(scores.index)].to_numpy()
    names, group = np.unique(groups, return_inverse=True)
    fold = [np.random.default_rng([study.config.seed, 91, r]).permutation(len(names)) % FOLDS
            for r in range(study.config.crossfit)]
    return Question(index=np.asarray(scores.index), fold=np.stack(fold)[:, group].astype(np.int8),
                    open=~leaks & ~repeated(groups, ~leaks, np.zeros(len(leaks), bool)))


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model: the rows it trains on and those it judges."""

    study: Study
    number: int
    fold: int
    inside: np.ndarray
    """Positions in the pool file that it trains on."""
    outside: np.ndarray
    """Positions in the pool file whose loss it reads."""
    samples: np.ndarray
    """Positions in the target file whose loss it reads."""

    @property
    def path(self) -> Path:
        """Where its losses are kept."""
        return self.study.crossfit_folder / f"round-{self.number}-fold-{self.fold}.npz"

    @property
    def work(self) -> int:
        """Samples trained on and read."""
        config, rows = self.study.config, len(self.inside)
        return fold_steps(config, rows) * fold_batch(config, rows) + len(self.outside) + len(self.samples)


def _round(study: Study, question: Question, rows: np.ndarray, number: int, scores: Scores,
           maker: "_OneByOne | _SideBySide") -> tuple[np.ndarray, np.ndarray]:
    """(loss [N], target loss [S]) of one round: each row by the model of the other fold, target samples by both."""
    own, tasks, outside = question.fold[number], [], []
    for fold in range(FOLDS):
        outside.append(np.flatnonzero(own != fold))
        tasks.append(Task(study=study, number=number, fold=fold, inside=question.index[rows[own[rows] == fold]],
                          outside=question.index[outside[fold]], samples=np.asarray(scores.sample_index)))
    maker.make([task for task in tasks if not task.path.exists()])
    loss, target = np.empty(len(question.index), np.float32), []
    for task, places in zip(tasks, outside, strict=True):
        loss[places], seen = _read(task.path, study)
        target.append(seen)
    return loss, np.mean(target, 0, dtype=np.float32)


class _OneByOne:
    """Makes models in this process; the base is loaded once."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._bench = progress, None

    def make(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._progress.note(f"round {task.number + 1} of {task.study.config.crossfit}, model {task.fold + 1} of "
                                f"{FOLDS}: {len(task.inside)} rows")
            self._bench = self._bench or _open(task)
            _write(task.path, task.study, *_model(task, self._bench, self._progress))


class _SideBySide:
    """Makes each model in a process of its own, one torch thread each."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def make(self, tasks: list[Task]) -> None:
        if not tasks:
            return
        sizes = " and ".join(str(len(task.inside)) for task in tasks)
        self._progress.note(f"round {tasks[0].number + 1} of {tasks[0].study.config.crossfit}: models side by side, "
                            f"{sizes} rows")
        pool = ProcessPoolExecutor(len(tasks), mp_context=get_context("spawn"), initializer=end_with_parent)
        try:
            waiting = {pool.submit(_make_alone, task): task for task in tasks}
            while waiting:
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    self._progress.step(waiting.pop(future).work)
                self._progress.step(0)  # a cancel is seen here
        except BaseException:
            for process in list(pool._processes.values()):  # kill_workers() only comes with Python 3.14
                process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _make_alone(task: Task) -> None:
    """In a process of its own."""
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    torch.set_num_threads(1)
    _write(task.path, task.study, *_model(task, _open(task), Silent()))


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _open(task: Task) -> "Bench":
    from cadc.evaluation.retrain import open_bench

    return open_bench(task.study, task.samples.tolist())


def _model(task: Task, bench: "Bench", progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Train on the rows `inside`; the losses of the rows `outside` and of the target samples."""
    from cadc.evaluation.retrain import retrain
    from cadc.evaluation.settings import EvaluationSettings

    config, rows = task.study.config, len(task.inside)
    settings = EvaluationSettings(batch=fold_batch(config, rows), learning_rate=config.learning_rate)
    retrain(bench, task.inside.tolist(), None, shuffled=True, steps=fold_steps(config, rows),
            seed=config.seed * 100 + task.number * FOLDS + task.fold, settings=settings, progress=progress)
    at = {sample.index: position for position, sample in enumerate(bench.samples)}
    return (_losses(bench, bench.pool, [bench.place[int(i)] for i in task.outside], progress),
            _losses(bench, bench.target, [at[int(i)] for i in task.samples], progress))


def _losses(bench: "Bench", bank, rows: list[int], progress: Progress) -> np.ndarray:  # noqa: ANN001
    """float32 [len(rows)]: losses under the model as it is now."""
    from cadc.training import losses

    found = []
    for start in range(0, len(rows), BATCH):
        chunk = rows[start:start + BATCH]
        found.append(losses(bench.vlm, bank, chunk, BATCH).numpy())
        progress.step(len(chunk))
    return np.concatenate(found) if found else np.empty(0, np.float32)


def _mean(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    loss, target = zip(*found, strict=True)
    return np.mean(loss, 0, dtype=np.float32), np.mean(target, 0, dtype=np.float32)


# ---- files -----------------------------------------------------------------------------------------------------------
def _write(path: Path, study: Study, loss: np.ndarray, target: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    with temporary.open("wb") as handle:
        np.savez(handle, loss=loss, target=target, identity=np.array(study.identity))
    os.replace(temporary, path)


def _read(path: Path, study: Study) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as found:
            if str(found["identity"]) == study.identity:
                return found["loss"], found["target"]
    except (ValueError, KeyError, OSError) as error:
        raise JobError(f"{path} cannot be read ({error}). Delete it and run the job again.") from error
    raise JobError(f"{path} belongs to another study. Delete it and run the job again.")
