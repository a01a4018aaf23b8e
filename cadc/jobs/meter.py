"""What a job really took: seconds, peak memory of its processes, device memory, disk. Measured around the job by its
worker, kept beside its status, so that an estimate can be held against it."""

import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

MB = 1 << 20
_EVERY_S, _DEVICE_EVERY = 0.25, 8  # seconds between looks; every n-th look also asks the GPU
_REST = 20  # a look takes at most this part of the time: it grows with the number of processes on the machine


@dataclass(frozen=True, kw_only=True)
class JobCost:
    """What one job took, earlier interrupted runs included."""

    job: str
    state: str
    """State in which the job ended; numbers of anything but `done` cover the part that was worked on."""
    seconds: float
    """Wall-clock seconds."""
    memory_mb: float
    """Largest memory of the worker and all its child processes together; pages shared between them count once."""
    device_memory_mb: float | None
    """Largest memory in use on the GPUs beyond what was in use before; None without one."""
    disk_mb: float
    """Size of the files that the job wrote."""
    device: str
    samples: int
    """Samples gone through (a warm-up counts a sample once per pass)."""
    samples_per_s: float
    workers: int


class Meter:
    """Samples the memory of a process tree while the block runs; `memory_mb` and `device_mb` are its peaks."""

    def __init__(self, root: int | None = None, *, every_s: float = _EVERY_S) -> None:
        self._root, self._every = root or os.getpid(), every_s
        self._stop = threading.Event()
        self._before = gpu_memory()
        self.memory_mb = 0.0
        self.device_mb: float | None = None if self._before is None else 0.0
        self._thread = threading.Thread(target=self._run, daemon=True, name="cost-meter")

    def __enter__(self) -> "Meter":
        self._look()
        self._look_at_device()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        self._look_at_device()

    def _run(self) -> None:
        looks, took = 0, 0.0
        while not self._stop.wait(max(self._every, _REST * took)):
            looks, began = looks + 1, time.perf_counter()
            self._look()
            took = time.perf_counter() - began
            if looks % _DEVICE_EVERY == 0:
                self._look_at_device()

    def _look(self) -> None:
        self.memory_mb = max(self.memory_mb, tree_memory(self._root))

    def _look_at_device(self) -> None:
        if self._before is not None and (now := gpu_memory()) is not None:
            self.device_mb = max(self.device_mb or 0.0, now - self._before)


def tree_memory(root: int) -> float:
    """MB of a process and all below it: private pages of each, and the largest set of shared ones once (macOS does not
    tell which are shared: there they count each time)."""
    private = shared = 0
    try:
        top = psutil.Process(root)
        tree = [top, *top.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for process in tree:
        with suppress(psutil.Error):  # it may have just ended
            memory = process.memory_info()
            common = getattr(memory, "shared", 0)
            private, shared = private + memory.rss - common, max(shared, common)
    return (private + shared) / MB


def gpu_memory() -> float | None:
    """MB in use on all NVIDIA devices together, None when there is none."""
    rows = _ask_nvidia("memory.used")
    return sum(float(row) for row in rows) if rows else None


def _ask_nvidia(what: str) -> list[str]:
    """One value per device; empty without the tool or a device."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (subprocess.SubprocessError, OSError):
        return []
    rows = [row.strip() for row in done.stdout.splitlines() if row.strip()]
    return rows if what == "name" else [row for row in rows if row.replace(".", "").isdigit()]


def device_name() -> str:
    """`NVIDIA H100 80GB HBM3`, or the processor with its number of cores."""
    if names := _ask_nvidia("name"):
        return names[0] if len(names) == 1 else f"{len(names)} × {names[0]}"
    model = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        lines = [line for line in about.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else platform.machine()
    return f"{model}, {os.cpu_count()} cores"


def size_of(places: Iterable[Path]) -> int:
    """Bytes of all files in these files and folders."""
    total = 0
    for place in places:
        files = place.rglob("*") if place.is_dir() else [place]
        total += sum(path.stat().st_size for path in files if path.is_file())
    return total


def measured(job: str, meter: Meter, *, state: str, seconds: float, samples: int, disk: Iterable[Path], workers: int,
             earlier: JobCost | None = None) -> JobCost:
    """The cost of a job that has just ended; `earlier` is that of an unfinished run which this one continued."""
    before = earlier if earlier and earlier.state != "done" else None
    peak = max(meter.memory_mb, before.memory_mb if before else 0.0)
    on_device = [x for x in (meter.device_mb, before.device_memory_mb if before else None) if x is not None]
    return JobCost(job=job, state=state, seconds=round(seconds, 2), memory_mb=round(peak, 1),
                   device_memory_mb=round(max(on_device), 1) if on_device else None,
                   disk_mb=round(size_of(disk) / MB, 3), device=device_name(), samples=samples,
                   samples_per_s=round(samples / seconds, 2) if seconds > 0 else 0.0, workers=workers)
