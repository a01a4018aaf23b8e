"""Retrainings spread over processes, one torch thread each: runs are independent, and each writes its own file.

A run that has its file is not run again, so a stopped benchmark goes on where it was.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from cadc.jobs.processes import end_with_parent
from cadc.models.threads import torch_threads
from cadc.study import Study

if TYPE_CHECKING:
    from benchmarks.lab.lds import HalfPools
    from cadc.evaluation import Request
    from cadc.evaluation.retrain import Retrainer


@dataclass(frozen=True)
class RunTask:
    """One run of a request."""

    request: str
    """Its id."""
    key: str


@dataclass(frozen=True)
class HalfTask:
    """One retraining on half of some rows."""

    asked: "HalfPools"
    number: int


def run_all(study: Study, requests: "Sequence[Request]", halves: "HalfPools | None", processes: int, *,
            model: str = "", until: float = inf) -> None:
    """Everything that has no file yet: runs of the requests in the order of `by_seed`, and retrainings of `halves`
    (`with_halves`).

    model: another base than the study's (its results lie beside, under keys of their own). until: time on
    `time.monotonic` after which nothing new begins.
    """
    work(study, with_halves(study, requests, halves), processes, model, until)


def with_halves(study: Study, requests: "Sequence[Request]", halves: "HalfPools | None") -> "list[RunTask | HalfTask]":
    """Every unfinished retraining: runs of the first request's first seed, the halves, which are short, then other
    runs, so that a short time is enough for both."""
    runs = by_seed(study, requests)
    if halves is None:
        return list(runs)
    first = {run.key for run in requests[0].runs if run.seed == requests[0].settings.seeds[0]}
    return [*(task for task in runs if task.key in first),
            *(HalfTask(halves, r) for r in range(halves.retrainings) if not halves.file(study, r).exists()),
            *(task for task in runs if task.key not in first)]


def by_seed(study: Study, requests: "Sequence[Request]") -> list[RunTask]:
    """Unfinished runs, each key once: request by request, but those of as many seeds together and seed by seed, so that
    a run that is cut leaves paired seeds."""
    from cadc.evaluation.run import unfinished

    found: dict[str, tuple[int, int, RunTask]] = {}
    group = -1
    for place, request in enumerate(requests):
        if place == 0 or request.settings.seeds != requests[place - 1].settings.seeds:
            group += 1
        for run in unfinished(study, request):
            found.setdefault(run.key, (group, request.settings.seeds.index(run.seed), RunTask(request.id, run.key)))
    return [task for _, _, task in sorted(found.values(), key=lambda one: one[:2])]


def work(study: Study, tasks: "Sequence[RunTask | HalfTask]", processes: int, model: str = "",
         until: float = inf) -> None:
    """Run tasks, as many at a time as there are processes; says how far it is on stderr."""
    if not tasks:
        return
    began, number = time.monotonic(), 0
    for number, _ in enumerate(_done(study, tasks, processes, model, until), 1):
        spent = time.monotonic() - began
        left = spent / number * (len(tasks) - number)
        print(f"{number} of {len(tasks)} retrainings, {spent:.0f} s, about {left:.0f} s left",
              file=sys.stderr, flush=True)
    if number < len(tasks):
        print(f"the time is up: {len(tasks) - number} retrainings are not run, the tables are of the others",
              file=sys.stderr, flush=True)


def _done(study: Study, tasks: "Sequence[RunTask | HalfTask]", processes: int, model: str,
          until: float) -> Iterator[None]:
    """Yields after each task; one process is this one. No task begins after `until`; those begun end."""
    if processes == 1:
        with torch_threads(1):  # as a process of its own has it
            here = _Here(study, model)
            for task in tasks:
                if time.monotonic() >= until:
                    return
                _do(task, here)
                yield
        return
    start, waiting = (study.root, study.name, model), iter(tasks)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin, initargs=start) as pool:
        running: set[Future[None]] = set()
        while True:
            while len(running) < processes and time.monotonic() < until and (task := next(waiting, None)) is not None:
                running.add(pool.submit(_do, task))
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for done in ended:
                done.result()
                yield


# ---- what does it ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Here:
    """What a process keeps: the study, and for each set of scored samples a model with its prefixes."""

    study: Study
    model: str
    retrainers: "dict[tuple[int, ...], Retrainer]" = field(default_factory=dict)

    def retrainer(self, scored: tuple[int, ...]) -> "Retrainer":
        """Opened once."""
        from cadc.evaluation.retrain import open_retrainer

        if scored not in self.retrainers:
            self.retrainers[scored] = open_retrainer(self.study, scored, self.model)
        return self.retrainers[scored]


_here: list[_Here] = []
"""Of one process; filled by `_begin`."""


def _begin(root: Path, name: str, model: str) -> None:
    """A process opens the study once."""
    import torch
    from transformers.utils import logging as transformers_logging

    end_with_parent()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(1)
    _here[:] = [_Here(Study.open(name, root=root), model)]


def _do(task: RunTask | HalfTask, here: _Here | None = None) -> None:
    """One task; `here`: what to do it with, where this is no process of its own."""
    from benchmarks.lab.lds import measure_half
    from cadc.errors import JobError
    from cadc.evaluation.request import read_request
    from cadc.evaluation.run import run_one
    from cadc.study.progress import Silent

    here = here or _here[0]
    if isinstance(task, HalfTask):
        measure_half(here.study, task.asked, task.number, here.retrainer(task.asked.scored), Silent())
        return
    request = read_request(here.study, task.request)
    if request is None:
        raise JobError(f"the request {task.request} of study {here.study.name!r} has gone. Run the benchmark again.")
    run = next(run for run in request.runs if run.key == task.key)
    run_one(here.study, request, run, here.retrainer(request.scored), Silent())
