"""Which rows look wrong to models that never trained on them: the out-of-fold loss (METHOD §5,
docs/decisions/0016).

The warm-up has seen too little to tell a wrong answer from a hard one. So a fifth of the pool, chosen in rounds over
all target samples, is split in two folds; a model trained on one fold gives the loss of every row outside it. The
target samples that gradients see teach too (docs/decisions/0018), half of them each model: their answers are right. A
second round leaves out what looked wrong in the first and splits anew. N scored pool rows, S single target samples, M
units, G target samples that gradients see.
"""

import logging
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from cadc.data.indices import CacheRow, FeedRow, FileIndex
from cadc.data.reasons import NOT_FINITE
from cadc.errors import JobError
from cadc.jobs.engines import EngineSettings
from cadc.jobs.processes import end_with_parent
from cadc.scores import columns
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.selection.filters import looks_wrong, repeated
from cadc.selection.rounds import round_robin
from cadc.signals.folds import FOLDS, candidate_rows, fold_batch, fold_steps, repeats, work
from cadc.study import Study, replacing
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    from cadc.models import Encoded, Vlm
    from cadc.training.prefix_cache import PrefixCache

log = logging.getLogger(__name__)

RISE = 10
"""Steps of the short linear rise at the start of a training."""
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
    taught: np.ndarray
    """int64 [G]: positions in the target file of the samples that teach; [0] where none shall."""
    taught_fold: np.ndarray
    """int8 [rounds, G]: fold of each of them; near-duplicates share theirs."""


def run_out_of_fold(study: Study, progress: Progress, *, engine: EngineSettings | None = None) -> None:
    """The job: rounds of two models; the columns `out_of_fold_loss` [N] and `out_of_fold_target` [S].

    engine: on a CPU the two models of a round are made side by side where it has several processes (None: one); the
    numbers are the same. Idempotent; a stop repeats at most the models that were being made. Raises Cancelled, and what
    opening the base raises.
    """
    rounds, result = study.config.out_of_fold, study.result("out_of_fold")
    if not rounds:
        progress.note("switched off (out_of_fold=0): rows that look wrong are found by the loss of the last checkpoint")
        return
    if result.finished:
        progress.note("the out-of-fold loss is there already")
        return
    scores, workers = Scores.load(study), engine.processes if engine else 1
    influences, question = InfluenceColumns(scores), _question(study, scores)
    want = candidate_rows(study.config, len(scores.index))
    expected = sum(work(study.config, len(scores.index), len(scores.sample_index), len(question.taught))) // rounds
    found: list[tuple[np.ndarray, np.ndarray]] = []
    counted = 0
    with _SideBySide(progress) if workers > 1 and not _on_gpu() else _OneByOne(progress) as maker:
        for number in range(rounds):
            own = question.open.copy()
            if found:
                own &= ~looks_wrong(influences, *_mean(found))
            rows = teaching_rows(influences, own, want)
            asked = _tasks(study, question, rows, number, scores)
            own_work = sum(task.work for task, _, _ in asked)
            there = sum(task.work for task, _, _ in asked if _read(task) is not None)
            progress.start(counted + own_work + expected * (rounds - number - 1), done=counted + there)
            maker.make([task for task, _, _ in asked if _read(task) is None])
            found.append(_read_round(asked, len(question.index), len(scores.sample_index)))
            counted += own_work
    loss, target = _mean(found)
    columns.write(study, "out_of_fold_target", target)
    columns.write(study, "out_of_fold_loss", loss)
    result.finish()


def teaching_rows(influences: InfluenceColumns, open_rows: np.ndarray, want: int) -> np.ndarray:
    """Positions of up to `want` open rows, taken in rounds over the single target samples of all units."""
    units = np.arange(len(influences.scores.units))
    chosen = [position for position, *_ in islice(round_robin(influences.scores, units, open_rows), want)]
    return np.sort(np.array(chosen, np.int64))


def _question(study: Study, scores: Scores) -> Question:
    """Folds by near-duplicate group, seeded."""
    from cadc.data import read_samples
    from cadc.data.contamination import picture_hashes, repeats_target
    from cadc.gradients.choice import gradient_samples

    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    by_index = {s.index: s for s in pool}
    contaminated = repeats_target([by_index[FileIndex(int(i))] for i in scores.index], target, picture_hashes(study))
    groups = _groups(study, "pool", scores.index)
    taught = np.zeros(0, np.int64)
    if study.config.out_of_fold_target:
        taught = np.array(sorted({target[p].index for p in set.union(*gradient_samples(study.config, target))}
                                 - _not_finite(study)), np.int64)
    rounds, seed = range(study.config.out_of_fold), study.config.seed
    return Question(index=np.asarray(scores.index), fold=np.stack([_folds(groups, [seed, 91, r]) for r in rounds]),
                    open=~contaminated & ~repeated(groups, ~contaminated, np.zeros(len(contaminated), bool)),
                    taught=taught,
                    taught_fold=np.stack([_folds(_groups(study, "target", taught), [seed, 92, r]) for r in rounds]))


def _not_finite(study: Study) -> set[FileIndex]:
    """Target samples that no model can be taught with; those that cannot be encoded are left out where they are met."""
    from cadc.gradients import targets

    return {FileIndex(row["index"]) for row in targets.summary(study)["failed"] if row["reason"].startswith(NOT_FINITE)}


def _groups(study: Study, role: str, index: np.ndarray) -> np.ndarray:
    """Near-duplicate group of each of these samples."""
    from cadc.data import read_table

    return read_table(study.samples_file(role)).set_index("index")["group"].loc[np.asarray(index)].to_numpy()


def _folds(groups: np.ndarray, seed: list[int]) -> np.ndarray:
    """int8 [len(groups)]: fold of each sample, one for all of a group."""
    names, group = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[group].astype(np.int8)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model: the rows it trains on and those it judges."""

    study: Study
    number: int
    fold: int
    inside: np.ndarray
    """Positions in the pool file that it trains on."""
    taught: np.ndarray
    """Positions in the target file that it trains on."""
    outside: np.ndarray
    """Positions in the pool file whose loss it reads."""
    samples: np.ndarray
    """Positions in the target file whose loss it reads."""

    @property
    def path(self) -> Path:
        """Where its losses are kept."""
        return self.study.result("out_of_fold").folder / f"round-{self.number}-fold-{self.fold}.npz"

    @property
    def work(self) -> int:
        """Samples trained on and read."""
        config, rows = self.study.config, len(self.inside) + len(self.taught) * self.repeats
        return fold_steps(config, rows) * fold_batch(config, rows) + len(self.outside) + len(self.samples)

    @property
    def repeats(self) -> int:
        """How often each target sample stands in a pass."""
        return repeats(self.study.config, len(self.inside), len(self.taught))


def _tasks(study: Study, question: Question, rows: np.ndarray, number: int, scores: Scores
           ) -> list[tuple[Task, np.ndarray, np.ndarray]]:
    """The models of one round: each row is read by that of the other fold, a target sample by the model that it did not
    teach, or by both. With each the positions (0…N-1, 0…S-1) that its losses belong to."""
    own, singles = question.fold[number], np.asarray(scores.sample_index)
    made = []
    for fold in range(FOLDS):
        taught = question.taught[question.taught_fold[number] == fold]
        outside, asked = np.flatnonzero(own != fold), np.flatnonzero(~np.isin(singles, taught))
        task = Task(study=study, number=number, fold=fold, inside=question.index[rows[own[rows] == fold]],
                    taught=taught, outside=question.index[outside], samples=singles[asked])
        made.append((task, outside, asked))
    return made


def _read_round(asked: list[tuple[Task, np.ndarray, np.ndarray]], rows: int, samples: int
                ) -> tuple[np.ndarray, np.ndarray]:
    """(loss [N], target loss [S]) of a round whose models are made."""
    loss, target, times = np.empty(rows, np.float32), np.zeros(samples), np.zeros(samples)
    for task, places, seen in asked:
        made = _read(task)
        if made is None:
            raise JobError(f"{task.path} was not written, or changed at once. Run the job again.")
        loss[places] = made[0]
        target[seen] += made[1]
        times[seen] += 1
    return loss, (target / times).astype(np.float32)


class _OneByOne:
    """Makes models in this process; the base is loaded once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._judge: FoldModel | None = None

    def __enter__(self) -> "_OneByOne":
        return self

    def __exit__(self, *exception: object) -> None:
        self._judge = None

    def make(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._progress.note(f"round {task.number + 1} of {task.study.config.out_of_fold}, model {task.fold + 1} of "
                                f"{FOLDS}: {len(task.inside)} rows")
            self._judge = self._judge or open_fold_model(task.study)
            _write(task, *_model(task, self._judge, self._progress))


class _SideBySide:
    """Makes the models of a round side by side, one torch thread each; the processes and the prefixes they keep last
    for all rounds."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pool = ProcessPoolExecutor(FOLDS, mp_context=get_context("spawn"), initializer=_begin)

    def __enter__(self) -> "_SideBySide":
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        if kind is not None:
            for process in list((self._pool._processes or {}).values()):  # kill_workers() only comes with Python 3.14
                process.kill()
        self._pool.shutdown(cancel_futures=True)

    def make(self, tasks: list[Task]) -> None:
        if not tasks:
            return
        sizes = " and ".join(str(len(task.inside)) for task in tasks)
        self._progress.note(f"round {tasks[0].number + 1} of {tasks[0].study.config.out_of_fold}: models side by side, "
                            f"{sizes} rows")
        waiting = {self._pool.submit(_make_alone, task): task for task in tasks}
        while waiting:
            done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                self._progress.step(waiting.pop(future).work)
            self._progress.step(0)  # a cancel is seen here


_HERE: dict[str, "FoldModel"] = {}
"""Of a process that makes models: the base it has loaded, by study folder."""


def _begin() -> None:
    """In a process of its own, once."""
    import torch
    from transformers.utils import logging as transformers_logging

    end_with_parent()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(1)


def _make_alone(task: Task) -> None:
    """In a process of its own."""
    folder = str(task.study.folder)
    if folder not in _HERE:
        _HERE[folder] = open_fold_model(task.study)
    _write(task, *_model(task, _HERE[folder], Silent()))


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@dataclass(frozen=True, kw_only=True)
class FoldModel:
    """The base model with an adapter, and prefixes of pool and target samples in one bank."""

    vlm: "Vlm"
    bank: "PrefixCache[CacheRow]"
    pool: dict[FileIndex, CacheRow]
    """Position in the pool file → row of the bank."""
    target: dict[FileIndex, CacheRow]
    """Position in the target file → row of the bank."""


def open_fold_model(study: Study) -> FoldModel:
    """Load the base with an adapter. Raises ModelError."""
    from cadc.models import open_vlm
    from cadc.models.feed import Feed
    from cadc.training.prefix_cache import PrefixCache

    vlm = open_vlm(study.config)
    pool, target = Feed(study, "pool", vlm), Feed(study, "target", vlm)
    size = len(pool.samples)

    def encode(row: CacheRow) -> "Encoded":
        return pool.encode(FeedRow(row)) if row < size else target.encode(FeedRow(row - size))

    return FoldModel(vlm=vlm, bank=PrefixCache(vlm, encode),
                     pool={s.index: CacheRow(row) for row, s in enumerate(pool.samples)},
                     target={s.index: CacheRow(size + row) for row, s in enumerate(target.samples)})


def _model(task: Task, judge: FoldModel, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Train on the rows `inside` and the target samples `taught`; the losses of the rows `outside` and of the target
    samples it did not train on."""
    from cadc.training.loop import train_fresh
    from cadc.training.schedule import plan

    config, taught = task.study.config, judge.bank.usable([judge.target[FileIndex(int(i))] for i in task.taught])
    rows = np.array([*(judge.pool[FileIndex(int(i))] for i in task.inside), *taught * task.repeats])
    seed = config.seed * 100 + task.number * FOLDS + task.fold
    batches = plan(len(rows), None, steps=fold_steps(config, len(rows)), batch=fold_batch(config, len(rows)), seed=seed)
    train_fresh(judge.vlm, judge.bank, rows[batches], seed=seed, learning_rate=config.learning_rate, rise=RISE,
                progress=progress)
    found = (_losses(judge, [judge.pool[FileIndex(int(i))] for i in task.outside], progress),
             _losses(judge, [judge.target[FileIndex(int(i))] for i in task.samples], progress))
    if odd := sum(int((~np.isfinite(one)).sum()) for one in found):
        raise JobError(f"model {task.fold + 1} of round {task.number + 1} went astray: {odd:,} of its losses are not "
                       "finite numbers. Lower learning_rate, choose another precision, or set out_of_fold=0.")
    return found


def _losses(judge: FoldModel, rows: list[CacheRow], progress: Progress) -> np.ndarray:
    """float32 [len(rows)]: losses of these rows of the bank under the model as it is now."""
    from cadc.training.loop import losses

    found = []
    for start in range(0, len(rows), BATCH):
        chunk = rows[start:start + BATCH]
        found.append(losses(judge.vlm, judge.bank, chunk, BATCH).numpy())
        progress.step(len(chunk))
    return np.concatenate(found) if found else np.empty(0, np.float32)


def _mean(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    loss, target = zip(*found, strict=True)
    return np.stack(loss).mean(0, dtype=np.float32), np.stack(target).mean(0, dtype=np.float32)


# ---- files -----------------------------------------------------------------------------------------------------------
def _write(task: Task, loss: np.ndarray, target: np.ndarray) -> None:
    result = task.study.result("out_of_fold")
    with replacing(task.path) as handle:
        np.savez(handle, loss=loss, target=target, key=np.array(result.key), source=np.array(result.source))


def _read(task: Task) -> tuple[np.ndarray, np.ndarray] | None:
    """Losses of a model that is made: of the rows `outside`, of `samples`. None for one that is not there, not whole,
    or of other scores than there are now: it is made (again)."""
    result = task.study.result("out_of_fold")
    try:
        with np.load(task.path, allow_pickle=False) as found:
            if (str(found["key"]), str(found["source"])) == (result.key, result.source):
                return found["loss"], found["target"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        log.warning("%s cannot be read (%s): made again", task.path, error)
    return None
