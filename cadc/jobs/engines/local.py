"""Engine `local`: shards spread over processes of this machine, one per visible GPU, or N on the CPU.

A worker is `python -m cadc.jobs.engines.local`. It asks for one shard after the other (a slow one takes fewer)
and tells its parent about every batch in one JSON line. The shard of a dead worker goes to another one; the worker is
started again a few times; what is still missing then is computed by the parent.
"""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from cadc.errors import CadcError, JobError
from cadc.jobs.engines import QUIET, Work
from cadc.jobs.engines.devices import asked_threads, default_workers, release_gpu_memory, visible_gpus
from cadc.jobs.engines.passes import ShardWorker
from cadc.jobs.engines.shard_queue import ShardQueue
from cadc.study import Study
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

RESTARTS = 2
"""A worker that dies is started again at most this often."""


def compute(work: Work, progress: Progress, workers: int | None) -> None:
    """Compute all open shards. Raises Cancelled, JobError, ModelError."""
    workers = min(workers or default_workers(), len(work.shards))
    if workers == 1:
        _here(work, progress, asked_threads())
        return
    _WorkerPool(work, workers, progress).run()
    left = work.left()
    if left:
        log.warning("%d shards left by dead workers are computed here", len(left))
        progress.note(f"{len(left)} shards left by dead workers are computed here")
        _here(Work(study=work.study, kind=work.kind, inputs=work.inputs, shards=left), progress, threads=1)


def _here(work: Work, progress: Progress, threads: int) -> None:
    """Compute shards in this process, one after the other. The number of threads is set and not left as found: sums
    round by it, and other libraries change it (numba does)."""
    import torch

    progress.note("loading the model and the target vectors")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        worker = ShardWorker(work.study, work.kind)
        queue_ = ShardQueue(work.shards, progress)
        while (number := queue_.take("here")) is not None:
            worker.shard(number, lambda rows, loss: queue_.said("here", rows, loss))
            queue_.finish("here")
    finally:
        torch.set_num_threads(before)


class _WorkerPool:
    """Worker processes, what they say, and what they hold."""

    def __init__(self, work: Work, workers: int, progress: Progress) -> None:
        self._work, self._workers, self._progress = work, workers, progress
        self._queue = ShardQueue(work.shards, progress)
        self._said: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._processes: dict[int, subprocess.Popen[str]] = {}
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
        work = self._work
        command = [sys.executable, "-m", "cadc.jobs.engines.local", work.root, work.study.identity, work.kind]
        own = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        if self._gpus:
            own["CUDA_VISIBLE_DEVICES"] = self._gpus[number % len(self._gpus)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=os.environ | QUIET | own)
        self._processes[number] = process
        threading.Thread(target=self._listen, args=(number, process), daemon=True).start()

    def _listen(self, number: int, process: "subprocess.Popen[str]") -> None:
        """Hand on what a worker says, and last (None) that it has ended."""
        for text in process.stdout or ():
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if isinstance(line, dict):
                self._said.put((number, line))
            else:
                log.debug("worker %d said something else", number + 1)
        process.wait()
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
            to = _input(self._processes[number])
            to.write(f"{shard}\n")
            to.flush()
        except BrokenPipeError:
            log.debug("worker %d is gone", number + 1)

    def _ended(self, number: int) -> None:
        """A worker is gone: its shard goes to an idle one, else it is started again."""
        process = self._processes.pop(number)
        self._close(process)
        self._idle.discard(number)
        shard = self._queue.lose(number)
        lost = "" if shard is None else f"; shard {shard} is computed again"
        log.warning("worker %d ended with code %s%s", number + 1, process.returncode, lost)
        self._progress.note(f"worker {number + 1} died (code {process.returncode}){lost}")
        for other in sorted(self._idle):
            self._give(other)
        if self._queue.waiting and self._restarts[number] < RESTARTS:
            self._restarts[number] += 1
            self._start(number)

    def _stop(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._close(process)

    @staticmethod
    def _close(process: "subprocess.Popen[str]") -> None:
        """Close our end of a worker's input; a number that it never read may still be in it."""
        try:
            _input(process).close()
        except BrokenPipeError:
            log.debug("a worker left its last shard unread")


def _input(process: "subprocess.Popen[str]") -> IO[str]:
    """Our end of a worker's input, which every worker is started with."""
    assert process.stdin is not None
    return process.stdin


def main(arguments: Sequence[str]) -> int:
    """One worker: cache root, identity, pass; shard numbers come in one a line. Ends when its parent is gone."""
    import torch

    root, identity, kind = arguments
    torch.set_num_threads(1)
    parent = os.getppid()

    def step(rows: int, loss: float) -> None:
        if os.getppid() != parent:
            raise SystemExit(3)
        _say({"rows": rows, "loss": loss})

    try:
        worker = ShardWorker(Study.open(identity, root=Path(root)), kind)
        _say({"ready": os.getpid()})
        for text in sys.stdin:
            worker.shard(int(text), step)
            _say({"done": int(text)})
    except CadcError as error:
        _say({"error": str(error)})
        return 1
    return 0


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
