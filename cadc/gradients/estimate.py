"""What a study will cost here: a few batches are run on the device, and the jobs' own plans do the rest.

Shape letters: N pool samples, T checkpoints, S single target samples, M units, R = S + M (+ M grounded), P LoRA
parameters.
"""

import os
import platform
import resource
import time
from dataclasses import dataclass
from typing import Any

import torch

from cadc import warmup
from cadc.errors import JobError
from cadc.gradients import targets
from cadc.gradients.batching import Item, encoded_rows, packed
from cadc.gradients.capture import open_capture
from cadc.gradients.features import Weighted
from cadc.gradients.landmarks import gradient_rows
from cadc.study import Study

ROWS = 48
"""Pool rows of the calibration, spread evenly over the lengths."""
VECTORS = 256
"""At most this many target vectors are multiplied with; more cost in proportion."""
_MB = 1 << 20


@dataclass(frozen=True)
class Rates:
    """Seconds on this device, one process."""

    load: float
    """Load the model."""
    encode: float
    """Decode and tokenise a row."""
    prefix: float
    """The frozen part of a row."""
    step: float
    """Warm-up: forward and backward of a row, prefix excluded."""
    gradient: float
    """Per-sample gradient of a row at one checkpoint."""
    vector: float
    """Product of a row's gradient with one target vector."""

    @property
    def forward_row(self) -> float:
        """A row of the forward-only pass (`landmarks` < 1): a backward costs about two forwards."""
        return self.encode + self.prefix + self.step / 3

    def pool_row(self, checkpoints: int, vectors: int) -> float:
        """A row of the pool pass."""
        return self.encode + self.prefix + checkpoints * (self.gradient + vectors * self.vector)


@dataclass(frozen=True)
class Sizes:
    """Numbers that times and bytes follow from."""

    pool: int
    steps: int
    singles: int
    units: int
    target_rows: int
    swapped_rows: int
    parameters: int

    def vectors(self, grounded: bool) -> int:
        """R."""
        return self.singles + self.units * (2 if grounded else 1)


def estimate(study: Study, workers: int | None = None) -> dict[str, Any]:
    """`{"jobs": {job: {seconds, memory_mb, disk_mb}}, "total": {…}, "basis": text, "rates": {…}}`.

    `workers` processes share the attribution (default: one per core); `memory_mb` of that job is of all of them
    together. Raises JobError before the pool was read, ModelError when the model cannot be loaded.
    """
    from cadc.vlm import open_vlm
    from cadc.vlm.feed import Feed

    if not all(study.samples_file(role).exists() for role in ("pool", "target")):
        raise JobError(f"study {study.name!r} has not read its pool and target yet. Run its ingest job first.")
    workers = workers or os.cpu_count() or 1
    config = study.config
    began = time.perf_counter()
    vlm = open_vlm(config)
    load = time.perf_counter() - began
    feed = Feed(study, "pool", vlm)
    sizes = _sizes(study, vlm, feed)
    rates = _calibrate(vlm, feed, load, min(VECTORS, sizes.vectors(config.grounded)))
    jobs = _costs(study, sizes, rates, workers, _memory())
    kinds = {"seconds": sum, "memory_mb": max, "disk_mb": sum}
    total = {key: round(join(job[key] for job in jobs.values()), 1) for key, join in kinds.items()}
    row = rates.pool_row(config.checkpoints, sizes.vectors(config.grounded))
    device = torch.cuda.get_device_name() if vlm.device == "cuda" else f"{platform.machine()} CPU"
    basis = (f"{min(ROWS, len(feed))} rows measured on {device}, {torch.get_num_threads()} thread(s): "
             f"{1 / row:.1f} pool samples/s per process at {config.checkpoints} checkpoints, {workers} process(es)")
    return {"jobs": jobs, "total": total, "basis": basis, "rates": vars(rates)}


def _sizes(study: Study, vlm: Any, feed: Any) -> Sizes:
    from cadc.vlm.feed import Feed

    config, target = study.config, Feed(study, "target", vlm)
    choice = targets.choose(study, target)
    swapped = sum(len(rows) for rows in choice.rows
                  if config.grounded and targets.swappable([target.samples[row].images for row in rows]))
    return Sizes(len(feed), warmup.plan(study, len(feed)).ends[-1], sum(map(len, choice.singles)), len(choice.units),
                 sum(map(len, choice.rows)), swapped * config.permutations, vlm.lora.size)


def _calibrate(vlm: Any, feed: Any, load: float, vectors: int) -> Rates:
    """Run the rows twice and time the second run: the first one warms caches and libraries up."""
    order = feed.by_length(range(len(feed)))
    rows = order[:: max(1, len(order) // ROWS)][:ROWS]
    began = time.perf_counter()
    items = list(encoded_rows(feed, rows, {}))
    encode = (time.perf_counter() - began) / len(rows)
    if not items:
        raise JobError("no pool row can be encoded, so nothing can be measured. The Data page shows the reasons.")
    block = torch.zeros(vectors, max(m.size for m in vlm.lora.matrices), device=vlm.device)
    for _ in range(2):
        step = _timed_step(vlm, items)
        prefix, gradient, product = _timed_gradients(vlm, items, block)
    count = len(items)
    return Rates(load, encode, prefix / count, (step - prefix) / count, gradient / count, product / count / vectors)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _timed_step(vlm: Any, items: list[Item]) -> float:
    from cadc.vlm import answer_losses, lora_parameters, prefix

    began = _now()
    for batch in packed(items):
        answer_losses(vlm, prefix(vlm, vlm.collate([e for _, e in batch]))).sum().backward()
    for parameter in lora_parameters(vlm):
        parameter.grad = None
    return _now() - began


def _timed_gradients(vlm: Any, items: list[Item], block: torch.Tensor) -> tuple[float, float, float]:
    """Seconds for prefixes, per-sample gradients of one checkpoint, and products with block [R, p]."""
    from cadc.vlm import answer_losses, prefix
    from cadc.vlm.lora import lora_parameters

    flat = torch.cat([p.detach().reshape(-1) for p in lora_parameters(vlm)])
    kind = torch.float64 if vlm.dtype == torch.float64 else torch.float32
    gamma, times = Weighted(torch.ones_like(flat, dtype=kind)), [0.0, 0.0, 0.0]
    capture = open_capture(vlm)

    def multiply(number: int, gradient: torch.Tensor) -> None:
        m = vlm.lora.matrices[number]
        ready, _, _ = gamma.apply(gradient.to(block.dtype), m.offset, m.end)
        began = _now()
        ready @ block[:, :m.size].t()
        times[2] += _now() - began

    try:
        for batch in packed(items):
            began = _now()
            given = prefix(vlm, vlm.collate([e for _, e in batch]))
            times[0] += _now() - began
            began = _now()
            capture.switch(flat)
            with capture.watch(multiply):
                answer_losses(vlm, given).sum().backward()
            times[1] += _now() - began
    finally:
        capture.close()
    return times[0], times[1] - times[2], times[2]


def _memory() -> float:
    """MB that this process (or the device) has needed at most so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / _MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _costs(study: Study, sizes: Sizes, rates: Rates, workers: int, base: float) -> dict[str, dict[str, float]]:
    config = study.config
    steps, vectors = config.checkpoints, sizes.vectors(config.grounded)
    number = sizes.pool
    vector_mb = steps * vectors * sizes.parameters * 4 / _MB
    warm_rows = sizes.steps * config.warmup_batch
    first_time = min(warm_rows, number)
    passes = sizes.target_rows + sizes.swapped_rows
    shards = -(-number // config.shard_rows)
    workers = min(workers, shards)
    score_mb = number * (steps * (sizes.units * (2 if config.grounded else 1) + 3) + 2 * sizes.units + 4) * 4 / _MB
    best_mb = sizes.singles * min(config.best_rows, config.shard_rows) * 8 / _MB
    gram_mb = steps * (sizes.singles**2 + 2 * sizes.units**2) * 4 / _MB
    measured = gradient_rows(config.landmarks, number)
    pool_seconds = measured * rates.pool_row(steps, vectors) + (number > measured) * number * rates.forward_row
    rows = {
        "ingest": (0.0, 0.0, 0.0),
        "warmup": (rates.load + first_time * rates.encode + warm_rows * (rates.prefix + rates.step), base,
                   steps * sizes.parameters * 12 / _MB),
        "targets": (rates.load + passes * (rates.encode + rates.prefix + steps * rates.gradient), base + vector_mb,
                    vector_mb + gram_mb),
        "attribute": (rates.load + pool_seconds / workers, workers * (base + vector_mb),
                      2 * score_mb + (shards + 1) * best_mb + gram_mb),
    }
    return {job: {"seconds": round(s, 1), "memory_mb": round(m, 1), "disk_mb": round(d, 1)}
            for job, (s, m, d) in rows.items()}
