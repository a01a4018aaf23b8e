"""How much of the planted truth do discovery and curation recover? `python -m benchmarks.recovery --json FILE`.

Runs the embedded default (or takes a finished study of it) and compares with the generator's ground truth: whether the
similarity of gradients predicts measured transfer, whether maps show skills or answer formats, whether influence finds
junk, and what is left of it in each preset's curriculum; beside the cheap controls (words, pictures, embeddings) by the
same rules. Prints tables, then one line of JSON. docs/evaluation.md explains every number.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lab import discovery
from benchmarks.lab.discovery_tables import show_discovery
from benchmarks.lab.report import Clock, about, one_line, plain, tell
from benchmarks.lab.studies import QUICK_POOL, create, finish, make_study, warm_up
from cadc.study import Study, cache_root

if TYPE_CHECKING:
    from cadc.discovery.intervention import TransferSettings

MEASURED = ("transfer",)
"""Jobs that a study does on request only, whose results the maps are drawn from."""
FRESH_SEED = 99
"""Seed of rows that neither the pool nor the target holds, for the intervention."""


def fresh_rows(study: Study, root: Path | None, per_unit: int) -> Study:
    """The same pool, model and settings with new rows of the same units as target, its warm-up done.

    The units' own 40 samples are too few to train on: the adapter memorises them, and nothing is left to transfer. Same
    pool and seed, so the warm-up gives the same checkpoints.
    """
    from cadc.demo import PoolMix, write_mix

    name = f"{study.name}-fresh"
    files = write_mix(cache_root(root) / name, PoolMix(seed=FRESH_SEED, per_unit=per_unit, size=100))
    config = replace(study.config, target=str(files.target), images="")
    return warm_up(create(name, config, root))


def intervention(steps: int) -> "TransferSettings":
    """How the embedded default's intervention is made."""
    from cadc.discovery.intervention import TransferSettings

    return TransferSettings(checkpoint=1, steps=steps, batch=32, learning_rate=2e-3, samples=320, repeats=1)


def measure(study: Study, fresh: Study, steps: int, clock: Clock) -> dict[str, Any]:
    """Everything, as the JSON line has it. steps: of the intervention on each unit."""
    from cadc.evaluation.material import provide
    from cadc.study import JOBS
    from cadc.study.progress import Silent

    folder = Path(study.config.pool).parent
    planted = discovery.read_planted(study, folder / "truth_pool.jsonl", folder / "truth_target.jsonl")
    for job in MEASURED:
        if job in JOBS:
            provide(study, job, Silent())
    clock.lap("signals")
    similar = discovery.similarities(planted)
    maps = discovery.maps_part(similar, planted.truth)
    clock.lap("maps")
    transfer = discovery.transfer_part(fresh, planted.scores.units, similar, planted.truth, intervention(steps))
    clock.lap("transfer")
    aucs, curriculum = discovery.auc_part(planted), discovery.curriculum_part(planted)
    clock.lap("junk")
    return {"transfer": transfer, "maps": maps, **aucs, "curriculum": curriculum,
            "skills": list(planted.truth.skills), "formats": list(planted.truth.formats),
            "rows": len(planted.scores.index), "study": study.name, "identity": study.identity,
            "seed": study.config.seed}


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.recovery`."""
    parser = argparse.ArgumentParser(prog="benchmarks.recovery", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    parser.add_argument("--study", metavar="NAME", help="a study of a generated pool instead of the embedded default")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where studies are kept (default: as the app)")
    parser.add_argument("--quick", action="store_true", help=f"a pool of {QUICK_POOL} rows and a shorter intervention")
    parser.add_argument("--fresh", type=int, metavar="N", help="fresh rows of each unit (default: 320, --quick: 96)")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of the intervention (default: 24, --quick: 12)")
    parser.add_argument("--workers", type=int, default=2, help="processes for the pool pass")
    chosen = parser.parse_args(arguments)
    from transformers.utils import logging as transformers_logging

    logging.basicConfig(level=logging.WARNING)
    transformers_logging.disable_progress_bar()
    clock = Clock()
    with one_line("recovery"):
        if chosen.study:
            study = Study.open(chosen.study, root=chosen.cache)
        else:
            study = make_study(chosen.cache, quick=chosen.quick)
        finish(study, chosen.workers)
        clock.lap("study")
        finish(study, chosen.workers, "transfer")
        clock.lap("transfer of the study's own samples")
        fresh = fresh_rows(study, chosen.cache, chosen.fresh or (96 if chosen.quick else 320))
        clock.lap("fresh rows")
        result = measure(study, fresh, chosen.steps or (12 if chosen.quick else 24), clock)
    result = plain(result | {"quick": chosen.quick, "seconds": clock.stop()} | about())
    show_discovery(result)
    tell(result, chosen.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
