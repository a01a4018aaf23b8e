"""One engine in a process of its own, so that its peak memory is its own: it waits for commands and answers in JSON.

`python -m benchmarks.peers.serve JSON`, started by `Server`. On standard input `warm` runs two samples of every
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
from typing import Any

from benchmarks.peers.models import Load


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
            [sys.executable, "-m", "benchmarks.peers.serve", json.dumps({"engine": engine} | asdict(load))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=os.environ | settings)

    def ask(self, command: str) -> dict[str, Any]:
        """`{"seconds", "cpu_seconds", "peak_mb"}` of a round. Raises EngineFailed when the process has ended."""
        try:
            print(command, file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            self._said.seek(0)
            lines = [text.strip() for text in self._said if text.strip()]
            raise EngineFailed(f"{self.engine}: {lines[-1] if lines else f'code {self._process.returncode}'}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
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

    from benchmarks.peers.engines import ENGINES
    from benchmarks.peers.models import open_load
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
        answer = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu,
                  "peak_mb": _peak_mb(load.device)}
        _rest()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    spec = json.loads(sys.argv[1])
    serve(spec.pop("engine"), Load(**spec))
