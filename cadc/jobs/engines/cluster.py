"""Engine `ray`: shards mapped over a Ray cluster by actors, one per GPU, or one per core where there is none.

An actor opens the pass once and computes the shards that it is given; the shard of a dead one goes to another, and a
new actor is hired. Ray only carries shard numbers and row counts: what is finished is what lies in the study folder,
which all nodes must share, so a dead driver loses nothing. `ray` is imported here alone, and only when asked for.
"""

import logging
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from cadc.errors import CadcError, JobError
from cadc.jobs.engines import EngineSettings, Work
from cadc.jobs.engines.devices import cores, release_gpu_memory
from cadc.jobs.engines.passes import ShardWorker
from cadc.jobs.engines.shard_queue import ShardQueue
from cadc.jobs.processes import QUIET
from cadc.study import Study
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

TRIES = 3
"""A shard whose worker dies this often stops the run."""
REPLACEMENTS = 3
"""New actors in the place of one that died."""
PATIENCE_S = 600.0
"""Without any working actor the run ends after this long."""
VISIBLE_S = 90.0
"""A network file system may hide another node's new file for about a minute."""
OBJECT_STORE = 80 << 20
"""Bytes of Ray's shared memory, its least: nothing large is sent."""


def compute(work: Work, progress: Progress, settings: EngineSettings) -> None:
    """Compute all open shards. Raises Cancelled, JobError, ModelError."""
    release_gpu_memory()
    progress.note(f"connecting to Ray ({settings.address or 'auto'})")
    with connected(settings) as ray:
        done = _ActorPool(ray, work, settings.workers, progress).run()
    _await_files(work, done, progress)


@contextmanager
def connected(settings: EngineSettings) -> Iterator[Any]:
    """The module `ray`, connected; a connection that was there before is used and left as it is.

    Raises JobError when ray is missing or no cluster answers.
    """
    settings.check_installed()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    if ray.is_initialized():
        yield ray
        return
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _connect(ray, settings)
        if in_main:
            signal.signal(signal.SIGTERM, handler)  # ray puts its own there, which would end us without a word
        yield ray
    finally:
        ray.shutdown()
        if in_main:
            signal.signal(signal.SIGTERM, handler)


def _connect(ray: Any, settings: EngineSettings) -> None:
    """`ray.init` with as little around it as possible. Raises JobError when nobody answers."""
    from ray._private.services import get_ray_address_from_environment

    address = settings.address or "auto"
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {"num_cpus": settings.workers or cores(), "include_dashboard": False,
                    "object_store_memory": OBJECT_STORE}
    try:
        if address == "auto":
            address = get_ray_address_from_environment(address, None)
        host, _, port = address.rpartition(":")
        if address != "local":  # ray itself would try for minutes, and not hear a cancel
            socket.create_connection((host, int(port)), timeout=10).close()
        with _on_localhost() if address == "local" or host in ("localhost", "127.0.0.1") else nullcontext():
            ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise JobError(f"no connection to Ray at {address!r}: {first}. Start a cluster with `ray start --head` "
                       "(docs/cluster.md), or use --address local.") from error


@contextmanager
def _on_localhost() -> Iterator[None]:
    """Let a cluster that starts inside listen on 127.0.0.1 only, and connect to one that does.

    `_node_ip_address="127.0.0.1"` would not do: ray resolves it to a reachable address on purpose, except where it
    has no clusters (macOS, Windows); so for this moment it is told that it has none here. A test looks at the sockets.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _await_files(work: Work, done: set[int], progress: Progress) -> None:
    """Wait until this machine sees the files of all finished shards. Raises Cancelled, JobError."""
    until = time.monotonic() + VISIBLE_S
    while missing := [s for s in work.left() if s.number in done]:
        if time.monotonic() > until:
            raise JobError(f"Ray workers report {len(missing)} shards that are not in "
                           f"{missing[0].file(work.study).parent}. The cache folder must lie on a file system that all "
                           "nodes share (docs/cluster.md).")
        progress.note(f"waiting for the shared file system to show {len(missing)} shards")
        progress.step(0)
        time.sleep(1)


class ShardActor:
    """One process of the cluster. `open`, then `shard` again and again, while `news` answers beside it."""

    def __init__(self, root: str, identity: str, kind: str) -> None:
        self._question = root, identity, kind
        self._news: queue.SimpleQueue[tuple[int, float]] = queue.SimpleQueue()
        self._worker: ShardWorker | None = None

    def open(self) -> dict[str, Any]:
        """Load everything. Returns where that is and with which packages, or an `error`."""
        root, identity, kind = self._question
        facts = {"host": socket.gethostname(), "pid": os.getpid(), "packages": packages()}
        try:
            self._worker = ShardWorker(Study.open(identity, root=Path(root)), kind)
        except CadcError as error:
            return facts | {"error": str(error)}
        return facts | {"device": _device()}

    def shard(self, number: int) -> dict[str, Any]:
        """Compute and write a shard. Returns nothing, or an `error`."""
        if self._worker is None:
            raise JobError("this worker was not opened")
        try:
            self._worker.shard(number, lambda rows, loss: self._news.put((rows, loss)))
        except CadcError as error:
            return {"error": str(error)}
        return {}

    def news(self) -> tuple[int, float]:
        """Rows and loss of the next finished batch; (0, nan) when there is none for a while."""
        try:
            return self._news.get(timeout=5)
        except queue.Empty:
            return 0, float("nan")


def packages() -> dict[str, str]:
    """Versions that the numbers of a shard depend on."""
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "numpy", "pillow")}


def _device() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"


class _ActorPool:
    """The actors, what they owe us, and what they hold."""

    def __init__(self, ray: Any, work: Work, workers: int | None, progress: Progress) -> None:
        self._ray, self._work, self._progress = ray, work, progress
        self._queue = ShardQueue(work.shards, progress, TRIES)
        resources = ray.cluster_resources()
        self._gpu = resources.get("GPU", 0) >= 1
        slots = int(resources.get("GPU" if self._gpu else "CPU", 0))
        if not slots:
            raise JobError("the Ray cluster offers no GPU and no core. `ray status` shows what it has.")
        self._size = min(workers or slots, len(work.shards))
        self._actors: dict[int, Any] = {}
        self._owed: dict[Any, tuple[int, str]] = {}
        """Reference of an answer → who owes it, and to which question: open | shard | news."""
        self._ready: set[int] = set()
        self._idle: set[int] = set()
        self._devices: set[str] = set()
        self._replaced = dict.fromkeys(range(self._size), 0)
        self._last_seen = time.monotonic()

    def run(self) -> set[int]:
        """Compute what is open; returns the numbers of finished shards. Always lets its actors go."""
        try:
            for number in range(self._size):
                self._hire(number)
            self._progress.note(f"{self._size} Ray workers are loading the model")
            while self._queue.open and self._actors:
                self._wait()
            if self._queue.open or self._queue.given_up:
                raise JobError(f"Ray workers died too often; {len(self._work.left())} shards are missing, all others "
                               "are kept. `ray status` and this job's log say more; run the job again to go on.")
            return self._queue.done
        finally:
            for actor in self._actors.values():
                self._ray.kill(actor)

    def _hire(self, number: int) -> None:
        work = self._work
        options = {"num_cpus": 1, "num_gpus": int(self._gpu), "max_concurrency": 2, "max_restarts": 0,
                   "runtime_env": {"env_vars": QUIET}}
        actor = self._ray.remote(ShardActor).options(**options).remote(work.root, work.study.identity, work.kind)
        self._actors[number] = actor
        self._owed[actor.open.remote()] = (number, "open")

    def _wait(self) -> None:
        """Hear whoever has something to say, for at most a moment."""
        answers, _ = self._ray.wait(list(self._owed), timeout=0.5)
        if not answers:
            self._progress.step(0)  # a cancel is honoured even while nothing happens
            if not self._ready and time.monotonic() - self._last_seen > PATIENCE_S:
                raise JobError(f"no Ray worker could be started in {PATIENCE_S / 60:.0f} minutes. `ray status` shows "
                               "what the cluster waits for.")
        for answer in answers:
            if (owed := self._owed.pop(answer, None)) is None:
                continue  # of an actor that died
            try:
                value = self._ray.get(answer)
            except self._ray.exceptions.RayError as error:
                self._lost(owed[0], error)
            else:
                self._hear(*owed, value)

    def _hear(self, number: int, question: str, value: Any) -> None:
        self._last_seen = time.monotonic()
        actor = self._actors[number]
        if question == "news":
            if value[0]:
                self._queue.said(number, *value)
            self._owed[actor.news.remote()] = (number, "news")
            return
        if "error" in value:
            raise JobError(value["error"] + (f" (on {value['host']})" if "host" in value else ""))
        if question == "open":
            self._welcome(number, value)
            self._owed[actor.news.remote()] = (number, "news")
        else:
            self._queue.finish(number)
        self._give(number)

    def _welcome(self, number: int, facts: dict[str, Any]) -> None:
        """A worker is ready. Raises JobError when its packages are not ours: its shards would differ."""
        if other := {name: v for name, v in facts["packages"].items() if v != packages()[name]}:
            raise JobError(f"{facts['host']} has {other}, this machine {({n: packages()[n] for n in other})}. "
                           "Install the same versions on all nodes (docs/cluster.md).")
        self._ready.add(number)
        self._devices.add(facts["device"])
        if len(self._devices) > 1:
            log.warning("workers compute on different devices, shards agree to rounding only: %s", self._devices)
        where = f"{facts['host']}, {facts['device']}, process {facts['pid']}"
        log.info("Ray worker %d: %s", number + 1, where)
        self._progress.note(f"worker {number + 1} is ready ({where})")

    def _give(self, number: int) -> None:
        shard = self._queue.take(number)
        if shard is None:
            self._idle.add(number)
            return
        self._idle.discard(number)
        self._owed[self._actors[number].shard.remote(shard)] = (number, "shard")

    def _lost(self, number: int, error: Exception) -> None:
        """An actor died: its shard goes to an idle one, and another actor is hired."""
        self._last_seen = time.monotonic()
        self._ray.kill(self._actors.pop(number))
        self._owed = {answer: owed for answer, owed in self._owed.items() if owed[0] != number}
        self._ready.discard(number)
        self._idle.discard(number)
        shard = self._queue.lose(number)
        lost = "" if shard is None else f"; shard {shard} is computed again"
        log.warning("Ray worker %d died%s: %s", number + 1, lost, error)
        self._progress.note(f"worker {number + 1} died{lost}")
        for other in sorted(self._idle):
            self._give(other)
        if self._queue.open and self._replaced[number] < REPLACEMENTS:
            self._replaced[number] += 1
            self._hire(number)
