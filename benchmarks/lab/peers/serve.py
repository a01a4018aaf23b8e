"""One engine in a process of its own, so that its peak memory is its own: it waits for commands and answers in JSON.

`python -m benchmarks.lab.peers.serve JSON`, started by `Server`. On standard input `warm` runs two samples of every
batch, `run` a round.
"""

import ctypes
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TypedDict

from benchmarks.lab.peers.models import Load


class Answer(TypedDict):
    """What a round took."""

    seconds: float
    cpu_seconds: float
    peak_mb: int


class EngineFailed(RuntimeError):
    """The process of an engine ended; the message is the last line it said."""


class Server:
    """A running engine, seen from the benchmark."""

    def __init__(self, engine: str, load: Load) -> None:
        self.engine, self.load = engine, load
        settings = {"OMP_NUM_THREADS": str(load.threads), "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1",
                    "TOKENIZERS_PARALLELISM": "false", "TORCHDYNAMO_DISABLE": "1", "WANDB_MODE": "disabled"}
        self._said = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lab.peers.serve", json.dumps({"engine": engine} | asdict(load))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=os.environ | settings)

    def ask(self, command: str) -> Answer:
        """What a round took. Raises EngineFailed when the process has ended."""
        asking, answering = self._process.stdin, self._process.stdout
        assert asking and answering  # both are pipes
        try:
            print(command, file=asking, flush=True)
            line = answering.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            self._said.seek(0)
            lines = [text.strip() for text in self._said if text.strip()]
            raise EngineFailed(f"{self.engine}: {lines[-1] if lines else f'code {self._process.returncode}'}")
        answer: Answer = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process, if it has not ended by itself."""
        asking, answering = self._process.stdin, self._process.stdout
        assert asking and answering
        with suppress(BrokenPipeError):  # it ended before it read what it was last asked
            asking.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        answering.close()
        self._said.close()


def _peak_mb(device: str) -> int:
    """Most memory so far, in MiB: of the process, or of the GPU's allocator."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _rest() -> None:
    """Give freed memory back to the system: the others, which run next, need it."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def serve(engine: str, load: Load) -> None:
    """Load, then answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints does not mix with the answers
    import torch

    from benchmarks.lab.peers.engines import ENGINES
    from benchmarks.lab.peers.models import open_load
    from cadc.models import Batch

    torch.set_num_threads(load.threads)
    vlm, batches = open_load(load)
    work = ENGINES[engine](load, vlm)
    small = [Batch({key: value[:2] for key, value in b.inputs.items()}, b.answer[:2]) for b in batches]
    for command in sys.stdin:
        todo = batches if command.strip() == "run" else small
        began, cpu = time.perf_counter(), time.process_time()
        for batch in todo:
            work.run(batch)
        if load.device.startswith("cuda"):
            torch.cuda.synchronize()
        answer: Answer = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu,
                          "peak_mb": _peak_mb(load.device)}
        _rest()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    spec = json.loads(sys.argv[1])
    serve(spec.pop("engine"), Load(**spec))
