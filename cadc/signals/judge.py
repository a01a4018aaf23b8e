"""Which rows look wrong to models that saw the target alone: the judges' losses (METHOD §5, decision 0031).

A judge is a fresh adapter on the untrained base, trained on target samples only: their answers are right, and no pool
row can teach it a mistake. Then one forward of the base and one per judge over the pool say what each answer costs
before and after. n pool rows with a loss, S single target samples, J judges.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing.queues import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.indices import FeedRow
from cadc.data.reasons import NOT_FINITE, Reason
from cadc.errors import JobError
from cadc.jobs import engines, shards
from cadc.jobs.engines import EngineSettings
from cadc.jobs.processes import begin, context
from cadc.scores import columns
from cadc.scores.left_out import write_report
from cadc.signals import judge_pass
from cadc.signals.embedding import finish_embedding
from cadc.signals.judge_pass import JudgeShard
from cadc.signals.judge_training import Judge, Lesson, lessons, open_school, read_judge, summary, train_judge, work_of
from cadc.study import Study, write_json
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    from cadc.data.sample import Sample

log = logging.getLogger(__name__)

Word = tuple[int, dict[str, float]]
"""Samples that a training went through since its last word, and readings."""


def run_judge(study: Study, progress: Progress, *, engine: EngineSettings | None = None) -> None:
    """The job: train the judges, read every row, write the columns; finish the embedding where the study joins it.

    engine: who reads the rows (None: this process); on a CPU the judges too are trained side by side where it has
    several processes, and the numbers are the same. Idempotent: a stop repeats at most the judges that were being
    trained, or a piece per process. Raises Cancelled, JobError, and what opening the base raises.
    """
    from cadc.data import read_samples

    result = study.result("judge")
    if not study.config.judges:
        progress.note("switched off (judges=0): rows that look wrong are found by the loss of the last checkpoint")
        return
    if result.finished:
        progress.note("the judges' losses are there already")
        return
    target = read_samples(study.samples_file("target"))
    judges = _train(study, target, progress, engine)
    every = judge_pass.pieces(study, read_samples(study.samples_file("pool")))
    inputs, hidden = judge_pass.judge_inputs(study), judge_pass.embeds(study)
    todo: list[shards.Shard] = [one for one in every if not judge_pass.finished(study, one, inputs, hidden)]
    count = sum(len(one.rows) for one in every)
    progress.start(count, done=count - sum(len(one.rows) for one in todo))
    progress.note(f"reading pool and target with {len(judges)} judges and the base: {len(every) - len(todo)} of "
                  f"{len(every)} pieces are already there")
    work = engines.Work(study=study, kind="judge", inputs=inputs, shards=todo)
    engines.compute(work, progress, engine or EngineSettings(workers=1))
    if hidden and not study.finished("embedding"):  # another study may have made the same one meanwhile
        _finish_embedding(study, every, progress)
    for path in result.folder.glob("hidden-*"):
        path.unlink()
    _write_columns(study, every, inputs, judges, target)
    write_json(result.folder / "judge.json", summary(judges))
    result.finish()


# ---- training --------------------------------------------------------------------------------------------------------
def _train(study: Study, target: "Sequence[Sample]", progress: Progress, engine: EngineSettings | None) -> list[Judge]:
    """All judges, made where they are not there yet."""
    from cadc.data import read_table

    groups = read_table(study.samples_file("target"))["group"].tolist()
    asked = lessons(study.config, target, groups)
    work = {one.number: work_of(study.config, one) for one in asked}
    todo = [one for one in asked if read_judge(study, one.number) is None]
    progress.start(sum(work.values()), done=sum(work.values()) - sum(work[one.number] for one in todo))
    if todo:
        for one in todo:
            progress.note(f"judge {one.number + 1} of {len(asked)}: {len(one.inside)} target samples teach, "
                          f"{len(one.outside)} are left out")
        progress.note(f"{len(todo)} judges: loading the model, then short trainings on the target")
        if engine and min(engine.processes, len(todo)) > 1 and not _on_gpu():
            _side_by_side(study, todo, min(engine.processes, len(todo)), work, progress)
        else:
            _one_by_one(study, todo, progress)
    made = [judge for one in asked if (judge := read_judge(study, one.number))]
    if len(made) < len(asked):
        raise JobError("a judge was not written, or changed at once. Run the job again.")
    for judge in made:
        progress.note(f"judge {judge.number + 1}: kept after {judge.step} of {len(judge.losses)} steps")
    return made


def _one_by_one(study: Study, todo: Sequence[Lesson], progress: Progress) -> None:
    from cadc.models.threads import asked_threads, torch_threads

    with torch_threads(asked_threads()):
        school = open_school(study)
        for lesson in todo:
            train_judge(study, lesson, school, progress)


def _side_by_side(study: Study, todo: Sequence[Lesson], workers: int, work: dict[int, int], progress: Progress) -> None:
    """In processes of their own, one torch thread each; they say how far they are."""
    how = context()
    words: SimpleQueue[Word] = how.SimpleQueue()
    pool = ProcessPoolExecutor(workers, mp_context=how, initializer=_begin, initargs=(words, dict(os.environ)))
    left = sum(work[one.number] for one in todo)
    try:
        waiting = {pool.submit(_train_alone, study, lesson) for lesson in todo}
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            while not words.empty():
                n, readings = words.get()
                progress.step(n, **readings)
                left -= n
            for future in done:
                future.result()
            progress.step(0)  # a cancel is seen here
        progress.step(left)  # where a word was still on its way
    except BaseException:
        for process in list((pool._processes or {}).values()):  # kill_workers() only comes with Python 3.14
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Saying(Silent):
    """Passes what is done on to the process that waits."""

    def step(self, n: int = 1, **readings: float) -> None:
        _words[0].put((n, readings))


_words: "list[SimpleQueue[Word]]" = []
"""Of a process of its own: where it says how far it is."""


def _begin(words: "SimpleQueue[Word]", environment: Mapping[str, str]) -> None:
    """In a process of its own, once."""
    begin(environment)
    _words[:] = [words]


def _train_alone(study: Study, lesson: Lesson) -> None:
    """In a process of its own."""
    train_judge(study, lesson, open_school(study), _Saying())


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


# ---- what the pieces say ---------------------------------------------------------------------------------------------
def _write_columns(study: Study, every: Sequence[JudgeShard], inputs: str, judges: Sequence[Judge],
                   target: "Sequence[Sample]") -> None:
    """Columns and reports of rows without a loss. Raises JobError where no pool row has one."""
    from cadc.data import read_samples
    from cadc.gradients.choice import gradient_samples

    pool = read_samples(study.samples_file("pool"))
    rows, loss, tokens = _read(study, [one for one in every if one.role == "pool"], inputs, pool, "pool")
    if not len(rows):
        raise JobError("no pool row can be read by the judges. See the Data page.")
    columns.write(study, "judge_rows", rows)
    columns.write(study, "judge_loss", loss[:, 1:].mean(1, dtype=np.float64).astype(np.float32))
    columns.write(study, "base_loss", np.ascontiguousarray(loss[:, 0]))
    columns.write(study, "judge_tokens", tokens)
    rows, loss, _ = _read(study, [one for one in every if one.role == "target"], inputs, target, "target")
    single = np.isin(rows, [target[row].index for row in gradient_samples(study.config, target)[1]])
    rows, loss = rows[single], loss[single]
    columns.write(study, "judge_samples", rows)
    columns.write(study, "judge_target", unseen_mean(rows, loss[:, 1:], [judge.taught for judge in judges]))
    columns.write(study, "base_target", np.ascontiguousarray(loss[:, 0]))


def unseen_mean(rows: np.ndarray, loss: np.ndarray, taught: Sequence[Sequence[int]]) -> np.ndarray:
    """float32 [S]: mean of the losses [S, J] over the judges that a sample did not teach; NaN where it taught all.

    rows: int64 [S], positions in the target file; taught: of each judge, such positions.
    """
    unseen = np.stack([~np.isin(rows, list(own)) for own in taught], 1)  # [S, J]
    times = unseen.sum(1)
    total = np.where(unseen, loss, 0).sum(1, dtype=np.float64)
    return np.divide(total, times, out=np.full(len(rows), np.nan), where=times > 0).astype(np.float32)


def _read(study: Study, every: Sequence[JudgeShard], inputs: str, samples: "Sequence[Sample]", role: str
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(positions in the file, ascending, losses [n, 1 + J], tokens [n]) of rows with finite losses; the others go into
    the report of this role."""
    from safetensors.numpy import load_file

    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    failed: dict[FeedRow, str] = {}
    for one in every:
        facts = shards.sidecar(study, one, inputs)
        if facts is None:
            raise JobError(f"{one.file(study).name} changed while it was read. Run the job again.")
        failed |= {FeedRow(row["row"]): row["reason"] for row in facts["failed"]}
        tensors = load_file(one.file(study))
        if not len(tensors["rows"]):
            continue
        fine = np.isfinite(tensors["loss"]).all(1)
        failed |= {FeedRow(row): f"{NOT_FINITE}: loss under the base or a judge" for row in tensors["rows"][~fine]}
        found.append((tensors["rows"][fine], tensors["loss"][fine], tensors["tokens"][fine]))
    write_report(study.result("judge").folder, role,
                 [Reason(samples[row].index, samples[row].id, reason) for row, reason in sorted(failed.items())])
    if not found:
        return np.empty(0, np.int64), np.empty((0, 1 + study.config.judges), np.float32), np.empty(0, np.int32)
    rows, loss, tokens = (np.concatenate(parts) for parts in zip(*found, strict=True))
    index = np.array([samples[row].index for row in rows.tolist()], np.int64)
    order = np.argsort(index)
    return index[order], loss[order], tokens[order]


def _finish_embedding(study: Study, every: Sequence[JudgeShard], progress: Progress) -> None:
    """Hand what the base's forward yielded to the result `embedding`, as that job would have written it."""
    from safetensors.numpy import load_file

    hidden: dict[str, dict[FeedRow, np.ndarray]] = {"pool": {}, "target": {}}
    failed: dict[str, dict[FeedRow, str]] = {"pool": {}, "target": {}}
    inputs = judge_pass.judge_inputs(study)
    for one in every:
        facts = shards.sidecar(study, one, inputs)
        if facts is None:
            raise JobError(f"{one.file(study).name} changed while it was read. Run the job again.")
        tensors = load_file(one.hidden_file(study))
        hidden[one.role].update(zip(map(FeedRow, tensors["rows"].tolist()), tensors["hidden"], strict=True))
        failed[one.role] |= {FeedRow(row["row"]): row["reason"] for row in facts["failed"]}
    finish_embedding(study, hidden, failed)
    progress.note("the embedding of pool and target came with it")
