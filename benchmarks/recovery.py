"""How much of the planted truth do discovery and curation recover? `python -m benchmarks.recovery --json FILE`.

Runs the embedded default (or takes a finished study of it) and compares with the generator's ground truth: whether the
similarity of gradients predicts measured transfer, whether maps show skills or answer formats, whether influence finds
junk, and what is left of it in each preset's curriculum; beside the cheap controls (words, pictures, embeddings) by the
same rules. Prints tables, then one line of JSON. docs/evaluation.md explains every number.
"""

import argparse
import json
import logging
import platform
import subprocess
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.controls import best_unit, near_columns, unit_similarity
from benchmarks.truth import Truth, junk_auc, junk_shares, read_truth, twin_auc
from cadc.errors import CadcError
from cadc.study import Study, StudyConfig, cache_root, write_json

BUDGET = "5%"
QUICK_POOL = 2000


@dataclass
class Clock:
    """Wall seconds of each part."""

    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Everything since the last lap belongs to `name`."""
        now = time.perf_counter()
        self.seconds[name], self.began = round(now - self.began, 1), now


MIXES: dict[str, dict[str, Any]] = {
    "second": {"seed": 1, "off_target": 0.45, "wrong": 0.15, "duplicate": 0.10, "off_topic": 0.10, "zipf": 1.3},
    "third": {"seed": 2, "off_target": 0.25, "wrong": 0.05, "duplicate": 0.20, "off_topic": 0.25, "zipf": 0.8},
}
"""Other generated pools: other rows, other families frequent, other shares of junk (docs/demo.md has the default's)."""


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
    return Study.create(name, config, created=datetime.now().isoformat(timespec="seconds"), root=root)


def finish(study: Study, workers: int) -> None:
    """Run what is missing of the study, in this process; raises what a job raises."""
    from cadc.jobs import control as jobs
    from cadc.jobs.engines import EngineSettings
    from cadc.jobs.worker import run

    if not jobs.finished(study):
        with jobs.worker_lock(study):
            if not run(study, jobs.CORE_JOBS[-1], EngineSettings(workers=workers)):
                failed = [s for s in jobs.statuses(study) if s.state == "failed"]
                raise SystemExit(f"recovery: job {failed[0].job} failed: {failed[0].message}" if failed else "stopped")


FRESH_SEED = 99
"""Seed of rows that neither the pool nor the target holds, for the intervention."""


def fresh_rows(study: Study, root: Path | None, *, quick: bool) -> Study:
    """The same pool, model and settings with new rows of the same units as target, its warm-up done.

    The units' own 40 samples are too few to train on: the adapter memorises them, and nothing is left to transfer. Same
    pool and seed, so the warm-up gives the same checkpoints.
    """
    from cadc.demo import PoolMix, write_mix
    from cadc.jobs.engines import EngineSettings
    from cadc.jobs.worker import run

    name = f"{study.name}-fresh"
    files = write_mix(cache_root(root) / name, PoolMix(seed=FRESH_SEED, per_unit=96 if quick else 320, size=100))
    config = replace(study.config, target=str(files.target), images="")
    made = Study.create(name, config, created=datetime.now().isoformat(timespec="seconds"), root=root)
    if not run(made, "warmup", EngineSettings(workers=1)):
        raise SystemExit("recovery: the warm-up for the intervention failed; see its log")
    return made


def intervention(*, quick: bool) -> Any:
    """How the embedded default's intervention is made."""
    from cadc.discovery.intervention import TransferSettings

    return TransferSettings(steps=12 if quick else 24, batch=32, learning_rate=2e-3, samples=320, repeats=1)


def transfer_part(study: Study, units: tuple[str, ...], similar: dict[str, np.ndarray], truth: Truth,
                  settings: Any) -> dict[str, Any]:
    """Measured transfer from θ_t against each similarity [M, M], and against planted skills and formats.

    settings: a `TransferSettings`.
    """
    from cadc.discovery.intervention import measure_transfer
    from cadc.discovery.transfer import spearman_with, within_between

    found = measure_transfer(study, settings)
    if found.units != units:
        raise SystemExit("recovery: the fresh rows have other units than the target, or name them in another order")
    tr = found.matrix
    scores = {name: spearman_with(s, tr) for name, s in similar.items()}
    skill, form = (within_between(tr, labels) for labels in (truth.skill, truth.format))
    names = ("within", "between", "p", "auc")
    return {"spearman": scores["plain"][0], "spearman_p": scores["plain"][1], "pairs": scores["plain"][2],
            "spearman_of": {name: value[0] for name, value in scores.items()},
            "skill": dict(zip(names, skill, strict=True)), "format": dict(zip(names, form, strict=True)),
            "checkpoint": settings.checkpoint, "steps": settings.steps, "repeats": settings.repeats,
            "own_drop": np.round(np.diag(found.drop), 3).tolist(), "units": list(found.units),
            "matrix": np.round(tr, 3).tolist()}


def similarities(study: Study, scores: Any, truth: Truth, embedded: np.ndarray) -> dict[str, np.ndarray]:
    """S [M, M] of every signal: plain and grounded gradients, question words, pictures (where any), embeddings."""
    from cadc.data import open_images, read_samples
    from cadc.discovery.rivals import picture_features, pictures_similarity, words_similarity
    from cadc.discovery.similarity import similarity

    by_index = {s.index: s for s in read_samples(study.samples_file("target"))}
    samples = [by_index[int(i)] for i in scores.sample_index]
    units = len(scores.units)
    looks = []
    for sample in samples:
        images = open_images(sample, study.image_root("target"), study.ingest_images("target"))
        looks.append(picture_features(images[0]) if images else None)
    found = {"plain": similarity(scores.gram, scores.eta)}
    if scores.has_grounded:
        found["grounded"] = similarity(scores.gram_grounded, scores.eta)
    found["words"] = words_similarity([s.question for s in samples], scores.sample_unit, units)
    if wide := max((len(look) for look in looks if look is not None), default=0):
        features = np.stack([np.full(wide, np.nan) if look is None else look for look in looks])
        found["pictures"] = pictures_similarity(features, scores.sample_unit, units)
    return found | {"embedding": unit_similarity(embedded, scores.sample_unit, units)}


def maps_part(similar: dict[str, np.ndarray], truth: Truth) -> list[dict[str, Any]]:
    """Adjusted Rand index to planted skill and to answer format of every map; a unit left alone counts as its own."""
    from sklearn.metrics import adjusted_rand_score

    from cadc.discovery.partition import apart, automatic, hdbscan_umap

    rows = []
    for signal, s in similar.items():
        for cluster, part in (("leiden", automatic(s)), ("hdbscan", hdbscan_umap(s))):
            labels = apart(part.labels)
            rows.append({"signal": signal, "cluster": cluster,
                         "ari_skill": float(adjusted_rand_score(truth.skill, labels)),
                         "ari_format": float(adjusted_rand_score(truth.format, labels)),
                         "k": part.k, "unassigned": int((part.labels < 0).sum())})
    return rows


def auc_part(study: Study, scores: Any, truth: Truth, pool_rows: np.ndarray, target_rows: np.ndarray) -> dict[str, Any]:
    """How well each signal, by the same rule (z-scored near(z, s), best unit), finds each kind of junk."""
    from cadc.data import read_samples
    from cadc.scores.influence import InfluenceColumns
    from cadc.signals.joined import gradients_alone, is_combined
    from cadc.signals.similarity import word_features

    units, q = len(scores.units), study.config.near_q
    texts = []
    for role, index in (("pool", scores.index), ("target", scores.sample_index)):
        by_index = {s.index: f"{s.question} {s.answer}" for s in read_samples(study.samples_file(role))}
        texts.append([by_index[int(i)] for i in index])
    near = {"gradients": np.asarray(gradients_alone(study).near),
            "words": near_columns(*word_features(*texts), scores.sample_unit, units, q),
            "embedding": near_columns(pool_rows, target_rows, scores.sample_unit, units, q)}
    twins = {name: twin_auc(columns, scores.units, truth.pool, _twins(scores.units)) for name, columns in near.items()}
    aucs = {name: junk_auc(best_unit(columns), truth.pool) for name, columns in near.items()}
    raw = {name: junk_auc(best_unit(columns, standardise=False), truth.pool) for name, columns in near.items()}
    nearest = InfluenceColumns(scores).nearest()
    loss = np.asarray(scores.loss)[:, -1]
    power = np.log(np.maximum(np.asarray(scores.gradient_norm, np.float64) ** 2, 1e-20))
    change = power[:, -1] - power[:, 0]
    measured = {"loss": -loss, "loss_in_unit": -_rank_inside(loss, nearest), "self_change": -change,
                "self_change_in_unit": -_rank_inside(change, nearest)}
    if scores.has_out_of_fold:
        held_out = np.asarray(scores.out_of_fold_loss)
        measured |= {"crossfit": -held_out, "crossfit_in_unit": -_rank_inside(held_out, nearest)}
    if is_combined(study):
        near["gradients + embedding"] = np.asarray(scores.near)
    own = truth.pool["unit"].map({name: m for m, name in enumerate(scores.units)}).to_numpy()
    asked = truth.pool["on_target"].to_numpy(bool)
    return {"auc": aucs["gradients"], "auc_words": aucs["words"], "auc_embedding": aucs["embedding"],
            "auc_raw": raw,
            "twins": {name: {"mean": float(np.nanmean(list(pairs.values()))) if pairs else float("nan")} | pairs
                      for name, pairs in twins.items()},
            "wrong_by": {name: junk_auc(value, truth.pool)["wrong"] for name, value in measured.items()},
            "own_unit": {name: float(np.mean(_standard(columns).argmax(axis=0)[asked] == own[asked]))
                         for name, columns in near.items()}}


def _twins(units: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of the generator whose first kind is a unit of this target."""
    from cadc.demo.kinds import TWINS

    return tuple(pair for pair in TWINS if pair[0] in units)


def _standard(near: np.ndarray) -> np.ndarray:
    """Columns of near z-scored over the pool: [M, N]."""
    return (near - near.mean(axis=1, keepdims=True)) / np.maximum(near.std(axis=1, keepdims=True), 1e-12)


def _rank_inside(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rank of each value among those of its group, 0 … 1."""
    from scipy.stats import rankdata

    out = np.zeros(len(values))
    for name in np.unique(group):
        own = group == name
        out[own] = (rankdata(values[own]) - 0.5) / own.sum()
    return out


def curriculum_part(study: Study, truth: Truth) -> dict[str, dict[str, float]]:
    """Junk in the pool and in the 5 % curriculum of each preset, with the default settings of that preset."""
    from cadc.curation.workbench import open_workbench, with_settings

    found = {"pool": junk_shares(truth.pool, np.arange(len(truth.pool)))}
    bench = open_workbench(study)
    for preset in ("studio", "paper"):
        rows = with_settings(bench, preset=preset, budget=BUDGET).curriculum.rows["position"].to_numpy(np.int64)
        units = truth.pool.iloc[np.unique(rows)]["unit"].dropna()
        found[preset] = junk_shares(truth.pool, rows) | {"rows": int(np.unique(rows).shape[0]),
                                                         "units_covered": int(units.nunique())}
    return found


def measure(study: Study, fresh: Study, *, quick: bool, clock: Clock) -> dict[str, Any]:
    """Everything, as the JSON line has it."""
    from cadc.scores.scores import Scores
    from cadc.signals.embedding import embeddings
    from cadc.signals.similarity import centred

    scores = Scores.load(study)
    folder = Path(study.config.pool).parent
    truth = read_truth(folder / "truth_pool.jsonl", folder / "truth_target.jsonl", np.asarray(scores.index),
                       scores.units)
    pool_rows, target_rows = centred(embeddings(study, "pool", scores.index),
                                     embeddings(study, "target", scores.sample_index))
    clock.lap("embedding")
    similar = similarities(study, scores, truth, target_rows)
    maps = maps_part(similar, truth)
    clock.lap("maps")
    transfer = transfer_part(fresh, scores.units, similar, truth, intervention(quick=quick))
    clock.lap("transfer")
    aucs = auc_part(study, scores, truth, pool_rows, target_rows)
    curriculum = curriculum_part(study, truth)
    clock.lap("junk")
    return {"transfer": transfer, "maps": maps, **aucs, "curriculum": curriculum,
            "skills": list(truth.skills), "formats": list(truth.formats), "rows": len(scores.index),
            "study": study.name, "identity": study.identity, "seed": study.config.seed}


def about() -> dict[str, Any]:
    """Hardware, versions, commit and time: what the numbers belong to."""
    import importlib.metadata as metadata
    import os

    from cadc.models import best_device

    try:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True,
                                cwd=Path(__file__).parent).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    packages = ("torch", "transformers", "peft", "numpy", "leidenalg", "hdbscan")
    versions = {name: metadata.version(name) for name in packages}
    return {"device": best_device(), "cores": os.cpu_count(), "machine": platform.machine(),
            "versions": {"python": platform.python_version()} | versions, "commit": commit,
            "date": datetime.now().isoformat(timespec="minutes")}


def show_transfer(transfer: dict[str, Any], skills: list[str], formats: list[str]) -> None:
    """One transfer matrix with what it says."""
    units, matrix = transfer["units"], transfer["matrix"]
    wide = max(map(len, units))
    print(f"Measured transfer in % of what a unit gains from itself; {transfer['steps']} steps on fresh rows from "
          f"checkpoint {transfer['checkpoint']}; "
          "row: trained on, column: measured on; ·: gains nothing from itself")
    print(" " * wide + "".join(f"{n:5d}" for n in range(len(units))))
    for n, (unit, row) in enumerate(zip(units, matrix, strict=True)):
        cells = "".join("    ·" if v is None or v != v else f"{100 * v:5.0f}" for v in row)
        print(f"{unit:{wide}}{cells}  {n} {skills[n]}, {formats[n]}")
    print("Spearman of similarity with transfer: " +
          ", ".join(f"{name} {_two(value)}" for name, value in transfer["spearman_of"].items()) +
          f" (plain: Mantel p {_two(transfer['spearman_p'], 3)}, {transfer['pairs']} pairs)")
    for name in ("skill", "format"):
        part = transfer[name]
        print(f"Transfer inside a planted {name} {_two(part['within'])}, across {_two(part['between'])}, "
              f"AUC {_two(part['auc'])}, permutation p {_two(part['p'], 3)}")
    print()


def show(result: dict[str, Any]) -> None:
    """The tables that a person reads."""
    show_transfer(result["transfer"], result["skills"], result["formats"])
    print(f"{'map':24}{'K':>4}{'alone':>7}{'ARI skill':>11}{'ARI format':>12}")
    for row in result["maps"]:
        print(f"{row['signal'] + ' / ' + row['cluster']:24}{row['k']:4d}{row['unassigned']:7d}{row['ari_skill']:11.2f}"
              f"{row['ari_format']:12.2f}")
    print(f"\n{'AUC of finding':24}{'off-topic':>11}{'off-target':>12}{'wrong':>8}{'twins':>8}{'own unit':>10}")
    for name, key in (("gradients", "auc"), ("words", "auc_words"), ("embedding", "auc_embedding")):
        row = result[key]
        print(f"{name:24}{_two(row['off_topic']):>11}{_two(row['off_target']):>12}{_two(row['wrong']):>8}"
              f"{_two(result['twins'][name]['mean']):>8}"
              f"{100 * result['own_unit'][name]:9.0f}%")
    if (own := result["own_unit"].get("gradients + embedding")) is not None:
        print(f"{'gradients + embedding':59}{100 * own:9.0f}%")
    print("wrong rows by measured signals: " + ", ".join(f"{k} {_two(v)}" for k, v in result["wrong_by"].items()))
    print(f"\n{'share of rows':24}{'off-topic':>11}{'off-target':>12}{'wrong':>8}{'duplicate':>11}")
    for name, row in result["curriculum"].items():
        label = name if name == "pool" else f"{name}, {BUDGET.replace('%', ' %')} ({row['rows']} rows)"
        print(f"{label:24}" + "".join(f"{100 * row[key]:{w}.1f}%" for key, w in
                                      (("off_topic", 10), ("off_target", 11), ("wrong", 7), ("duplicate", 10))))
    print("\nseconds: " + ", ".join(f"{name} {value:.0f}" for name, value in result["seconds"].items()))


def _two(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def plain(value: Any) -> Any:
    """JSON value without nan: null stands for what is undefined."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else None
    return value


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.recovery`."""
    parser = argparse.ArgumentParser(prog="benchmarks.recovery", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the line of JSON there")
    parser.add_argument("--study", metavar="NAME", help="a study of a generated pool instead of the embedded default")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where studies are kept (default: as the app)")
    parser.add_argument("--quick", action="store_true", help=f"a pool of {QUICK_POOL} rows and a shorter intervention")
    parser.add_argument("--workers", type=int, default=2, help="processes for the pool pass")
    chosen = parser.parse_args(arguments)
    from transformers.utils import logging as transformers_logging

    logging.basicConfig(level=logging.WARNING)
    transformers_logging.disable_progress_bar()
    clock = Clock()
    try:
        if chosen.study:
            study = Study.open(chosen.study, root=chosen.cache)
        else:
            study = make_study(chosen.cache, quick=chosen.quick)
        finish(study, chosen.workers)
        clock.lap("study")
        fresh = fresh_rows(study, chosen.cache, quick=chosen.quick)
        clock.lap("fresh rows")
        result = measure(study, fresh, quick=chosen.quick, clock=clock)
    except CadcError as error:
        raise SystemExit(f"recovery: {error}") from error
    clock.seconds["total"] = round(sum(clock.seconds.values()), 1)
    result = plain(result | {"quick": chosen.quick, "seconds": clock.seconds} | about())
    show(result)
    print(json.dumps(result))
    if chosen.json:
        write_json(chosen.json, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
