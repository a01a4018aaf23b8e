"""A study of sixty short shards, computed once undisturbed; whoever computes them again must make the same bytes."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cadc.gradients.attribute import run_attribute
from cadc.jobs import control as jobs
from cadc.study import Study
from cadc.study.progress import Silent

sys.path[:0] = [str(Path(__file__).parent)]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Study:
    """Everything done, the shards by one process (shared: tests must not write into it)."""
    import tiny_vlm
    import torch
    from tiny_study import make_study, write_data

    from cadc.gradients.targets import run_targets
    from cadc.training.warmup import run_warmup

    data = tmp_path_factory.mktemp("data")
    write_data(data, pool=120, target=6)
    tiny_vlm.idefics3(data / "model", layers=2)
    study = make_study(data, tmp_path_factory.mktemp("cache"), shard_rows=2)
    run_warmup(study, Silent())
    run_targets(study, Silent())
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    run_attribute(study, Silent())
    torch.set_num_threads(before)
    return study


@pytest.fixture()
def study(undisturbed, tmp_path) -> Iterator[Study]:
    """A private copy of the study with no shard computed."""
    shutil.copytree(undisturbed.folder.parent.parent, tmp_path / "cache")
    copy = Study.open("tiny", root=tmp_path / "cache")
    shutil.rmtree(copy.shards_folder)
    shutil.rmtree(copy.scores_folder)
    yield copy
    if jobs.is_running(copy):  # a failed test left its worker
        os.kill(jobs.status(copy, "attribute").pid, signal.SIGKILL)
