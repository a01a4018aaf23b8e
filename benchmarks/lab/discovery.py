"""What the planted truth says of discovery and curation, part by part: transfer, maps, junk, curricula.

N pool rows, S single target samples, M units, F features.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.lab.truth import TWINS, Truth, junk_auc, junk_shares, read_truth, twin_auc
from cadc.curation import PRESETS
from cadc.errors import DataError
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS
from cadc.study import Study
from cadc.study.config import OF_GRADIENTS

if TYPE_CHECKING:
    from cadc.discovery.intervention import TransferSettings

BUDGET = "5%"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A finished study whose rows are known to the generator."""

    study: Study
    scores: Scores
    truth: Truth
    pool_rows: np.ndarray
    """float32 [N, F]: centred embeddings of the scored pool rows, unit norm."""
    target_rows: np.ndarray
    """float32 [S, F]: those of the single target samples."""


def read_planted(study: Study, truth_pool: Path, truth_target: Path) -> Planted:
    """Scores, truth and embeddings of a study; embeddings that are not there yet are computed."""
    from cadc.signals.embedding import centred, embeddings

    scores = Scores.load(study)
    truth = read_truth(truth_pool, truth_target, np.asarray(scores.index), scores.units)
    pool_rows, target_rows = centred(embeddings(study, "pool", scores.index),
                                     embeddings(study, "target", scores.sample_index))
    return Planted(study=study, scores=scores, truth=truth, pool_rows=pool_rows, target_rows=target_rows)


def transfer_part(study: Study, units: tuple[str, ...], similar: dict[str, np.ndarray], truth: Truth,
                  settings: "TransferSettings") -> dict[str, Any]:
    """Measured transfer from θ_t against each similarity [M, M], and against planted skills and formats.

    Raises DataError when the study's units are others, or in another order.
    """
    from cadc.discovery.intervention import measure_transfer
    from cadc.discovery.transfer import spearman_with, within_between

    found = measure_transfer(study, settings)
    if found.units != units:
        raise DataError("the fresh rows have other units than the target, or name them in another order. Delete the "
                        "folder of the fresh study and run the benchmark again.")
    tr = found.matrix
    scores = {name: spearman_with(s, tr) for name, s in similar.items()}
    skill, form = (within_between(tr, labels) for labels in (truth.skill, truth.format))
    names = ("within", "between", "p", "auc")
    return {"spearman": scores["plain"][0], "spearman_p": scores["plain"][1], "pairs": scores["plain"][2],
            "spearman_of": {name: value[0] for name, value in scores.items()},
            "skill": dict(zip(names, skill, strict=True)), "format": dict(zip(names, form, strict=True)),
            "checkpoint": settings.checkpoint, "steps": settings.steps, "repeats": settings.repeats,
            "own_drop": np.round(found.own, 3).tolist(), "units": list(found.units),
            "matrix": np.round(tr, 3).tolist()}


def similarities(planted: Planted) -> dict[str, np.ndarray]:
    """S [M, M] of every signal that a map of the study can be drawn from now (`cadc.discovery.similarities`)."""
    from cadc.discovery.similarities import SIMILARITIES, lacking, open_units

    study = planted.study
    return {name: open_units(study, planted.scores, name).whole for name, signal in SIMILARITIES.items()
            if not signal.offered(study.config) and not lacking(study, name)}


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


def auc_part(planted: Planted) -> dict[str, Any]:
    """How well each signal alone, and each join, finds what is planted, by the same rule: a row's largest calibrated
    near(z, s) over units (`own_unit`: whether that unit is its own)."""
    scores, truth = planted.scores, planted.truth
    near = nearness_by_name(planted)
    aucs: dict[str, dict[str, float]] = {}
    twins: dict[str, dict[str, float]] = {}
    for name, columns in near.items():
        table = np.stack([columns.calibrated(m) for m in range(len(scores.units))])
        pairs = twin_auc(table, scores.units, truth.pool, _twins(scores.units))
        twins[name] = {"mean": float(np.nanmean(list(pairs.values()))) if pairs else float("nan")} | pairs
        aucs[name] = junk_auc(table.max(0), truth.pool) | {"own_unit": own_unit(columns.nearest(), planted),
                                                           "twins": twins[name]["mean"]}
    measured = wrong_scores(scores, near["studio"] if "studio" in near else near["quick"])
    wrong_by = {name: junk_auc(-value, truth.pool)["wrong"] for name, value in measured.items()}
    for name in ("studio", "quick"):  # their filter of wrong answers is a loss, and no nearness
        if name in aucs and JUDGED in wrong_by:
            aucs[name]["wrong"] = wrong_by[JUDGED]
    return {"auc": aucs, "twins": twins, "wrong_by": wrong_by}


JUDGED = "judge"
"""Of `wrong_scores`: the loss by which the filter of both presets tells wrong answers."""


def nearness_by_name(planted: Planted) -> dict[str, InfluenceColumns]:
    """near(z, s) by its name: `studio` (all signals of the study joined), `quick` (those without gradients), and every
    signal alone that the study has."""
    from cadc.curation.workbench import open_workbench
    from cadc.evaluation.material import Material

    study, scores = planted.study, planted.scores
    material = Material(study, open_workbench(study).inputs, np.zeros(len(scores.index), bool))
    joins = {"studio": "near", "quick": "quick"}
    found = {name: material.nearness({"studio": "joined"}.get(name, name)) for name, job in joins.items()
             if study.finished(job)}
    missing = () if scores.has_gradients else OF_GRADIENTS
    return found | {name: material.nearness(name) for name in SIGNALS
                    if name not in missing and (name != "whitened" or study.config.whitens)}


def own_unit(nearest: np.ndarray, planted: Planted) -> float:
    """Share of the rows that the target asks for whose nearest unit is their own. nearest: int [N]."""
    pool = planted.truth.pool
    own = pool["unit"].map({name: m for m, name in enumerate(planted.scores.units)}).to_numpy()
    asked = pool["on_target"].to_numpy(bool)
    return float(np.mean(nearest[asked] == own[asked]))


def wrong_scores(scores: Scores, columns: InfluenceColumns) -> dict[str, np.ndarray]:
    """What may tell wrong answers, high where a row looks wrong: float [N] each, and each ranked within the nearest
    unit."""
    found: dict[str, np.ndarray] = {}
    if scores.has_gradients:
        power = np.log(np.maximum(np.asarray(scores.gradient_norm, np.float64) ** 2, 1e-20))
        found |= {"loss": np.asarray(scores.loss)[:, -1], "self_change": power[:, -1] - power[:, 0]}
    if scores.has_judge:
        judged, base = np.nan_to_num(scores.judge_loss), np.nan_to_num(scores.base_loss)
        found |= {"judge": judged, "judge_drop": (judged - base) / np.maximum(base, 1e-6)}
    nearest = columns.nearest()
    return found | {f"{name}_in_unit": _rank_inside(value, nearest) for name, value in found.items()}


def _twins(units: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of the generator whose first kind is a unit of this target."""
    return tuple(pair for pair in TWINS if pair[0] in units)


def _rank_inside(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rank of each value among those of its group, 0 … 1."""
    from scipy.stats import rankdata

    out = np.zeros(len(values))
    for name in np.unique(group):
        own = group == name
        out[own] = (rankdata(values[own]) - 0.5) / own.sum()
    return out


def curriculum_part(planted: Planted) -> dict[str, dict[str, float]]:
    """Junk in the pool and in the 5 % curriculum of each preset, with the default settings of that preset."""
    from cadc.curation.workbench import open_workbench

    truth = planted.truth
    found = {"pool": junk_shares(truth.pool, np.arange(len(truth.pool)))}
    bench = open_workbench(planted.study)
    for preset in PRESETS:
        rows = bench.with_settings(preset=preset, budget=BUDGET).curriculum.rows["position"].to_numpy(np.int64)
        units = truth.pool.iloc[np.unique(rows)]["unit"].dropna()
        found[preset] = junk_shares(truth.pool, rows) | {"rows": int(np.unique(rows).shape[0]),
                                                         "units_covered": int(units.nunique())}
    return found
