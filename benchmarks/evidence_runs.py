"""Retrainings spread over processes, one torch thread each: runs are independent, and each writes its own file.

A run that has its file is not run again, so a stopped benchmark goes on where it was.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from cadc.jobs.processes import end_with_parent
from cadc.study import Study

_HERE: dict[str, Any] = {}
"""Of one process: the study, and benches (model, kept prefixes) by what is scored and the base."""


def run_all(study: Study, requests: list[Any], halves: Any, processes: int, *, model: str = "") -> None:
    """Everything that has no file yet: runs of the requests, and retrainings of `halves` (None: none).

    model: another base than the study's (its results lie beside, under keys of their own).
    """
    from cadc.evaluation.run import unfinished

    todo = {run.key: (request.id, run.key) for request in requests for run in unfinished(study, request)}
    tasks: list[tuple[str, Any]] = [("run", one) for one in todo.values()]
    if halves is not None:
        tasks += [("half", (halves, r)) for r in range(halves.retrainings) if not halves.file(study, r).exists()]
    work(study, tasks, processes, model)


def work(study: Study, tasks: list[tuple[str, Any]], processes: int, model: str = "") -> None:
    """Run tasks, as many at a time as there are processes; says how far it is on stderr."""
    if not tasks:
        return
    began = time.monotonic()
    start = (study.folder.parent.parent, study.name, model)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin, initargs=start) as pool:
        running = [pool.submit(_do, *task) for task in tasks]
        for number, done in enumerate(as_completed(running), 1):
            done.result()
            spent = time.monotonic() - began
            left = spent / number * (len(tasks) - number)
            print(f"{number} of {len(tasks)} retrainings, {spent:.0f} s, about {left:.0f} s left",
                  file=sys.stderr, flush=True)


def _begin(root: Any, name: str, model: str) -> None:
    """A process opens the study once."""
    import torch
    from transformers.utils import logging as transformers_logging

    end_with_parent()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(1)
    _HERE.update(study=Study.open(name, root=root), model=model, benches={})


def _bench(scored: tuple[int, ...]) -> Any:
    from cadc.evaluation.retrain import open_retrainer

    if scored not in _HERE["benches"]:
        _HERE["benches"][scored] = open_retrainer(_HERE["study"], scored, _HERE["model"])
    return _HERE["benches"][scored]


def _do(kind: str, task: Any) -> None:
    from cadc.evaluation.lds import measure_half
    from cadc.evaluation.request import read_request
    from cadc.evaluation.run import run_one
    from cadc.study.progress import Silent

    study = _HERE["study"]
    if kind == "half":
        asked, number = task
        measure_half(study, asked, number, _bench(asked.scored), Silent())
        return
    identifier, key = task
    request = read_request(study, identifier)
    run = next(run for run in request.runs if run.key == key)
    run_one(study, request, run, _bench(request.scored), Silent())
