"""Processes that compute beside this one: how they begin, and that they do not outlive what started them."""

import os
import sys
import threading
from collections.abc import Mapping
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from cadc.jobs.engines.devices import visible_gpus

QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
"""Environment of every process that computes beside others: one thread each, none that waits by spinning."""
NURSERY = "cadc.jobs.nursery"
FORKS = sys.platform.startswith("linux")
"""Whether a process that has loaded libraries may be forked: those of macOS break in the fork."""
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Devices of NVIDIA, AMD, and of GPUs below Windows."""


def context() -> ForkServerContext | SpawnContext:
    """How to start processes that load a model.

    Without a GPU they are forked off one process that has imported torch, transformers and peft: importing them takes
    each new process longer than the work of a small study. A GPU cannot be handed over so, and macOS does not let them:
    there each begins anew.
    """
    if not FORKS or visible_gpus():
        return get_context("spawn")
    _run_nursery()
    return get_context("forkserver")


def prepare() -> None:
    """Let that process begin to import, while this one does something else; does nothing where a driver of GPUs is.
    Asks no torch: importing it here is what should not be waited for."""
    if FORKS and not any(Path(driver).exists() for driver in DRIVERS):
        _run_nursery()


def _run_nursery() -> None:
    """Start that process unless it runs; libraries read how many threads they may use when they are loaded."""
    before = {name: os.environ[name] for name in QUIET if name in os.environ}
    os.environ.update(QUIET)
    try:
        forkserver.set_forkserver_preload([NURSERY])
        forkserver.ensure_running()
    finally:
        for name in QUIET.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def begin(environment: Mapping[str, str]) -> None:
    """Call first in such a process: one thread, no bars of progress, and it ends with its parent. environment: as it is
    where it was asked for; the process it was forked off has an older one."""
    os.environ.clear()
    os.environ.update(environment)
    end_with_parent()
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    torch.set_num_threads(1)


def end_with_parent() -> None:
    """In a process that `multiprocessing` started: it ends when its parent is gone, however that went.

    Pools of `concurrent.futures` leave their processes waiting for ever after a `kill -9`, with the model in memory.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(3)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
