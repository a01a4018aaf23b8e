"""Engine `local`: shards spread over processes of this machine.

Worker i of W takes the open shards i, i + W, … A worker is `python -m cadc.gradients.local` and tells its parent
about every batch in one JSON line; what counts is only the shard files. Shards that a dead worker left are computed
by the parent.
"""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cadc.errors import CadcError, JobError
from cadc.gradients.shards import Shard, sidecar
from cadc.progress import Progress
from cadc.study import Study

log = logging.getLogger(__name__)


def compute(study: Study, open_shards: Sequence[Shard], source: str, progress: Progress, workers: int,
            kind: str = "pool") -> None:
    """Compute all open shards of one kind of pass (`pool` or `features`). Raises Cancelled, JobError, ModelError."""
    if not open_shards:
        return
    workers = min(workers, len(open_shards))
    if workers > 1:
        _Crew(study, open_shards, workers, kind).run(progress)
        left = [s for s in open_shards if sidecar(study, s, source, checksum=False) is None]
        if left:
            log.warning("%d shards left by dead workers are computed here", len(left))
            progress.note(f"{len(left)} shards left by dead workers are computed here")
    else:
        left = list(open_shards)
    if left:
        progress.note("loading the model and the target vectors")
        in_process(study, left, lambda rows, loss: progress.step(rows, loss=loss), kind)


def in_process(study: Study, todo: Sequence[Shard], step: Any, kind: str = "pool") -> None:
    """Compute shards here, one after the other."""
    from cadc.gradients.attribute import PoolPass
    from cadc.gradients.landmarks_pass import FeaturePass
    from cadc.vlm.feed import Feed

    engine = {"pool": PoolPass, "features": FeaturePass}[kind](study)
    feed = Feed(study, "pool", engine.vlm)
    for shard in todo:
        engine.shard(feed, shard, step)


class _Crew:
    """Worker processes and what they say."""

    def __init__(self, study: Study, todo: Sequence[Shard], workers: int, kind: str) -> None:
        self._study, self._todo, self._workers, self._kind = study, todo, workers, kind
        self._said: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._processes: list[subprocess.Popen[str]] = []

    def run(self, progress: Progress) -> None:
        """Start, watch, and always stop them. Returns when all have ended, however they ended."""
        try:
            for number in range(self._workers):
                self._start(number)
            progress.note(f"{self._workers} workers are loading the model")
            running = self._workers
            while running:
                try:
                    number, line = self._said.get(timeout=0.25)
                except queue.Empty:
                    progress.step(0)  # a cancel is honoured even while nothing happens
                    continue
                if line is None:
                    running -= 1
                    self._ended(number, progress)
                elif "error" in line:
                    raise JobError(line["error"])
                else:
                    progress.step(line["rows"], loss=line["loss"])
        finally:
            self._stop()

    def _start(self, number: int) -> None:
        shards = ",".join(str(s.number) for s in self._todo[number::self._workers])
        root = self._study.folder.parent.parent
        command = [sys.executable, "-m", "cadc.gradients.local", str(root), self._study.identity, shards, self._kind]
        settings = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false",
                    "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                   env=os.environ | settings)
        self._processes.append(process)
        threading.Thread(target=self._listen, args=(number, process), daemon=True).start()

    def _listen(self, number: int, process: "subprocess.Popen[str]") -> None:
        for text in process.stdout or ():
            try:
                self._said.put((number, json.loads(text)))
            except ValueError:
                log.debug("worker %d said something else", number)
        process.wait()
        self._said.put((number, None))

    def _ended(self, number: int, progress: Progress) -> None:
        code = self._processes[number].returncode
        if code:
            log.warning("worker %d ended with code %s", number, code)
            progress.note(f"worker {number + 1} died (code {code}); its open shards will be computed later")

    def _stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main(arguments: Sequence[str]) -> int:
    """One worker: cache root, identity, shard numbers, kind of pass. Ends by itself when its parent is gone."""
    import torch

    from cadc.data import read_samples
    from cadc.gradients.attribute import pool_shards
    from cadc.gradients.landmarks import feature_shards

    root, identity, numbers, kind = arguments
    torch.set_num_threads(1)
    parent = os.getppid()
    study = Study.open(identity, root=Path(root))
    wanted = {int(n) for n in numbers.split(",")}
    cut = {"pool": pool_shards, "features": feature_shards}[kind]
    todo = [s for s in cut(study, read_samples(study.samples_file("pool"))) if s.number in wanted]

    def step(rows: int, loss: float) -> None:
        if os.getppid() != parent:
            raise SystemExit(3)
        _say({"rows": rows, "loss": loss, "at": time.time()})

    try:
        in_process(study, todo, step, kind)
    except CadcError as error:
        _say({"error": str(error)})
        return 1
    return 0


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
