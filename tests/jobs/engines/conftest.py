"""A study of sixty short shards, computed once undisturbed; whoever computes them again must make the same bytes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from once import once

from cadc.jobs import control as jobs
from cadc.study import Study


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Scores done, the shards by one process (shared: tests must not write into it)."""
    from tiny_study import make_study, work, write_data
    from tiny_vlm import idefics3

    def make(folder: Path) -> None:
        data = folder / "data"
        data.mkdir()
        write_data(data, pool=120, target=6)
        idefics3(data / "model", layers=2)
        one_thread(lambda: work(make_study(data, folder / "cache", shard_rows=2), "scores"))

    return Study.open("tiny", root=once(tmp_path_factory, "engines", make) / "cache")


def one_thread(do) -> None:
    """As in a worker: another number of threads rounds otherwise."""
    from cadc.models.threads import torch_threads

    with torch_threads(1):
        do()


@pytest.fixture
def study(undisturbed, own_copy) -> Iterator[Study]:
    """A private copy of the study with no shard computed."""
    copy = own_copy(undisturbed)
    for job in ("attribute", "scores"):
        copy.result(job).remove()
    yield copy
    if jobs.is_running(copy):  # a failed test left its worker
        os.kill(jobs.status(copy, "attribute").pid, signal.SIGKILL)
