"""The whole study on the embedded default: what `make demo` runs."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from cadc.errors import JobError
from cadc.study import JOBS, Study, StudyConfig, as_asked_before, cache_root, identity_of

BUDGET = "5%"
PER_UNIT = 64
"""Target samples drawn for each unit."""
IN_GRADIENTS = 40
"""Of these so many enter the target gradients; the others are held out for evaluation."""


def demo_study(root: Path | None = None, *, name: str = "demo", **settings: str | float) -> Study:
    """Write the embedded pool and target (once) and register the study on them; settings are StudyConfig fields."""
    from cadc.demo import MODEL_DIR, write_demo

    files = write_demo(cache_root(root) / "demo", per_unit=PER_UNIT)
    given: dict[str, Any] = {"pool": str(files.pool), "target": str(files.target), "images": str(files.images),
                             "unit_column": "task", "model": str(MODEL_DIR), "samples_per_unit": IN_GRADIENTS,
                             **settings}
    config = StudyConfig(**given)
    identity = identity_of(config, cache_root(root))[0]
    if name in Study.names(root) and (taken := Study.open(name, root=root).identity) != identity:
        if as_asked_before(config, taken, cache_root(root)) is config:
            name = f"{name}-{identity[:6]}"  # made by another version: it keeps its name and its results
    return Study.create(name, config, created=datetime.now().isoformat(timespec="seconds"), root=root)


def run_demo(follow: Callable[[Study], bool], *, workers: int | None = None, preset: str = StudyConfig.preset) -> dict:
    """Generate, run all jobs that this preset's study has, export the 5 % curriculum; the summary that `make demo`
    prints, with the seconds of every job.

    follow: watches the jobs of a study until they end; whether all are done.

    Raises JobError when a job did not finish. What is already there is not computed again.
    """
    from cadc.curation.workbench import open_workbench
    from cadc.export import export
    from cadc.jobs import control as jobs

    began = time.perf_counter()
    study = demo_study() if preset == StudyConfig.preset else demo_study(name=f"demo-{preset}", preset=preset)
    seconds = {"generate": round(time.perf_counter() - began, 1)}
    if not study.complete:
        if not jobs.is_running(study):
            jobs.start(study, workers=workers)
        if not follow(study):
            raise JobError("the demo did not finish; run it again to go on from there, "
                           f"or see `python -m cadc status {study.name}`.")
    seconds |= {s.job: round(s.seconds, 1) for s in jobs.statuses(study) if JOBS[s.job].core and s.state == "done"}
    began = time.perf_counter()
    bench = open_workbench(study).with_settings(budget=BUDGET)
    done = export(bench, cache_root() / "exports" / study.name, format="trl", by="demo")
    seconds["export"] = round(time.perf_counter() - began, 1)
    report = json.loads(study.ingest_report.read_text())
    return {"study": study.name, "preset": bench.settings.preset, "pool": report["pool"]["accepted"],
                      "set_aside": report["pool"]["set_aside_count"], "units": len(bench.scores.units),
                      "capabilities": len(bench.capabilities.ids), "curriculum": done.rows,
                      "file": str(done.files[0]), "seconds": seconds}
