"""What a study will cost here: a study in small is run (`calibration.py`), and the jobs' own plans do the rest.

Shape letters: N pool samples, T checkpoints, S single target samples, M units, R = S + M (+ M grounded) target
vectors, P LoRA parameters.
"""

from dataclasses import asdict, dataclass
from typing import Any

from cadc.errors import JobError
from cadc.estimate.calibration import Rates, calibrate
from cadc.estimate.devices import Device, device, share
from cadc.estimate.flops import RowFlops, pool_row, product_flops
from cadc.estimate.ledger import HERE, keep, summed
from cadc.gradients.choice import choose, swappable
from cadc.gradients.landmarks import gradient_rows
from cadc.gradients.modes import SHARE
from cadc.jobs.engines.devices import default_workers
from cadc.jobs.meter import MB, device_name
from cadc.models.batching import ROWS, TOKENS
from cadc.signals import folds
from cadc.study import Study
from cadc.training import warmup


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers that times and bytes follow from."""

    pool: int
    fresh_rows: int
    """Warm-up rows seen for the first time."""
    known_rows: int
    """Warm-up rows seen again."""
    singles: int
    """S."""
    targets: int
    """Target samples that gradients see."""
    units: int
    """M."""
    passes: int
    """Target rows of all passes, those with other pictures included."""
    grounded: bool

    @property
    def vectors(self) -> int:
        """R."""
        return self.singles + self.units * (2 if self.grounded else 1)


def sizes(study: Study) -> Sizes:
    """The sizes of a study that has read its pool and target. Raises JobError before that."""
    from cadc.data import read_samples

    if not all(study.samples_file(role).exists() for role in ("pool", "target")):
        raise JobError(f"study {study.name!r} has not read its pool and target yet. Run its ingest job first.")
    config, pool = study.config, len(read_samples(study.samples_file("pool")))
    target = read_samples(study.samples_file("target"))
    choice = choose(config, target)
    swapped = sum(len(rows) for rows in choice.rows
                  if config.grounded and swappable([target[row].images for row in rows]))
    seen_rows = sum(map(len, choice.rows))
    plan = warmup.plan(study, pool)
    seen = sum(len(rows) for rows in warmup.batches(config, plan.rows, plan.ends[-1]))
    fresh = min(seen, len(plan.rows))
    return Sizes(pool=pool, fresh_rows=fresh, known_rows=seen - fresh, singles=sum(map(len, choice.singles)),
                 targets=seen_rows, units=len(choice.units), passes=seen_rows + swapped * config.permutations,
                 grounded=config.grounded)


def estimate(study: Study, workers: int | None = None) -> dict[str, Any]:
    """`{"jobs": {job: {seconds, memory_mb, disk_mb}}, "total": {…}, "basis": text, "rates": {…}}` for this machine.

    `workers` processes share the attribution (default: one per core); `memory_mb` of that job is of all processes
    together. The result is kept in the study's estimate file. Raises JobError before the pool was read, ModelError or
    JobError when the model cannot be loaded.
    """
    known = sizes(study)
    workers = min(workers or default_workers(), -(-known.pool // study.config.shard_rows))
    rates = calibrate(study, workers)
    jobs = measured_costs(study, known, rates, workers)
    basis = (f"measured: the jobs ran on {rates.pool_rows} pool rows on {device_name()}; "
             f"{rates.workers / rates.pool_row:.1f} pool samples/s with {rates.workers} process(es) at "
             f"{study.config.checkpoints} checkpoints")
    return keep(study, HERE, summed(jobs) | {"basis": basis, "rates": asdict(rates)})


def measured_costs(study: Study, known: Sizes, rates: Rates, workers: int) -> dict[str, dict[str, float]]:
    """Seconds, peak memory and disk of each job, from what the study in small took."""
    steps, size = study.config.checkpoints, rates.parameters
    disk = disk_mb(study, known, size, rates.number_bytes)
    more = known.vectors - rates.small_vectors
    vector_mb = steps * size * rates.number_bytes / MB  # one target vector at every checkpoint
    stepped = known.fresh_rows * rates.fresh_row + known.known_rows * rates.known_row
    warm = rates.start + rates.first_load + rates.warmup_rest + stepped
    grams = steps * (known.singles**2 + (known.vectors - known.singles) * known.units) * size
    target = rates.load + known.passes * rates.target_row + grams * rates.gram + disk["targets"] * rates.write_mb
    row = rates.pool_row + steps * max(more, 0) * rates.vector
    scored, looked = _passes(study, known.pool)
    forward = rates.fresh_row - rates.known_row / 2  # a backward through frozen weights costs about a forward
    pool = rates.pool_start + (scored * row + looked * forward) / workers + disk["attribute"] * rates.write_mb
    if embedded := _embedded(study, known):  # by one process, after the others
        pool += rates.load + embedded * forward
    # the target pass holds its vectors, and once more those it keeps while it writes; a worker of the pool pass holds
    # them, and one checkpoint's twice more while it cuts them by linear
    held = {"warmup": 0.0, "targets": 2 * more * vector_mb, "attribute": workers * more * vector_mb * (1 + 2 / steps)}
    base = {"warmup": rates.warmup_mb, "targets": rates.targets_mb,
            "attribute": rates.attribute_mb * (1 + workers) / (1 + rates.workers)}
    seconds = {"warmup": warm, "targets": target, "attribute": pool}
    if study.config.out_of_fold:
        # what lies below the adapters is computed once per row and kept; one process
        trained, read = folds.work(study.config, known.pool, known.singles, known.targets)
        below = rates.fresh_row - rates.known_row
        seconds["crossfit"] = rates.load + trained * rates.known_row + read * rates.known_row / 2 + known.pool * below
        held["crossfit"], base["crossfit"] = 0.0, rates.warmup_mb
    return {job: {"seconds": round(seconds[job], 1), "memory_mb": round(base[job] + max(held[job], 0), 1),
                  "disk_mb": round(disk[job], 1)} for job in seconds}


def estimate_for(study: Study, name: str, *, efficiency: float | None = None, devices: int = 1) -> dict[str, Any]:
    """The same for `devices` devices of a kind that need not be here, from counted FLOP; `mode` says whether exact
    products fit its memory, `flops` what was counted.

    Raises DataError for a device or an efficiency that cannot be, JobError before the pool was read, ModelError when
    the model cannot be loaded.
    """
    from cadc.models import open_vlm

    chosen, reached = device(name), share(efficiency)
    known = sizes(study)
    vlm = open_vlm(study.config)
    row, tokens, looked = pool_row(study, vlm)
    weights = sum(p.numel() for p in vlm.model.parameters())
    memory = device_memory(study, known, vlm.lora.size, weights=weights, kept=row.kept, tokens=tokens)
    mode = chosen_mode(study, memory, chosen)
    length = vlm.lora.size if mode == "exact" else study.config.sketch_dim
    flop = job_flops(study, known, row, length)
    disk = disk_mb(study, known, vlm.lora.size)
    held = {"warmup": ("weights", "activations"), "targets": ("weights", "adapters", "activations"),
            "attribute": ("weights", "adapters", "activations", mode), "crossfit": ("weights", "activations")}
    seconds = {job: flop[job] / (chosen.tflops * 1e12 * reached) for job in flop}
    seconds["attribute"] /= devices
    jobs = {job: {"seconds": round(seconds[job], 1), "memory_mb": round(sum(memory[part] for part in held[job]), 1),
                  "disk_mb": round(disk[job], 1)} for job in seconds}
    basis = (f"from the FLOP model, not measured: {chosen.name} at {reached:.0%} of its peak of {chosen.tflops:g} "
             f"TFLOP/s, {devices} device(s), counted on {looked} pool rows; decoding pictures, disk and the Gram "
             "matrices (on the host) are not in it")
    told = {"basis": basis, "mode": mode, "memory": {k: round(v, 1) for k, v in memory.items()},
            "flops": asdict(row) | {"product": product_flops(known.vectors, length)}}
    return keep(study, name.strip().lower(), summed(jobs) | told)


def job_flops(study: Study, known: Sizes, row: RowFlops, length: int) -> dict[str, float]:
    """FLOP of each job; `length`: numbers of a target vector, P for exact products, else the sketch's."""
    steps = study.config.checkpoints
    seen = known.fresh_rows + known.known_rows
    scored, looked = _passes(study, known.pool)
    trained, read = folds.work(study.config, known.pool, known.singles, known.targets)
    models = {"crossfit": trained * (row.once + row.each) + read * (row.once + row.forward)}
    return {"warmup": seen * (row.once + row.each),
            "targets": known.passes * (row.once + steps * row.each),
            "attribute": scored * (row.once + steps * (row.each + product_flops(known.vectors, length)))
            + (looked + _embedded(study, known)) * (row.once + row.forward)
            } | (models if study.config.out_of_fold else {})


def _passes(study: Study, pool: int) -> tuple[int, int]:
    """Rows whose gradients are computed, and rows of the forward-only pass (`landmarks` < 1)."""
    scored = gradient_rows(study.config.landmarks, pool)
    return scored, pool if scored < pool else 0


def _embedded(study: Study, known: Sizes) -> int:
    """Samples that the base embeds for near(z, s) (docs/decisions/0019)."""
    return known.pool + known.targets if "embedding" in study.config.nearness else 0


def device_memory(study: Study, known: Sizes, parameters: int, *, weights: int, kept: float, tokens: float
                  ) -> dict[str, float]:
    """MB on the device in bfloat16: base weights, T adapters with their moments (float32), target vectors in full
    (`exact`) or projected (`sketch`), and activations of a full batch that wait for the backward."""
    steps = study.config.checkpoints
    batch = min(ROWS, max(1, TOKENS // max(1, round(tokens))))
    return {"weights": weights * 2 / MB, "adapters": steps * parameters * 12 / MB,
            "exact": steps * known.vectors * parameters * 2 / MB,
            "sketch": steps * known.vectors * study.config.sketch_dim * 2 / MB, "activations": batch * kept * 2 / MB}


def chosen_mode(study: Study, memory: dict[str, float], chosen: Device) -> str:
    """`exact` where the target vectors fit into half of what the model leaves of the memory, as the engine chooses,
    else `sketch`; a study that asks for one of them gets it."""
    if study.config.mode != "auto":
        return study.config.mode
    return "exact" if memory["exact"] * MB <= SHARE * (chosen.memory_gb * 1e9 - memory["weights"] * MB) else "sketch"


def disk_mb(study: Study, known: Sizes, parameters: int, number_bytes: float = 4) -> dict[str, float]:
    """MB that each job writes, for adapters of P = `parameters` numbers; `number_bytes` each in target vectors."""
    config = study.config
    steps, kinds = config.checkpoints, 2 if known.grounded else 1
    shards = -(-known.pool // config.shard_rows)
    gram = steps * (known.singles**2 + kinds * known.units**2) * 4
    row = (steps * (known.units * kinds + 3) + 2 * known.units + 1) * 4  # dots, norms, loss, near, winner, tokens
    shard_best = known.singles * min(config.best_rows, config.shard_rows) * 8
    best = known.singles * config.best_rows * 8
    return {"warmup": steps * parameters * 12 / MB,
            "targets": (steps * known.vectors * parameters * number_bytes + gram) / MB,
            "attribute": (2 * known.pool * row + shards * shard_best + best + gram) / MB,
            "crossfit": config.out_of_fold * (known.pool + folds.FOLDS * known.singles) * 4 / MB}
