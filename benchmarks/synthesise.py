"""Make a finished study on disk with planted structure, without a model: for trials of the pages and of their speed.

    python -m benchmarks.synthesise --name big --rows 665000 --units 162

Every file is written by the code that writes it in a real study, or with its documented columns. The scores are random
numbers around planted capabilities and answer formats; nothing about the method can be learnt from them.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from benchmarks.lab.planted_rows import (
    FORMATS,
    PICTURES,
    SKILLS,
    SOURCES,
    draw,
    keep_as_read,
    write_in_blocks,
    write_one_by_one,
)
from cadc.data import run_ingest
from cadc.jobs.status import JobStatus, write_status
from cadc.scores.compaction import write_scores
from cadc.signals.near import run_near
from cadc.study import Study, StudyConfig, cache_root, write_json, write_tensors
from cadc.study.jobs import core_jobs
from cadc.study.progress import Silent

DIMENSIONS = 48
CHUNK = 1 << 20
"""Rows whose features are drawn together."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """The latent structure: unit vectors and pool features, all float32."""

    unit: np.ndarray  # [T, M, D] plain unit means
    grounded: np.ndarray  # [T, M, D]
    sample: np.ndarray  # [T, S, D] single target samples, unit length
    feature: np.ndarray  # [N, D] training-side features, unit length
    family: np.ndarray  # [N] unit that a row is about; -1 off target


def synthesise(root: Path, *, rows: int = 2000, units: int = 16, checkpoints: int = 4, samples_per_unit: int = 12,
               seed: int = 0, name: str = "trial", read: bool = True) -> Study:
    """Write a finished study under `root` (a cache root) and return it. read: ingest reads the pool; False: what it
    would make of it is written at once, for more rows than it can hold. Raises DataError for a name already in use."""
    rng = np.random.default_rng([seed, rows, units])
    inputs = cache_root(root) / "inputs" / f"{name}-{seed}-{rows}"
    _pictures(inputs, rng)
    names = [f"{SKILLS[m % len(SKILLS)]} · {tuple(FORMATS)[m // 2 % len(FORMATS)]} · {m + 1}" for m in range(units)]
    planted = _plant(rng, rows, units, checkpoints, samples_per_unit)
    pool = draw(rng, "pool", planted.family, names)
    (write_one_by_one if read else write_in_blocks)(inputs / "pool.jsonl", pool)
    target = draw(rng, "target", np.repeat(np.arange(units), samples_per_unit), names)
    write_one_by_one(inputs / "target.jsonl", target)
    config = StudyConfig(pool=str(inputs / "pool.jsonl"), target=str(inputs / "target.jsonl"), images=str(inputs),
                         unit_column="unit", model="synthetic-scores", checkpoints=checkpoints, seed=seed,
                         near_samples=samples_per_unit, nearness="gradients", whitened=False, judges=0)
    study = Study.create(name, config, created=time.strftime("%Y-%m-%dT%H:%M:%S"), root=cache_root(root))
    if read:
        run_ingest(study, Silent())
    else:
        keep_as_read(study, pool, len(target))
    del pool
    _write_warmup(study, rng)
    _write_targets(study, names, planted.sample)
    study.result("attribute").finish()
    with tempfile.TemporaryDirectory(dir=study.root) as scratch:
        _write_scores(study, _columns(rng, planted, study, np.arange(rows), Path(scratch)), names)
    run_near(study, Silent())
    for place, job in enumerate(core_jobs(config)):
        write_status(study, JobStatus(job=job, state="done", done=rows, total=rows, rate=100.0, seconds=3.0 + place,
                                      started=time.time() - 60, updated=time.time()))
    return study


def _unit_length(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def _plant(rng: Generator, rows: int, units: int, checkpoints: int, samples_per_unit: int) -> Planted:
    """Units share a direction with their skill and with their answer format; rows lean to the unit they are about."""
    skill = _unit_length(rng.normal(size=(len(SKILLS), DIMENSIONS)))
    form = _unit_length(rng.normal(size=(len(FORMATS), DIMENSIONS)))
    of_skill, of_form = np.arange(units) % len(SKILLS), np.arange(units) // 2 % len(FORMATS)
    own = 0.45 * _unit_length(rng.normal(size=(units, DIMENSIONS)))
    drift = 0.2 * rng.normal(size=(checkpoints, units, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    loud = rng.uniform(0.5, 3.0, size=(1, units, 1))
    unit = loud * (0.8 * skill[of_skill] + 0.5 * form[of_form] + own + drift)
    grounded = loud * (0.8 * skill[of_skill] + 0.1 * form[of_form] + own + drift)
    of_sample = np.repeat(np.arange(units), samples_per_unit)
    noise = rng.normal(size=(1, len(of_sample), DIMENSIONS)) / np.sqrt(DIMENSIONS)
    sample = _unit_length(_unit_length(unit)[:, of_sample] + 0.9 * noise)
    share = rng.dirichlet(np.full(units, 0.7)) * 0.66
    family = rng.choice(np.arange(-1, units), size=rows, p=np.append(1 - share.sum(), share))
    feature, direction = np.empty((rows, DIMENSIONS), np.float32), _unit_length(unit[0])
    for start in range(0, rows, CHUNK):
        about = family[start:start + CHUNK, None]
        lean = np.where(about >= 0, direction[about[:, 0]], 0)
        feature[start:start + CHUNK] = _unit_length(lean + 1.2 * rng.normal(size=lean.shape) / np.sqrt(DIMENSIONS))
    return Planted(unit=unit.astype(np.float32), grounded=grounded.astype(np.float32), sample=sample, feature=feature,
                   family=family)


def _columns(rng: Generator, planted: Planted, study: Study, index: np.ndarray, scratch: Path
             ) -> dict[str, np.ndarray]:
    """The columns of the job `scores` by their field in `Scores`; the large ones mapped from files in `scratch`."""
    units, rows, checkpoints = planted.unit.shape[1], len(planted.feature), len(planted.unit)
    count = planted.sample.shape[1] // units

    def mapped(name: str, shape: tuple[int, ...], kind: type = np.float32) -> np.ndarray:
        return np.lib.format.open_memmap(scratch / f"{name}.npy", mode="w+", dtype=kind, shape=shape)

    dots, grounded = (mapped(name, (checkpoints, units, rows)) for name in ("dots", "grounded"))
    for t in range(checkpoints):
        np.matmul(planted.unit[t], planted.feature.T, out=dots[t])
        np.matmul(planted.grounded[t], planted.feature.T, out=grounded[t])
    near, winner = mapped("near", (units, rows)), mapped("winner", (units, rows), np.int32)
    length = np.linalg.norm(planted.unit, axis=-1).mean(0)
    for m in range(units):
        near[m] = dots[:, m].mean(0) / length[m]
        near[m] += rng.normal(0.1, 0.03, size=rows).astype(np.float32)
    for m in range(units):
        winner[m] = rng.integers(0, count, size=rows, dtype=np.int32) + m * count
    best = min(study.config.best_rows, rows)
    best_index = np.full((units * count, best), -1, np.int32)
    for m in range(units):
        some = np.argpartition(-near[m], min(4 * best, rows - 1))[:4 * best]
        for s in range(m * count, (m + 1) * count):
            chosen = rng.choice(some, size=best, replace=False)
            best_index[s] = chosen[np.argsort(-near[m, chosen])]
    best_value = np.take_along_axis(np.repeat(near, count, axis=0), best_index, axis=1) if rows < 50_000 else \
        np.stack([near[s // count, best_index[s]] for s in range(units * count)])
    fall = np.linspace(1.5, 0.4, checkpoints)
    loss = rng.gamma(2.0, 0.6, size=(rows, 1)) * np.where(planted.family[:, None] < 0, 1.0, fall)
    norm = (3.0 + 4.0 * loss).astype(np.float32)
    return {
        "index": index.astype(np.int64), "measured": np.ones(rows, bool),
        "eta": np.linspace(3e-3, 1e-3, checkpoints, dtype=np.float32), "dots": dots, "dots_grounded": grounded,
        "near": near, "winner": winner, "loss": loss.astype(np.float32), "gradient_norm": norm,
        "feature_norm": norm * 20, "tokens": rng.integers(1, 20, size=rows, dtype=np.int32), "best_index": best_index,
        "best_value": best_value.astype(np.float32), "gram": np.stack([u @ u.T for u in planted.unit]),
        "gram_grounded": np.stack([u @ u.T for u in planted.grounded]),
        "sample_gram": np.stack([s @ s.T for s in planted.sample]),
        "sample_unit": np.repeat(np.arange(units, dtype=np.int32), count), "sample_index": np.arange(units * count)}


def _pictures(folder: Path, rng: Generator) -> None:
    """A few small pictures per source."""
    from PIL import Image, ImageDraw

    for source in SOURCES[:-1]:
        (folder / source).mkdir(parents=True, exist_ok=True)
        for i in range(PICTURES):
            picture = Image.new("RGB", (96, 96), "white")
            draw = ImageDraw.Draw(picture)
            for _ in range(i + 1):
                x, y = (int(v) for v in rng.integers(4, 72, size=2))
                draw.ellipse((x, y, x + 18, y + 18), fill=tuple(int(v) for v in rng.integers(0, 200, size=3)))
            picture.save(folder / source / f"{i}.png")


def _write_warmup(study: Study, rng: Generator) -> None:
    """A loss curve and its summary."""
    result = study.result("warmup")
    result.folder.mkdir(parents=True, exist_ok=True)
    with (result.folder / "log.jsonl").open("w", encoding="utf-8") as handle:
        for step in range(1, 121):
            loss = float(2.5 * np.exp(-step / 40) + 0.6 + rng.normal(0, 0.05))
            line = {"step": step, "loss": loss, "lr": 3e-3 * (1 - step / 130), "samples_per_s": 90.0}
            handle.write(json.dumps(line) + "\n")
    eta = np.linspace(3e-3, 1e-3, study.config.checkpoints).tolist()
    write_json(result.folder / "warmup.json", {"eta": eta, "steps": [120], "rows": 256, "failed": {}})
    write_json(result.folder / "about.json", {"seconds": 42.0})
    result.finish()


def _write_targets(study: Study, names: list[str], samples: np.ndarray) -> None:
    """The list of target samples and the cosines between their gradients; samples: [T, S, D], unit length."""
    import torch

    result, count = study.result("targets"), samples.shape[1]
    samples_per_unit = count // len(names)
    write_tensors(result.folder / "gram.safetensors",
                  {"sample": torch.from_numpy(np.einsum("tap,tbp->tab", samples, samples))}, {})
    write_json(result.folder / "targets.json", {
        "units": names, "text_only": [], "products": {"mode": "exact", "dim": 0}, "samples": [
            {"row": i, "index": i, "id": f"t{i}", "unit": names[i // samples_per_unit]} for i in range(count)]})
    write_json(result.folder / "about.json", {"seconds": 12.0, "products": {"reason": "synthesised"}})
    result.finish()


def _write_scores(study: Study, found: dict[str, np.ndarray], names: list[str]) -> None:
    """The columns, and the report on attribution."""
    result = study.result("scores")
    write_scores(study, found, names)
    write_json(result.folder / "failed.json", [])
    write_json(result.folder / "attribute.json", {
        "rows": len(found["index"]), "failed": 0, "shards": 0, "precision": "float32", "warnings": [],
        "products": {}, "batch": {}, "halved_batches": 0, "seconds": 0.0})
    result.finish()


def main() -> None:
    """Make a study and print what it took."""
    parser = argparse.ArgumentParser(description="Make a finished study with planted random scores.")
    parser.add_argument("--name", default="trial")
    parser.add_argument("--root", type=Path, default=cache_root(), help="cache root; default: the app's")
    for option, value in (("rows", 2000), ("units", 16), ("checkpoints", 4), ("samples-per-unit", 12), ("seed", 0)):
        parser.add_argument(f"--{option}", type=int, default=value)
    parser.add_argument("--unread", action="store_true", help="write what ingest would make of the pool instead of "
                        "running it: for more rows than it holds in memory")
    chosen = parser.parse_args()
    began = time.perf_counter()
    study = synthesise(chosen.root, rows=chosen.rows, units=chosen.units, checkpoints=chosen.checkpoints,
                       samples_per_unit=chosen.samples_per_unit, seed=chosen.seed, name=chosen.name,
                       read=not chosen.unread)
    folders = [study.folder, *(study.result(job).folder for job in core_jobs(study.config))]
    size = sum(p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file()) / 1e6
    print(f"{study.name} ({study.identity}): {chosen.rows} rows, {chosen.units} units, {size:.0f} MB")
    print(json.dumps({"study": study.name, "rows": chosen.rows, "units": chosen.units, "megabytes": round(size, 1),
                      "seconds": round(time.perf_counter() - began, 2)}))


if __name__ == "__main__":
    main()
