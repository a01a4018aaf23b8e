"""Engines: who computes the open shards of a pass, on which devices, and what happens when one of them dies.

An engine is given a study and a list of open shards and makes shard files; only the files count. What happens inside
a shard is the pass's business (`passes.py`). Engine `local` is processes of this machine, engine `ray` is actors of a
Ray cluster; both make the same bytes from the same seed on the same hardware and packages (decision 0009).
"""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cadc.errors import JobError
from cadc.jobs.engines.devices import default_workers
from cadc.jobs.shards import Shard, sidecar
from cadc.study import Study
from cadc.study.progress import Progress

ENGINES = ("local", "ray")


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Who computes. Changes no number, so it is no setting of a study."""

    engine: str = "local"
    """`local` or `ray`."""
    workers: int | None = None
    """Processes or actors; None: one per GPU, or one per core where there is no GPU."""
    address: str = ""
    """Engine `ray`: `auto` (also ''), the cluster that this machine belongs to; `local`, one started here on localhost
    and stopped at the end; or HOST:PORT of a cluster's head."""

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise JobError(f"unknown engine {self.engine!r}. Engines: {', '.join(ENGINES)}")
        if self.workers is not None and self.workers < 1:
            raise JobError(f"workers={self.workers}: at least one is needed")
        if self.address and self.engine != "ray":
            raise JobError(f"address {self.address!r} is for engine ray. Leave it out, or choose that engine.")
        if self.address and not re.fullmatch(r"auto|local|[^\s/]+:\d+", self.address):
            raise JobError(f"address {self.address!r}: expected auto, local or HOST:PORT (docs/cluster.md)")

    @property
    def processes(self) -> int:
        """How many will work at once on this machine."""
        return self.workers or default_workers()

    def check_installed(self) -> None:
        """Raises JobError when the engine's package is missing; looks without importing it."""
        if self.engine == "ray" and importlib.util.find_spec("ray") is None:
            raise JobError("engine `ray` needs the package ray, which is not installed here. Install it with "
                           "`pip install -r requirements-ray.txt`, or use --engine local.")

    def arguments(self) -> list[str]:
        """The same choice as arguments of `cadc.jobs.worker`."""
        return (["--engine", self.engine] + (["--workers", str(self.workers)] if self.workers else [])
                + (["--address", self.address] if self.address else []))


@dataclass(frozen=True, kw_only=True)
class Work:
    """Open shards of one pass."""

    study: Study
    kind: str
    """A key of `passes.PASSES`."""
    inputs: str
    """Digest of what the pass computes from; a finished shard carries it."""
    shards: Sequence[Shard]

    @property
    def root(self) -> str:
        """Cache root: where another process opens the study."""
        return str(self.study.root)

    def left(self) -> list[Shard]:
        """Shards without a finished file (its checksum is left to whoever reads it)."""
        return [s for s in self.shards if sidecar(self.study, s, self.inputs, checksum=False) is None]


def compute(work: Work, progress: Progress, settings: EngineSettings) -> None:
    """Compute all open shards. Raises Cancelled, JobError, ModelError."""
    if not work.shards:
        return
    settings.check_installed()
    if settings.engine == "ray":
        from cadc.jobs.engines import cluster

        cluster.compute(work, progress, settings)
    else:
        from cadc.jobs.engines import local

        local.compute(work, progress, settings.workers)
