"""Engine `local`: shards spread over processes of this machine, one per visible GPU, or N on the CPU.

A worker asks for one shard after the other (a slow one takes fewer) and tells its parent about every batch in a
message of JSON. The shard of a dead worker goes to another one; the worker is started again a few times; what is still
missing then is computed by the parent.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cadc.errors import CadcError, JobError
from cadc.jobs.engines import Work
from cadc.jobs.engines.devices import default_workers, release_gpu_memory, visible_gpus
from cadc.jobs.engines.passes import ShardWorker
from cadc.jobs.engines.shard_queue import ShardQueue
from cadc.jobs.processes import QUIET, begin, context
from cadc.study import Study
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

RESTARTS = 2
"""A worker that dies is started again at most this often."""


def compute(work: Work, progress: Progress, workers: int | None) -> None:
    """Compute all open shards. Raises Cancelled, JobError, ModelError."""
    workers = min(workers or default_workers(), len(work.shards))
    if workers == 1:
        from cadc.models.threads import asked_threads

        _here(work, progress, asked_threads())
        return
    _WorkerPool(work, workers, progress).run()
    left = work.left()
    if left:
        log.warning("%d shards left by dead workers are computed here", len(left))
        progress.note(f"{len(left)} shards left by dead workers are computed here")
        _here(Work(study=work.study, kind=work.kind, inputs=work.inputs, shards=left), progress, threads=1)


def _here(work: Work, progress: Progress, threads: int) -> None:
    """Compute shards in this process, one after the other."""
    from cadc.models.threads import torch_threads

    progress.note("loading the model and the target vectors")
    with torch_threads(threads):
        worker = ShardWorker(work.study, work.kind)
        queue_ = ShardQueue(work.shards, progress)
        while (number := queue_.take("here")) is not None:
            worker.shard(number, lambda rows, loss: queue_.said("here", rows, loss))
            queue_.finish("here")


class _WorkerPool:
    """Worker processes, what they say, and what they hold."""

    def __init__(self, work: Work, workers: int, progress: Progress) -> None:
        self._work, self._workers, self._progress = work, workers, progress
        self._queue = ShardQueue(work.shards, progress)
        self._said: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection] = {}
        self._idle: set[int] = set()
        self._restarts = dict.fromkeys(range(workers), 0)
        self._gpus = visible_gpus()

    def run(self) -> None:
        """Start, watch, and always stop them. Returns when nothing is open, or nobody is left to work."""
        release_gpu_memory()
        try:
            for number in range(self._workers):
                self._start(number)
            self._progress.note(f"{self._workers} workers are loading the model")
            while self._queue.open and self._processes:
                try:
                    number, line = self._said.get(timeout=0.25)
                except queue.Empty:
                    self._progress.step(0)  # a cancel is honoured even while nothing happens
                    continue
                self._hear(number, line)
        finally:
            self._stop()

    def _start(self, number: int) -> None:
        work, (here, there) = self._work, Pipe()
        own = {"CUDA_VISIBLE_DEVICES": self._gpus[number % len(self._gpus)]} if self._gpus else {}
        process = context().Process(target=_serve, daemon=True, args=(
            there, os.environ | QUIET | own, work.root, work.study.identity, work.kind))
        process.start()
        there.close()
        self._processes[number], self._pipes[number] = process, here
        threading.Thread(target=self._listen, args=(number, process, here), daemon=True).start()

    def _listen(self, number: int, process: BaseProcess, pipe: Connection) -> None:
        """Hand on what a worker says, and last (None) that it has ended."""
        try:
            while True:
                self._said.put((number, json.loads(pipe.recv_bytes())))
        except (EOFError, OSError):
            log.debug("worker %d has said its last", number + 1)
        process.join()
        self._said.put((number, None))

    def _hear(self, number: int, line: dict[str, Any] | None) -> None:
        if line is None:
            self._ended(number)
        elif "error" in line:
            raise JobError(line["error"])
        elif "rows" in line:
            self._queue.said(number, line["rows"], line["loss"])
        else:
            if "ready" in line:
                self._progress.note(f"worker {number + 1} is ready (process {line['ready']})")
            else:
                self._queue.finish(number)
            self._give(number)

    def _give(self, number: int) -> None:
        """The next shard for a worker; one that died meanwhile is heard of soon, and the shard waits again."""
        shard = self._queue.take(number)
        if shard is None:
            self._idle.add(number)
            return
        self._idle.discard(number)
        try:
            self._pipes[number].send_bytes(json.dumps(shard).encode())
        except OSError:
            log.debug("worker %d is gone", number + 1)

    def _ended(self, number: int) -> None:
        """A worker is gone: its shard goes to an idle one, else it is started again."""
        process = self._processes.pop(number)
        self._pipes.pop(number).close()
        self._idle.discard(number)
        shard = self._queue.lose(number)
        lost = "" if shard is None else f"; shard {shard} is computed again"
        log.warning("worker %d ended with code %s%s", number + 1, process.exitcode, lost)
        self._progress.note(f"worker {number + 1} died (code {process.exitcode}){lost}")
        for other in sorted(self._idle):
            self._give(other)
        if self._queue.waiting and self._restarts[number] < RESTARTS:
            self._restarts[number] += 1
            self._start(number)

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


def _serve(pipe: Connection, environment: Mapping[str, str], root: str, identity: str, kind: str) -> None:
    """One worker: shard numbers come in, one a message. Ends when its parent is gone, or listens no more."""
    begin(environment)
    logging.basicConfig(level=logging.INFO)  # to stderr, which is the log of the worker that asks

    def say(**line: object) -> None:
        pipe.send_bytes(json.dumps(line).encode())

    try:
        worker = ShardWorker(Study.open(identity, root=Path(root)), kind)
        say(ready=os.getpid())
        while True:
            number = int(json.loads(pipe.recv_bytes()))
            worker.shard(number, lambda rows, loss: say(rows=rows, loss=loss))
            say(done=number)
    except CadcError as error:
        say(error=str(error))
    except (EOFError, BrokenPipeError):
        log.debug("nobody listens any more")
