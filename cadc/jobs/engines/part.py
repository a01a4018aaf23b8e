"""A share of a study's open shards, computed and no more: for batch systems that start N equal tasks (a SLURM array).

The tasks need nothing of each other but the folder. What is left when all have ended, and putting the shards
together, is the attribute job's.
"""

import re

from cadc.errors import DataError
from cadc.jobs.engines import EngineSettings, Work, compute
from cadc.jobs.engines.passes import PASSES
from cadc.jobs.shards import sidecar
from cadc.study import Study
from cadc.study.progress import Progress


def read_part(text: str) -> tuple[int, int]:
    """`I/N` → (I, N) with 1 ≤ I ≤ N. Raises DataError."""
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if found is None or int(found[1]) > int(found[2]):
        raise DataError(f"part {text!r}: expected I/N with I from 1 to N, like 3/8")
    return int(found[1]), int(found[2])


def run_part(study: Study, part: str, progress: Progress, workers: int | None = None) -> int:
    """Compute the open gradient shards of part `I/N`; returns how many they were.

    Shard k belongs to part k mod N, whatever is open already, so that tasks that begin at different times share
    nothing out twice and miss nothing. Raises Cancelled, DataError, JobError, ModelError.
    """
    from cadc.data import read_samples

    own, parts = read_part(part)
    passes = {name: kind for name, kind in PASSES.items() if kind.job == "attribute"}
    inputs = {name: kind.find(kind.inputs)(study) for name, kind in passes.items()}
    pool = read_samples(study.samples_file("pool"))
    computed = 0
    for name, kind in passes.items():
        shards = kind.find(kind.cuts)(study, pool)[own - 1::parts]
        still = [s for s in shards if sidecar(study, s, inputs[name]) is None]
        rows = sum(len(s.rows) for s in shards)
        progress.start(rows, done=rows - sum(len(s.rows) for s in still))
        progress.note(f"pass {name}: {len(still)} of {len(shards)} shards of part {part} are open")
        work = Work(study=study, kind=name, inputs=inputs[name], shards=still)
        compute(work, progress, EngineSettings(workers=workers))
        computed += len(still)
    return computed
