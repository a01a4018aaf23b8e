"""What a study will cost: here, from a study in small that is run (`calibration.py`), or on a device that need not be
here, from counted FLOP (`flops.py`). What the jobs ask for is counted once for both (`costs.py`).

Shape letters: N pool samples, T checkpoints, S single target samples, M units, R = S + M (+ M grounded) target
vectors, P LoRA parameters.
"""

from dataclasses import asdict

from cadc.estimate.calibration import Rates, calibrate
from cadc.estimate.costs import Memory, Work, costs_of, counted, measured
from cadc.estimate.devices import Device, device, share
from cadc.estimate.flops import pool_row, product_flops
from cadc.estimate.ledger import HERE, Estimate, Price, keep, summed
from cadc.estimate.sizes import Sizes, sizes
from cadc.gradients.modes import SHARE
from cadc.jobs.engines.devices import default_workers
from cadc.jobs.meter import MB, device_name
from cadc.models.batching import ROWS, TOKENS
from cadc.study import Study
from cadc.study.jobs import offered_jobs


# ---- here, measured --------------------------------------------------------------------------------------------------
def estimate(study: Study, workers: int | None = None) -> Estimate:
    """Seconds, memory and disk of each job on this machine, with the rates that they follow from.

    `workers` processes share the attribution (default: one per core); `memory_mb` of that job is of all processes
    together. The result is kept in the study's estimate file. Raises JobError before the pool was read, ModelError or
    JobError when the model cannot be loaded.
    """
    known = sizes(study)
    workers = min(workers or default_workers(), -(-known.pool // study.config.shard_rows))
    rates = calibrate(study, workers)
    basis = (f"measured: the jobs ran on {rates.pool_rows} pool rows on {device_name()}; "
             f"{rates.workers / rates.pool_row:.1f} pool samples/s with {rates.workers} process(es) at "
             f"{study.config.checkpoints} checkpoints")
    offered = offered_jobs(study.config)
    found = summed(measured_costs(study, known, rates, workers), offered)
    return keep(study, HERE, {**found, "basis": basis, "rates": asdict(rates)})


def measured_costs(study: Study, known: Sizes, rates: Rates, workers: int) -> dict[str, Price]:
    """Seconds, peak memory and disk of each job, from what the study in small took."""
    work = Work(config=study.config, sizes=known, parameters=rates.parameters, width=rates.width,
                number_bytes=rates.number_bytes, workers=workers, lanes=rates.lanes, lane_mb=rates.lane_mb)
    return {job: _rounded(cost.price, _process_memory(cost.memory, work, rates,
                                                      workers if cost.shared or cost.beside else 1), cost.disk_mb)
            for job, cost in costs_of(work, measured(rates)).items()}


def _rounded(seconds: float, memory_mb: float, disk_mb: float) -> Price:
    return {"seconds": round(seconds, 1), "memory_mb": round(memory_mb, 1), "disk_mb": round(disk_mb, 1)}


def _process_memory(memory: Memory, work: Work, rates: Rates, processes: int) -> float:
    """MB of all processes of a job: what those of the study in small held, and the target vectors it did not have."""
    base = {"warmup": rates.warmup_mb, "targets": rates.targets_mb,
            "attribute": rates.attribute_mb * (1 + processes) / (1 + rates.workers)}[memory.like]
    vector_mb = work.config.checkpoints * work.parameters * work.number_bytes / MB  # one, at every checkpoint
    more = work.sizes.vectors - rates.small_vectors
    return base + max(processes * memory.copies * more * vector_mb, 0) + memory.arrays_mb


# ---- elsewhere, counted ----------------------------------------------------------------------------------------------
def estimate_for(study: Study, name: str, *, efficiency: float | None = None, devices: int = 1) -> Estimate:
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
    weights, parameters = sum(p.numel() for p in vlm.model.parameters()), vlm.layout.size
    memory = device_memory(study, known, parameters, weights=weights, kept=row.kept, tokens=tokens)
    mode = chosen_mode(study, memory, chosen)
    length = parameters if mode == "exact" else study.config.sketch_dim
    held = memory | {"vectors": memory[mode]}
    work = Work(config=study.config, sizes=known, parameters=parameters, width=vlm.text_config.hidden_size)
    jobs = {job: _rounded(cost.price / (chosen.tflops * 1e12 * reached) / (devices if cost.shared else 1),
                          sum(held[part] for part in cost.memory.parts), cost.disk_mb)
            for job, cost in costs_of(work, counted(row, study.config.checkpoints, product_flops(1, length))).items()}
    basis = (f"from the FLOP model, not measured: {chosen.name} at {reached:.0%} of its peak of {chosen.tflops:g} "
             f"TFLOP/s, {devices} device(s), counted on {looked} pool rows; decoding pictures, disk and the Gram "
             "matrices (on the host) are not in it")
    flops = asdict(row) | {"product": product_flops(known.vectors, length)}
    return keep(study, name.strip().lower(), {
        **summed(jobs, offered_jobs(study.config)), "basis": basis, "mode": mode, "flops": flops,
        "memory": {k: round(v, 1) for k, v in memory.items()}})


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
