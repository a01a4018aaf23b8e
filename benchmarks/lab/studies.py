"""Studies that benchmarks measure: the embedded default, other generated pools, and their jobs run to the end."""

from datetime import datetime
from pathlib import Path
from typing import Any

from cadc.errors import JobError
from cadc.study import Study, StudyConfig, cache_root

QUICK_POOL = 2000
MASTERED = ("die_number", "die_count_letter", "dice_word", "blob_colour_word", "blob_shape_yesno", "blob_size_word",
            "blobs_letter", "spots_word")
"""Kinds that the untrained base answers well: half of the fourth pool's target."""
UNLEARNT = ("digit_number", "table_word", "bars_number", "scatter_letter", "outline_word", "relation_yesno",
            "sequence_word", "compare_word")
MIXES: dict[str, dict[str, Any]] = {
    "second": {"seed": 1, "off_target": 0.45, "wrong": 0.15, "duplicate": 0.10, "off_topic": 0.10, "zipf": 1.3},
    "third": {"seed": 2, "off_target": 0.25, "wrong": 0.05, "duplicate": 0.20, "off_topic": 0.25, "zipf": 0.8},
    "fourth": {"seed": 3, "off_target": 0.40, "wrong": 0.15, "duplicate": 0.0, "off_topic": 0.10, "zipf": 1.0,
               "units": (*MASTERED, *UNLEARNT), "easy": MASTERED, "easy_share": 0.65, "near_miss": True,
               "strays": ("digit_colour_word", "outline_colour_word", "outline_colour_letter", "compare_count_number",
                          "bars_count_letter", "tallest_word", "tallest_yesno", "clock_number", "fence_letter",
                          "total_number")},
}
"""Other generated pools: other rows, other families frequent, other shares of junk (docs/demo.md has the default's, and
why the fourth is as it is)."""


def make_study(root: Path | None, *, quick: bool, pool: str = "") -> Study:
    """The embedded default in a cache, drawn anew when it is not there; quick: a smaller pool of the same mixture;
    pool: one of `MIXES`."""
    from cadc.demo import MODEL_DIR, PoolMix, write_mix
    from cadc.demo.run import IN_GRADIENTS, PER_UNIT, demo_study

    if not quick and not pool:
        return demo_study(root)
    name = "-".join(["demo", *filter(None, [pool, "quick" if quick else ""])])
    mix = PoolMix(**MIXES.get(pool, {}) | {"per_unit": PER_UNIT} | ({"size": QUICK_POOL} if quick else {}))
    files = write_mix(cache_root(root) / name, mix)
    config = StudyConfig(pool=str(files.pool), target=str(files.target), images=str(files.images), unit_column="task",
                         model=str(MODEL_DIR), samples_per_unit=IN_GRADIENTS)
    return create(name, config, root)


def create(name: str, config: StudyConfig, root: Path | None) -> Study:
    """Register a study, or find the one that asks the same."""
    return Study.create(name, config, created=datetime.now().isoformat(timespec="seconds"), root=root)


def finish(study: Study, workers: int, until: str = "") -> None:
    """Run what is missing of the study up to `until` ('': all that its pages need), in this process. Raises JobError
    when a job failed or was stopped, BusyError while another process works on it."""
    from cadc.jobs.control import worker_lock

    if not (study.finished(until) if until else study.complete):
        with worker_lock(study):
            _run(study, until, workers)


def warm_up(study: Study) -> Study:
    """The same study, its warm-up done. Raises JobError when that failed or was stopped."""
    _run(study, "warmup", 1)
    return study


def _run(study: Study, until: str, workers: int) -> None:
    """Every job up to `until` ('': all that its pages need)."""
    from cadc.jobs import control as jobs
    from cadc.jobs.engines import EngineSettings
    from cadc.jobs.worker import run

    if not run(study, until, EngineSettings(workers=workers)):
        failed = [s for s in jobs.statuses(study) if s.state == "failed"]
        raise JobError(f"job {failed[0].job} of study {study.name!r} failed: {failed[0].message}" if failed else
                       f"study {study.name!r} was stopped. Run the benchmark again to go on from there.")
