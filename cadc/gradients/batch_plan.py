"""How many samples and padded tokens a batch holds, kept once per study and job: every worker, every engine and
every resumed run cuts the same batches, so that their shards are identical. Read without loading torch."""

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cadc.errors import JobError
from cadc.study import Study
from cadc.study.results import read_sealed, write_sealed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchPlan:
    """What `packed` is called with."""

    rows: int
    tokens: int
    reason: str
    warnings: tuple[str, ...] = ()
    """What the start-up check found (`composition`)."""


def restore(study: Study, job: str) -> bool:
    """Write a plan that was lost once more, from a finished shard that was cut by it; whether there is one."""
    path = study.batch_file(job)
    facts = next((found for place in sorted(path.parent.glob("shard-*.json")) if (found := read_sealed(place))), None)
    if facts and not path.exists():
        write_first(study, job, _plan(facts["batch"]))
    return facts is not None


def read(study: Study, job: str) -> BatchPlan:
    """The plan that was chosen. Raises JobError when it is another question's or damaged."""
    path = study.batch_file(job)
    facts = read_sealed(path)
    if facts is None or facts["key"] != study.key(job):
        raise JobError(f"how the job {job!r} cuts its batches ({job}/{path.name}) is damaged or belongs to another "
                       f"question. Run the study again (`python -m cadc run {study.name}`): it is made again.")
    return _plan(facts)


def _plan(facts: Mapping[str, Any]) -> BatchPlan:
    return BatchPlan(facts["rows"], facts["tokens"], facts["reason"], tuple(facts["warnings"]))


def write_first(study: Study, job: str, plan: BatchPlan) -> None:
    """Keep a plan, atomically, unless another machine was faster."""
    path = study.batch_file(job)
    mine = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    write_sealed(mine, asdict(plan) | {"key": study.key(job)})
    try:
        os.link(mine, path)
    except FileExistsError:
        log.info("another process chose the batch size first")
    finally:
        mine.unlink()
