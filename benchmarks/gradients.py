"""What per-sample gradients cost: ours, a plain training pass, LESS's loop, bergson and dattri, in one run.

python -m benchmarks.gradients [--quick] [--json FILE] [--markdown FILE] [--device cuda] [--models embedded,smolvlm]

Every engine and checkpoint count runs in a process of its own (its peak memory is its own) on the same model, data and
threads. Rounds are interleaved: each engine runs one round before any runs its next, and `cost` is the median over
rounds of its time ÷ the plain pass's time in the same round, so that a busy machine slows all alike. `plain` is the
floor: batched forward and backward of LoRA training on all layers, frozen part without a graph, logits at answer
positions only, no optimiser step. `share` is cost ÷ T: peers walk the data once per checkpoint and stay at their
T = 1 share. With --quick the T > 1 rows of such engines are T times their measured pass (marked `×`) on the real shape,
which then has two tiles per picture: fewer than its own tiling gives, and so the harder case for sharing the vision
tower. `ours-last-k` adapts the last quarter of the layers. Engines' configurations: `benchmarks/lab/peers/engines.py`.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.lab.peers.engines import ENGINES, INTERVAL, check_installed
from benchmarks.lab.peers.models import Load, quarter
from benchmarks.lab.peers.serve import Answer, EngineFailed, Server
from benchmarks.lab.report import commit, one_line, tell

SHARED = ("ours", "ours-last-k")
"""Engines that walk the data once for all checkpoints."""
ALL = tuple(ENGINES)
STEPS = (1, 4)
"""Checkpoint counts T."""
PACKAGES = ("torch", "transformers", "peft", "bergson", "dattri")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long a model is measured."""

    rounds: int
    """At most this many rounds."""
    seconds: float
    """No round is begun that would end after so many seconds, loading included; one is always measured."""
    derived: bool
    """Whether T > 1 of an engine that walks the data once per checkpoint is T times its measured pass."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An engine at a checkpoint count."""

    engine: str
    checkpoints: int
    load: Load


def trials(load: Load, engines: Sequence[str], steps: Sequence[int], derived: bool) -> list[Trial]:
    """What is run; LESS's loop, which is slow and the same at every checkpoint, only ever at one."""
    made = []
    for engine in engines:
        for count in steps:
            if count > 1 and engine not in SHARED and (derived or engine == "less"):
                continue
            layers = f"last:{quarter(load.model)}" if engine == "ours-last-k" else "all"
            own = replace(load, checkpoints=count, layers=layers)
            if engine == "less":  # its batch is 1 whatever it is given; one drawing of its projection is enough a round
                many = load.batch > INTERVAL
                own = replace(own, batch=INTERVAL if many else load.batch, batches=1 if many else load.batches)
            made.append(Trial(engine=engine, checkpoints=count, load=own))
    return made


def measure(todo: Sequence[Trial], effort: Effort) -> tuple[list[tuple[Trial, list[Answer]]], list[str]]:
    """Answers of every round of each trial, and a note for each engine that could not run."""
    began = time.monotonic()
    started = [(trial, Server(trial.engine, trial.load)) for trial in todo]
    running: list[tuple[Trial, Server, list[Answer]]] = []
    notes: list[str] = []
    try:
        for trial, server in started:
            try:
                server.ask("warm")
            except EngineFailed as error:
                notes.append(f"not measured: {error}")
            else:
                running.append((trial, server, []))
        last = 0.0
        for number in range(effort.rounds):
            start = time.monotonic()
            if number and start - began + last > effort.seconds:
                notes.append(f"{todo[0].load.model}: stopped after {number} of {effort.rounds} rounds: time is up")
                break
            shift = number % len(running) if running else 0
            for _, server, answers in running[shift:] + running[:shift]:
                answers.append(server.ask("run"))
            last = time.monotonic() - start
    finally:
        for _, server in started:
            server.close()
    return [(trial, answers) for trial, _, answers in running], notes


@contextmanager
def shared_weights(load: Load) -> Iterator[Load]:
    """The load with the weights of a real shape in a temporary file, so that eight engines fit into memory at once."""
    if load.model == "embedded" or load.device.startswith("cuda"):
        yield load
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "benchmarks.lab.peers.models", load.model, folder, str(load.seed)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield replace(load, weights=folder)


def rows_of(measured: Sequence[tuple[Trial, list[Answer]]], steps: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each engine and T; engines that walk the data once per checkpoint get their missing T from T = 1."""
    floor = next(([{key: a[key] / _samples(trial.load) for key in ("seconds", "cpu_seconds")} for a in answers]
                  for trial, answers in measured if (trial.engine, trial.checkpoints) == ("plain", 1)), None)
    rows = []
    for trial, answers in measured:
        row = _row(trial, answers, floor)
        rows.append(row)
        there = {m.checkpoints for m, _ in measured if m.engine == trial.engine}
        if trial.checkpoints == 1 and trial.engine not in SHARED:
            rows += [_times(row, count) for count in steps if count not in there]
    return sorted(rows, key=lambda r: (ALL.index(r["engine"]), r["checkpoints"]))


def _samples(load: Load) -> int:
    return load.batch * load.batches


def _row(trial: Trial, answers: list[Answer], floor: list[dict[str, float]] | None) -> dict[str, Any]:
    """floor: seconds per sample of the plain pass, round by round."""
    load = trial.load
    count = _samples(load)
    rates = [count / a["seconds"] for a in answers]
    row = {"engine": trial.engine, "model": _title(load), "checkpoints": trial.checkpoints,
           "samples_per_s": median(rates), "slowest": min(rates), "fastest": max(rates),
           "cpu_seconds": median(a["cpu_seconds"] for a in answers) / count, "peak_mb": answers[-1]["peak_mb"],
           "layers": load.layers, "rounds": len(answers), "measured": True}
    for name, key in (("cost", "seconds"), ("cpu_cost", "cpu_seconds")):
        pairs = [a[key] / count / f[key] for a, f in zip(answers, floor or (), strict=False)]
        row[name] = median(pairs) if pairs else None
    row["share"] = row["cost"] and row["cost"] / trial.checkpoints
    return row


def _times(row: dict[str, Any], count: int) -> dict[str, Any]:
    """Row of T = `count` passes of an engine measured at one."""
    slower = {key: row[key] / count for key in ("samples_per_s", "slowest", "fastest")}
    longer = {key: row[key] and row[key] * count for key in ("cost", "cpu_cost", "cpu_seconds")}
    return row | slower | longer | {"checkpoints": count, "measured": False}


def _title(load: Load) -> str:
    return {"embedded": "embedded", "smolvlm": "smolvlm-256m", "llava": "llava-1.5-7b"}[load.model]


def describe(load: Load) -> str:
    """A model's line above its table."""
    pictures = {"embedded": "its own pool, 64 px pictures", "llava": "random weights, 336 px pictures",
                "smolvlm": f"real shape, random weights, {load.tiles} tile(s) of 512 px per picture (its own tiling of "
                           "a large picture: 17)"}[load.model]
    return (f"{_title(load)}: {pictures}; batch {load.batch} × {load.batches} per round, LoRA rank {load.rank} on all "
            f"language-model linears, last-k: k = {quarter(load.model)}; {load.vectors} target vectors ({load.units} "
            f"units × {load.singles} singles + means)")


def ratios(rows: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    """The comparisons that matter, of one model."""
    at = {(r["engine"], r["checkpoints"]): r for r in rows}

    def rate(engine: str, count: int) -> float | None:
        return at[engine, count]["samples_per_s"] if (engine, count) in at else None

    found = [(f"ours T={t} ÷ {t} plain pass(es), time", at[e, t]["share"]) for e, t in (("ours", 1), ("ours", 4))
             if (e, t) in at]
    found += [("ours last-k T=4 ÷ 4 plain passes, time", at[e, t]["share"]) for e, t in (("ours-last-k", 4),)
              if (e, t) in at]
    for engine, count in (("bergson", 1), ("dattri", 1), ("less", 1), ("bergson", 4), ("dattri", 4), ("less", 4)):
        ours, theirs = rate("ours", count), rate(engine, count)
        if ours and theirs:
            found.append((f"ours ÷ {engine} at T={count}, samples/s", ours / theirs))
    return [(what, value) for what, value in found if value is not None]


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown lines of one model's rows; they also read well on a terminal."""
    lines = [f"| {'engine':<12} | {'T':>2} | samples/s | {'spread':<15} | cost in plain passes | share |  by cpu | "
             "peak MiB |", "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        spread = f"{r['slowest']:.2f}–{r['fastest']:.2f}" if r["measured"] else "×"
        cost, share, cpu = (f"{v:.2f}" if v else "–" for v in (r["cost"], r["share"], r["cpu_cost"]))
        lines.append(f"| {r['engine']:<12} | {r['checkpoints']:>2} | {r['samples_per_s']:>9.2f} | {spread:<15} | "
                     f"{cost:>20} | {share:>5} | {cpu:>7} | {r['peak_mb']:>8} |")
    return lines


def machine(device: str, threads: int) -> dict[str, Any]:
    """Where and with what the numbers were made."""
    if device.startswith("cuda"):
        import torch

        name = torch.cuda.get_device_name()
    else:
        info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
        names = [line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")]
        name = names[0] if names else platform.processor() or platform.machine()
    return {"device": name, "cores": os.cpu_count(), "threads": threads, "load": os.getloadavg()[0],
            "date": date.today().isoformat(), "commit": commit(), "python": platform.python_version(),
            "versions": {package: _version(package) for package in PACKAGES}}


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def plan(chosen: argparse.Namespace) -> list[tuple[Load, Effort]]:
    """Loads and how long each is measured."""
    gpu = chosen.device.startswith("cuda")
    common = {"device": chosen.device, "threads": chosen.threads, "seed": chosen.seed}
    tiles = chosen.tiles or (17 if gpu or not chosen.quick else 2)
    loads = {"embedded": Load(model="embedded", batch=64, batches=8 if gpu else 2, **common),
             "smolvlm": Load(model="smolvlm", batch=chosen.batch or (16 if gpu else 4), tiles=tiles,
                             units=20 if gpu else 10, singles=32 if gpu else 8, **common),
             "llava": Load(model="llava", batch=8, singles=4, units=8, **common)}
    if chosen.targets:
        units, singles = (int(word) for word in chosen.targets.split("x"))
        loads = {name: replace(load, units=units, singles=singles) for name, load in loads.items()}
    effort = {"embedded": Effort(rounds=chosen.rounds or 5, seconds=100, derived=False),
              "smolvlm": Effort(rounds=chosen.rounds or (3 if chosen.quick else 5),
                                seconds=560 if chosen.quick else 1e9, derived=chosen.quick),
              "llava": Effort(rounds=chosen.rounds or 5, seconds=1e9, derived=True)}
    return [(loads[name], effort[name]) for name in chosen.models]


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was asked on the command line. Raises DataError for an engine whose packages are not installed."""
    parser = argparse.ArgumentParser(prog="benchmarks.gradients", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two tiles a picture, three rounds: ≤ 12 min on two cores")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", default="", help="comma-separated: embedded, smolvlm, llava (GPU only)")
    parser.add_argument("--engines", default=",".join(ALL))
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="torch threads of each engine")
    parser.add_argument("--tiles", type=int, default=0, help="tiles of a picture (default: 17; with --quick 2)")
    parser.add_argument("--batch", type=int, default=0, help="samples of a batch of the real shape")
    parser.add_argument("--targets", default="", help="UNITSxSINGLES (default: 20x32; the real shape on a CPU 10x8)")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--markdown", type=Path, help="write the tables here, as they stand in benchmarks/RESULTS.md")
    chosen = parser.parse_args(arguments)
    gpu = chosen.device.startswith("cuda")
    chosen.models = [m for m in chosen.models.split(",") if m] or ["embedded", "smolvlm"] + (["llava"] if gpu else [])
    chosen.engines = chosen.engines.split(",")
    if unknown := {*chosen.models} - {"embedded", "smolvlm", "llava"} | {*chosen.engines} - {*ALL}:
        parser.error(f"not known: {', '.join(sorted(unknown))}")
    if "llava" in chosen.models and not gpu:
        parser.error("llava has 7 billion weights: give it a GPU (--device cuda)")
    check_installed(chosen.engines)
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print tables and ratios, then one JSON line."""
    with one_line("gradients"):
        chosen = read_arguments(arguments)
    facts = machine(chosen.device, chosen.threads)
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    lines = [f"{facts['date']}, commit {facts['commit']}: {facts['device']}, {facts['cores']} cores, "
             f"{facts['threads']} thread(s) per engine, load {facts['load']:.1f} at the start; Python "
             f"{facts['python']}, {versions}."]
    print(lines[0], flush=True)
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    loads: list[dict[str, Any]] = []
    for load, effort in plan(chosen):
        with shared_weights(load) as ready:
            measured, said = measure(trials(ready, chosen.engines, STEPS, effort.derived), effort)
        part = rows_of(measured, STEPS)
        shown = ["", describe(load), "", *table(part), ""]
        shown += [f"* {what}: {value:.2f}" for what, value in ratios(part)] + [f"* {note}" for note in said]
        print("\n".join(shown), flush=True)
        rows, notes, lines, loads = rows + part, notes + said, lines + shown, [*loads, asdict(load)]
    seconds = round(time.monotonic() - began)
    report = {"benchmark": "gradients", "rows": rows, **facts, "loads": loads, "notes": notes, "quick": chosen.quick,
              "seconds": seconds}
    if chosen.markdown:
        chosen.markdown.write_text("\n".join([*lines, "", f"The run took {seconds} s."]) + "\n", encoding="utf-8")
    tell(report, chosen.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
