"""How long a person waits at the size of a real pool, on synthesised scores.

python -m benchmarks.interactive --rows 665000 --json FILE

Random numbers of the right shapes, memory-mapped as in a study; nothing about quality can be learnt from them. Three
parts: what the server computes for one gesture (`relabel_s`, `budget_s`, `rows_s`, `export_s`: medians of 5); what a
person sees in a real browser, from the gesture to the changed picture (`seen`), and from an address to a page's first
content (`pages`), with what the server holds and sends; and, with `--arrays`, the interactions one by one on arrays
alone. `first` includes what is computed once per study. Of more than two million rows the first part alone is measured,
on fewer units and checkpoints unless these are named, and on a study whose pool no ingest has read (`synthesise`).
"""

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.lab.large import server_half
from benchmarks.lab.report import commit, tell
from benchmarks.lab.seen import browser_half
from benchmarks.synthesise import synthesise as write_study
from cadc.curation import CurationSettings
from cadc.curation.workbench import Workbench
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.store import Store
from cadc.study import Study, StudyConfig

CAPABILITIES = 8
REPEATS = 5
MOST = 2_000_000
"""Rows that ingest reads and a browser is opened on; it would hold the texts of more in memory all at once."""
USUAL, FEWER = {"units": 162, "checkpoints": 4}, {"units": 16, "checkpoints": 2}
"""Of a study of up to `MOST` rows, and of more: ten million rows take 0.6 kB each then, not 8."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Shape of the synthesised study."""

    rows: int
    units: int
    checkpoints: int
    per_unit: int
    best: int
    seed: int


def synthesise(folder: Path, size: Size) -> tuple[Scores, pd.DataFrame, pd.DataFrame]:
    """Scores mapped from files in `folder`, pool rows and target rows."""
    rng, n, m, t = np.random.default_rng(size.seed), size.rows, size.units, size.checkpoints
    s, group = m * size.per_unit, np.arange(m) % CAPABILITIES
    family = rng.integers(0, 3 * CAPABILITIES, n)  # a third of the rows lean to a capability, the rest to none

    def mapped(name: str, shape: tuple[int, ...], kind: type) -> np.ndarray:
        return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape)

    dots, near = mapped("dots", (t, m, n), np.float32), mapped("near", (m, n), np.float32)
    winner, best_index = mapped("winner", (m, n), np.int32), mapped("best_index", (s, size.best), np.int32)
    best_value = mapped("best_value", (s, size.best), np.float32)
    for unit in range(m):
        lean = (family == group[unit]).astype(np.float32)
        for c in range(t):
            dots[c, unit] = 0.1 * rng.standard_normal(n, np.float32) + 0.2 * lean
        near[unit] = 0.05 * rng.standard_normal(n, np.float32) + 0.2 * lean + 0.1
        winner[unit] = rng.integers(0, size.per_unit, n, np.int32) + unit * size.per_unit
        top = np.argpartition(-near[unit], min(8 * size.best, n - 1))[: 8 * size.best]
        for sample in range(unit * size.per_unit, (unit + 1) * size.per_unit):
            rows = rng.choice(top, min(size.best, len(top)), replace=False)
            value = near[unit, rows] + 0.02 * rng.standard_normal(len(rows), np.float32)
            order = np.argsort(-value, kind="stable")
            best_index[sample, : len(rows)], best_value[sample, : len(rows)] = rows[order], value[order]
            best_index[sample, len(rows):] = -1
    del dots, near, winner, best_index, best_value  # written
    base = np.eye(m, dtype=np.float32) + 0.5 * (group[:, None] == group[None, :]).astype(np.float32)
    fall = np.linspace(1.5, 0.5, t, dtype=np.float32)
    scores = Scores(
        index=np.arange(n), eta=np.linspace(3e-3, 1e-3, t, dtype=np.float32), near=_open(folder, "near"),
        dots=_open(folder, "dots"), dots_grounded=np.empty((0, m, n), np.float32), winner=_open(folder, "winner"),
        loss=rng.gamma(2.0, 1.0, (n, 1)).astype(np.float32) * fall, tokens=np.ones(n, np.int32),
        gradient_norm=rng.gamma(3.0, 1.0, (n, 1)).astype(np.float32) * fall,
        feature_norm=np.ones((n, t), np.float32), best_index=_open(folder, "best_index"),
        best_value=_open(folder, "best_value"), gram=np.repeat(base[None], t, 0),
        gram_grounded=np.empty((0, m, m), np.float32), sample_gram=np.empty((t, 0, 0), np.float32),
        sample_unit=np.repeat(np.arange(m, dtype=np.int32), size.per_unit), sample_index=np.arange(s),
        units=tuple(f"unit {i}" for i in range(m)))
    pool = pd.DataFrame(
        {
            "index": np.arange(n),
            "id": pd.RangeIndex(n).astype(str),
            "group": rng.integers(0, int(0.9 * n), n),
            "source": np.array(["coco", "gqa", "ocr", "text", "vg"], object)[family % 5],
        }
    )
    return scores, pool, pd.DataFrame({"index": np.arange(s), "id": [f"t{i}" for i in range(s)]})


def _open(folder: Path, name: str) -> np.ndarray:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def measure(scores: Scores, pool: pd.DataFrame, targets: pd.DataFrame) -> list[dict[str, Any]]:
    """Seconds of each interaction: first time and median of the repetitions."""
    columns = InfluenceColumns(scores)
    study: Any = SimpleNamespace(name="synthetic", identity="synthetic", inputs={}, finished=lambda job: False,
                                 config=StudyConfig(pool="", target="", model="", nearness="gradients", judges=0))
    found = SimpleNamespace(kind="discover", payload={"method": "leiden", "tau": 0.1})

    def bench(moves: int, **settings: Any) -> Workbench:
        events = [found, *(SimpleNamespace(kind="move", payload={"unit": f"unit {i}", "to": f"c{i % 2 + 1}"})
                           for i in range(2, 2 + moves))]
        chosen = CurationSettings.of_preset(settings.pop("preset", "studio"), **settings)
        return Workbench(study, scores, pool, targets, events, columns, chosen)

    def repool(i: int) -> None:
        now = bench(i)
        assert len(now.flows) and now.inputs.self_mean.shape[0]

    everything = {
        "find capabilities (Leiden)": lambda i: bench(0).capabilities,
        "move a unit → influence, studio": lambda i: bench(i).influence,
        "move a unit → influence, paper": lambda i: bench(i, preset="paper").influence,
        "pools, Sankey, self-influence": repool,
        "reasons of 50 rows": lambda i: bench(REPEATS).served(np.arange(50) * 7 + i),
        "budget slider → curriculum, studio": lambda i: bench(0, budget=0.05 + 0.005 * i).curriculum,
        "budget slider → curriculum, paper": lambda i: bench(0, preset="paper", budget=0.05 + 0.005 * i).curriculum,
        "share slider → curriculum, studio": lambda i: bench(0, rule="manual", shares={
            c: 1 + i * (c == "c1") for c in bench(0).capabilities.ids}).curriculum,
        "options → curriculum, studio": lambda i: bench(0, source_cap=9000 + i, random_share=0.1).curriculum,
        "move a unit → curriculum, studio": lambda i: bench(i + REPEATS + 1).curriculum,
        "move a unit → curriculum, paper": lambda i: bench(i + REPEATS + 1, preset="paper").curriculum,
    }
    return [{"what": what, **_timed(act)} for what, act in everything.items()]


def _timed(act: Callable[[int], object]) -> dict[str, float]:
    seconds, busy = [], []
    for i in range(REPEATS + 1):
        began, spent = time.perf_counter(), time.process_time()
        act(i)
        seconds.append(time.perf_counter() - began)
        busy.append(time.process_time() - spent)
    return {"first": round(seconds[0], 3), "median": round(median(seconds[1:]), 3),
            "worst": round(max(seconds[1:]), 3), "cpu": round(median(busy[1:]), 3)}


def large_study(root: Path, size: Size) -> Study:
    """The synthesised study of this size below a cache root; made where it is not there yet."""
    name = f"large-{size.rows}-{size.units}-{size.checkpoints}-{size.per_unit}-{size.seed}"
    if name in Study.names(root):
        return Study.open(name, root=root)
    return write_study(root, rows=size.rows, units=size.units, checkpoints=size.checkpoints,
                       samples_per_unit=size.per_unit, seed=size.seed, name=name, read=size.rows <= MOST)


def on_arrays(size: Size, folder: Path | None) -> dict[str, Any]:
    """Every interaction one by one, without a study on disk."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        began = time.perf_counter()
        scores, pool, targets = synthesise(Path(scratch), size)
        print(f"synthesised in {time.perf_counter() - began:.0f} s")
        table = measure(scores, pool, targets)
    print(f"{'seconds':<38}{'first':>8}{'median':>8}{'worst':>8}{'cpu':>8}")
    for row in table:
        print(f"{row['what']:<38}{row['first']:>8.3f}{row['median']:>8.3f}{row['worst']:>8.3f}{row['cpu']:>8.3f}")
    by = {row["what"]: row["median"] for row in table}
    return {"seconds": table, "relabel_s": by["pools, Sankey, self-influence"],
            "budget_s": by["budget slider → curriculum, studio"]}


def on_a_study(size: Size, cache: Path, *, browser: bool) -> dict[str, Any]:
    """The server's half and the browser's, on a study on disk."""
    began = time.perf_counter()
    study = large_study(cache, size)
    made = time.perf_counter()
    store = Store(cache)
    store.load_study(study)
    loaded = time.perf_counter()
    try:
        server = server_half(study, store)
    finally:
        store.close()  # the app is to have it
    found: dict[str, Any] = {f"{name}_s": seconds["median"] for name, seconds in server.items()}
    found |= {"server": server, "made_s": round(made - began, 1), "loaded_s": round(loaded - made, 1)}
    print(f"study made or found in {found['made_s']:.0f} s, loaded into the database in {found['loaded_s']:.0f} s")
    if browser:
        found |= browser_half(cache, study.name)
    for part in ("server", "seen", "pages"):
        print(f"{part:<16}{'first':>8}{'median':>8}{'p95':>8}")
        for name, seconds in found.get(part, {}).items():
            print(f"  {name:<14}{seconds['first']:>8.3f}{seconds['median']:>8.3f}{seconds['p95']:>8.3f}")
    return found


def main() -> None:
    """Synthesise, measure, print tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for option, value in (("rows", 665_000), ("per-unit", 20), ("best", 256), ("seed", 0)):
        parser.add_argument(f"--{option}", type=int, default=value)
    for option, value in USUAL.items():
        parser.add_argument(f"--{option}", type=int, help=f"default: {value}; {FEWER[option]} above {MOST:,} rows")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="cache root in which the study stays, so that the "
                        "next run need not make it; default: a temporary folder")
    parser.add_argument("--arrays", action="store_true", help="the interactions one by one, without a study or browser")
    parser.add_argument("--no-browser", action="store_true", help="the server's half alone")
    parser.add_argument("--json", type=Path, help="also write the JSON line to this file")
    chosen = parser.parse_args()
    usual = USUAL if chosen.arrays or chosen.rows <= MOST else FEWER
    size = Size(rows=chosen.rows, units=chosen.units or usual["units"], best=chosen.best, seed=chosen.seed,
                checkpoints=chosen.checkpoints or usual["checkpoints"], per_unit=chosen.per_unit)
    if usual is FEWER:
        print(f"more than {MOST:,} rows: {size.units} units × {size.checkpoints} checkpoints, no ingest, no browser")
    if chosen.arrays:
        found = on_arrays(size, chosen.cache)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            cache = (chosen.cache or Path(scratch)).resolve()
            cache.mkdir(parents=True, exist_ok=True)
            found = on_a_study(size, cache, browser=not chosen.no_browser and size.rows <= MOST)
    report = {"benchmark": "interactive", **vars(size), "capabilities": CAPABILITIES, "cores": os.cpu_count(),
              "machine": platform.machine(), "load": os.getloadavg()[0], "python": platform.python_version(),
              "numpy": np.__version__, "pandas": pd.__version__, "commit": commit(),
              "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, **found}
    print(f"{size.rows:,} rows × {size.units} units × {size.checkpoints} checkpoints, {report['cores']} cores at load "
          f"{report['load']:.1f}, seed {size.seed}, commit {report['commit']}")
    tell(report, chosen.json)


if __name__ == "__main__":
    main()
