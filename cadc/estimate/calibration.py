"""A study in small: the real jobs on a few real rows, timed and weighed in a process of their own.

The jobs themselves run, not copies of their loops, so whatever they do (batches, padding, kept prefixes, workers that
share cores and memory bandwidth) is in the numbers. The small study lies in a scratch folder inside the study's own,
with the same settings but fewer rows; the process starts as a worker does, so that threads and memory are a worker's.

Shape letters: N pool samples, T checkpoints, R target vectors, P LoRA parameters.
"""

import dataclasses
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cadc.errors import CadcError, JobError
from cadc.estimate.sizes import target_passes, target_vectors
from cadc.jobs.engines import EngineSettings
from cadc.jobs.processes import QUIET
from cadc.study import Study
from cadc.study.progress import Silent
from cadc.study.study import MEMO

if TYPE_CHECKING:
    from cadc.models import Vlm

log = logging.getLogger(__name__)

BLOCK = 64
"""Pool rows are taken in blocks of neighbours of this many, so that batches are padded as in the whole pool."""
AIM_S = 16.0
"""Seconds of work aimed at for each job, judged by one row run alone (batches are faster); a slow model gets fewer
rows, never fewer than LEAST."""
LEAST = 4
_VECTOR_BYTES = 256 << 20
Row = TypeVar("Row", bound=int)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rates:
    """What was measured; seconds unless named otherwise."""

    start: float
    """From starting a process to the end of its imports."""
    first_load: float
    """Load the model for the first time in a process, the imports of its classes included."""
    load: float
    """Load it again."""
    warmup_rest: float
    """What the warm-up needs beside loading and steps: reading samples, writing checkpoints."""
    fresh_row: float
    """A warm-up row seen for the first time, a whole step divided by its rows."""
    known_row: float
    """A warm-up row seen before."""
    target_row: float
    """A target row of one pass, all T checkpoints."""
    pool_row: float
    """A pool row in one of the processes working at once, all T checkpoints, with `small_vectors` target vectors."""
    pool_start: float
    """From the start of attribution to the first row, and from the last row to the end."""
    vector: float
    """Product of a row's gradient with one more target vector, at one checkpoint."""
    gram: float
    """One multiply-add of the Gram matrices."""
    write_mb: float
    """Write one MB to disk and flush it."""
    parameters: int
    """P."""
    width: int
    """Hidden width of the language model."""
    number_bytes: float
    """Bytes of one number of a target vector on disk."""
    small_vectors: int
    """R of the small study."""
    pool_rows: int
    workers: int
    """Processes that worked at once."""
    warmup_mb: float
    """Peak memory of the process during the small warm-up."""
    targets_mb: float
    attribute_mb: float
    """Peak memory of all processes of the small attribution."""
    device_mb: float
    """Peak device memory of the small study; 0 without a GPU."""
    lanes: int = 1
    """Batches of target samples that the study itself computes at a time; the study in small has too few for more."""
    lane_mb: float = 0.0
    """What each further lane holds."""
    warmup_gain: float = 1.0
    """How many times as fast steps of the warm-up are as `known_row` says, with parts of a batch side by side."""


def calibrate(study: Study, workers: int) -> Rates:
    """Run the small study in a process of its own. Raises JobError or ModelError with what that process says."""
    root = study.root
    environment = QUIET | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with tempfile.TemporaryDirectory(prefix="calibration-", dir=study.folder) as scratch:
        command = [sys.executable, "-m", "cadc.estimate.calibration", str(root), study.identity, scratch,
                   str(workers), repr(time.time())]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL,
                              check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        end = " ".join(done.stderr.split()[-60:])
        raise JobError(f"the calibration of study {study.name!r} ended with code {done.returncode}: {end}")
    said = json.loads(lines[-1])
    if "error" in said:
        raise JobError(said["error"])
    return Rates(**said)


def main(arguments: Sequence[str]) -> int:
    """The process: cache root, identity, scratch folder, workers, time of its start."""
    root, identity, scratch, workers, began = arguments
    import torch  # noqa: F401  its import is part of the start

    import cadc.models  # noqa: F401

    start = time.time() - float(began)
    try:
        found = _measure(Study.open(identity, root=Path(root)), Path(scratch), int(workers), start)
    except CadcError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    print(json.dumps(dataclasses.asdict(found)))
    return 0


def _measure(study: Study, scratch: Path, workers: int, start: float) -> Rates:
    from cadc.jobs.meter import MB, size_of

    second, first_load = _row_seconds(study)
    asked = workers
    small, workers = _small_study(study, scratch, workers, second)
    walls, peaks, device = _run_jobs(small, workers)
    fresh, known, steps = _warmup_rows(small)
    vectors, passes = _target_work(small)
    facts = _model_facts(small, workers, asked, study.config.warmup_batch)
    parameters, load = facts["parameters"], facts["load"]
    gram, write_mb = _gram_seconds(), _write_seconds(scratch)
    shards = [json.loads(p.read_text()) for p in sorted(small.shards_folder.glob("shard-*.json"))]
    busy = sum(s["seconds"] for s in shards)
    count = sum(s["computed"] for s in shards)
    stored = size_of(small.targets_folder.glob("vectors-*")) / (small.config.checkpoints * vectors * parameters)
    written = size_of((small.targets_folder,)) / MB * write_mb
    return Rates(**facts, start=start, first_load=first_load, warmup_rest=max(walls["warmup"] - load - steps, 0.0),
                 fresh_row=fresh, known_row=known, target_row=max(walls["targets"] - load - written, 0.0) / passes,
                 pool_row=busy / count, pool_start=max(walls["attribute"] - busy / workers, 0.0),
                 gram=gram, number_bytes=stored, write_mb=write_mb,
                 small_vectors=vectors, pool_rows=count, workers=workers, warmup_mb=peaks["warmup"],
                 targets_mb=peaks["targets"], attribute_mb=peaks["attribute"], device_mb=device)


def _run_jobs(small: Study, workers: int) -> tuple[dict[str, float], dict[str, float], float]:
    """Seconds and peak memory of each job that the study in small runs, and the peak device memory of all."""
    from cadc.gradients.attribute import run_attribute
    from cadc.gradients.targets import run_targets
    from cadc.jobs.meter import Meter
    from cadc.training.warmup import run_warmup

    jobs: dict[str, Callable[[], object]] = {
        "warmup": lambda: run_warmup(small, Silent()), "targets": lambda: run_targets(small, Silent()),
        "attribute": lambda: run_attribute(small, Silent(), engine=EngineSettings(workers=workers))}
    walls, peaks, device = {}, {}, 0.0
    for job, run in jobs.items():
        with Meter(every_s=0.05) as meter:
            began = time.perf_counter()
            run()
            walls[job] = time.perf_counter() - began
        peaks[job], device = meter.memory_mb, max(device, meter.device_mb or 0.0)
    return walls, peaks, device


def _small_study(study: Study, scratch: Path, workers: int, second: float) -> tuple[Study, int]:
    """The study in small, ingested, and the number of processes it keeps busy; a row alone takes `second` seconds."""
    import pyarrow.parquet as pq

    from cadc.data import read_samples
    from cadc.models.feed import by_length

    config = study.config
    rounds = 1 + (config.permutations if config.grounded else 0)
    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    each = _rows(AIM_S / (second * config.checkpoints))
    run = min(BLOCK, max(1, each // 2), config.shard_rows, -(-len(pool) // 2))
    workers = max(1, min(workers, len(pool) // run))
    chosen = neighbours(by_length(pool), each * workers, run)
    wanted = min(2 * BLOCK, _rows(AIM_S / (second * config.checkpoints * rounds)))
    targets = neighbours(by_length(target), wanted, min(wanted, BLOCK))
    batch = max(1, min(config.warmup_batch, int(AIM_S / second / 4), len(chosen) // 2))
    changed = dataclasses.replace(config, warmup_batch=batch, warmup_min_rows=2 * batch, warmup_share=1e-9,
                                  warmup_epochs=2, shard_rows=run, landmarks=1.0,
                                  mode="exact" if config.mode == "auto" else config.mode)
    small = dataclasses.replace(study, folder=scratch / "studies" / study.identity, config=changed)
    if (memo := study.root / MEMO).exists():
        shutil.copy(memo, scratch / MEMO)  # the weights' digest
    small.write_down()
    with small.new_ingest() as read:
        for role, rows in (("pool", chosen), ("target", targets)):
            pq.write_table(pq.read_table(study.samples_file(role)).take(list(rows)), read / f"{role}.parquet")
        small.keep_ingest(read, {})
    for role in ("pool", "target"):
        if study.ingest_images(role).exists():
            small.ingest_images(role).symlink_to(study.ingest_images(role).resolve(), target_is_directory=True)
    return small, workers


def _rows(wanted: float) -> int:
    """Rows of one worker: whole blocks where time allows."""
    return max(LEAST, int(wanted)) if wanted < BLOCK else min(4, int(wanted / BLOCK)) * BLOCK


def neighbours(ordered: Sequence[Row], count: int, size: int) -> list[Row]:
    """About `count` of the rows ordered by length, ascending: evenly spread runs of `size` neighbours.

    Neighbours, because batches of neighbours is what the whole pass makes: single rows spread over all lengths would
    be padded far more.
    """
    runs = max(1, round(count / size))
    if runs * size >= len(ordered):
        return sorted(ordered)
    starts = [round((i + 0.5) * len(ordered) / runs - size / 2) for i in range(runs)]
    return sorted({ordered[start + k] for start in starts for k in range(size)})


def _row_seconds(study: Study) -> tuple[float, float]:
    """Forward and backward of a row of middle length, alone (only to choose how many rows to measure), and the first
    load of the model."""
    from cadc.errors import DataError
    from cadc.models import answer_losses, open_vlm, prefix
    from cadc.models.feed import Feed

    began = time.perf_counter()
    vlm = open_vlm(study.config)
    loaded = time.perf_counter() - began
    feed = Feed(study, "pool", vlm)
    order = feed.by_length()
    reason = "the pool is empty"
    for row in order[len(order) // 2:] + order[:len(order) // 2]:
        try:
            batch = vlm.collate([feed.encode(row)])
        except DataError as error:
            reason = str(error)
            continue
        clock = time.perf_counter if vlm.device == "cuda" else time.process_time  # other processes do not count
        for _ in range(2):  # the first one warms libraries up
            began = clock()
            loss = answer_losses(vlm, prefix(vlm, batch)).sum()
            loss.backward()
            loss.item()  # waits for the device
            seconds = clock() - began
        return max(seconds, 1e-4), loaded
    raise JobError(f"no pool row can be encoded, so nothing can be measured: {reason}")


def _warmup_rows(small: Study) -> tuple[float, float, float]:
    """Seconds per row at first sight and later, and of all steps together; the first step also checks the model."""
    from cadc.training import warmup

    lines = [json.loads(line) for line in (small.warmup_folder / "log.jsonl").read_text().splitlines()]
    each = [1 / max(line["samples_per_s"], 1e-3) for line in lines]  # seconds per row of each step
    rows = warmup.summary(small)["rows"]
    batch = small.config.warmup_batch
    first = -(-rows // batch)
    fresh = each[1:first] or each[:1]
    known = each[first:] or each[-1:]
    return sum(fresh) / len(fresh), sum(known) / len(known), sum(each) * min(batch, rows)


def _target_work(small: Study) -> tuple[int, int]:
    """Target vectors and target row passes of the small study, as they became."""
    from cadc.gradients import targets

    about = targets.summary(small)
    moved = [name not in set(about["text_only"]) for name in about["units"]]
    return (target_vectors(len(about["samples"]), len(about["units"]), small.config.grounded),
            target_passes(small.config, about["counts"], moved))


def _model_facts(small: Study, workers: int, asked: int, batch: int) -> dict[str, Any]:
    """`vector`, `parameters`, `width`, `load`, `lanes`, `lane_mb` and `warmup_gain` of `Rates`.

    A row's gradient is multiplied with vectors that are too many for caches, on a CPU by `workers` threads at once,
    each with vectors of its own, as the workers will. asked: workers of the study itself, batch: rows of its
    warm-up's steps.
    """
    from concurrent.futures import ThreadPoolExecutor

    import torch

    from cadc.gradients.lanes import lane_bytes, lanes
    from cadc.jobs.meter import MB
    from cadc.models import open_vlm
    from cadc.training.lanes import lane_count

    began = time.perf_counter()
    vlm = open_vlm(small.config)
    load = time.perf_counter() - began
    on_gpu = vlm.device == "cuda"
    count = max(16, min(512, _VECTOR_BYTES // (vlm.layout.size * 4)))

    def timed(number: int) -> float:
        blocks, rows = ([torch.ones(n, m.size, device=vlm.device, dtype=torch.bfloat16 if on_gpu else torch.float32)
                         for m in vlm.layout.matrices] for n in (count, BLOCK))
        times = []
        for _ in range(3):
            began = time.perf_counter()
            for row, block in zip(rows, blocks, strict=True):
                total = row @ block.t()
            total[0, 0].item()  # waits for the device
            times.append(time.perf_counter() - began)
        return sorted(times)[1] / (BLOCK * count)

    threads = 1 if on_gpu else workers
    with ThreadPoolExecutor(threads) as pool:
        vector = sum(pool.map(timed, range(threads))) / threads
    steps = small.config.checkpoints
    return {"vector": vector, "parameters": vlm.layout.size, "width": vlm.text_config.hidden_size, "load": load,
            "lanes": lanes(vlm, steps, BLOCK, asked), "lane_mb": lane_bytes(vlm, steps, BLOCK) / MB,
            "warmup_gain": _warmup_gain(small, vlm, lane_count(vlm, batch, asked))}


def _warmup_gain(small: Study, vlm: "Vlm", lanes: int) -> float:
    """How many times as fast a step is whose parts are computed so many at a time, of at most as many rows as a step of
    the study in small."""
    from cadc.models import prefix
    from cadc.models.batching import encoded_rows
    from cadc.models.feed import Feed
    from cadc.training.lanes import PART, opened

    each = max(1, min(PART, small.config.warmup_batch // lanes))
    feed = Feed(small, "pool", vlm)
    items = [one for _, one in islice(encoded_rows(feed, feed.by_length(), {}), lanes * each)]
    if lanes == 1 or len(items) < lanes * each:
        return 1.0
    parts = [prefix(vlm, vlm.collate(items[start:start + each])) for start in range(0, len(items), each)]

    def seconds(count: int) -> float:
        times = []
        with opened(vlm, count) as made:
            for _ in range(3):  # the first one warms libraries up
                began = time.perf_counter()
                made.backward(parts, len(items))
                times.append(time.perf_counter() - began)
        return min(times[1:])

    return max(1.0, seconds(1) / seconds(lanes))


def _gram_seconds() -> float:
    """Seconds of one multiply-add in `targets.gram`."""
    import torch

    from cadc.gradients.targets import gram

    vectors = torch.randn(256, 65_536)
    gram(vectors)
    began = time.perf_counter()
    gram(vectors)
    return (time.perf_counter() - began) / (256 * 256 * 65_536)


def _write_seconds(scratch: Path) -> float:
    """Seconds per MB written and flushed."""
    import torch

    from cadc.study import write_tensors

    began = time.perf_counter()
    write_tensors(scratch / "written.safetensors", {"x": torch.zeros(8 << 20)}, {})
    return (time.perf_counter() - began) / 32


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
