"""The generator's ground truth, aligned with the rows that a study scored (keys: `cadc.demo`, docs/demo.md)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cadc.discovery.transfer import auc

TWINS = (("scatter_number", "fence_number"), ("scatter_letter", "fence_letter"), ("scatter_yesno", "fence_yesno"),
         ("digit_number", "clock_number"), ("digit_yesno", "clock_yesno"), ("compare_word", "tallest_word"),
         ("compare_yesno", "tallest_yesno"))
"""Kinds of `cadc.demo.kinds` (on target, off target): same question words, same answers, other pictures."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """N scored pool rows, M target units."""

    pool: pd.DataFrame
    """One row per scored pool row, in the order of `Scores.index`: `wrong`, `off_topic`, `on_target`, `off_target`
    (bool), `unit`, `kind`, and `group`: one number for all near-duplicates of a row."""
    skill: np.ndarray
    """int [M]: planted skill of each unit."""
    format: np.ndarray
    """int [M]: its answer format."""
    skills: tuple[str, ...]
    """M names."""
    formats: tuple[str, ...]


def read_truth(pool_file: Path, target_file: Path, index: np.ndarray, units: tuple[str, ...]) -> Truth:
    """Read both truth files. index: int64 [N], positions in the pool file; units: names in the order of the scores."""
    rows = pd.DataFrame(_lines(pool_file)).set_index("index", drop=False)
    copies = rows["duplicate_of"]
    rows["group"] = np.where(copies.isna(), rows["index"], copies).astype(np.int64)
    rows["off_target"] = ~rows["on_target"].astype(bool) & ~rows["off_topic"].astype(bool)
    rows = rows.loc[index].reset_index(drop=True)
    first = {row["unit"]: row for row in reversed(_lines(target_file))}
    skills, formats = (tuple(first[unit][key] for unit in units) for key in ("skill", "format"))
    return Truth(pool=rows, skill=pd.factorize(np.array(skills))[0], format=pd.factorize(np.array(formats))[0],
                 skills=skills, formats=formats)


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def junk_shares(truth: pd.DataFrame, positions: np.ndarray) -> dict[str, float]:
    """Shares of rows that are off_topic, off_target (about pictures, but not asked by the target), wrong, duplicate.

    A row counts as duplicate when a near-duplicate of it is in the set before it: it teaches nothing new there. So the
    pool's share is its planted one, and a set that takes one of two copies has none. Replayed rows count once.
    """
    own = truth.iloc[np.unique(positions)]
    shares = {key: float(own[key].astype(bool).mean()) for key in ("off_topic", "off_target", "wrong")}
    return shares | {"duplicate": float(own["group"].duplicated().mean())}


def junk_auc(score: np.ndarray, truth: pd.DataFrame) -> dict[str, float]:
    """How well a low score finds each kind of junk: area under the curve, .5 is chance.

    score: float [N], high = looks useful. off_topic: against all rows about pictures. off_target: among rows about
    pictures, against those the target asks for. wrong: among rows the target asks for, against right ones.
    """
    on_topic = ~truth["off_topic"].to_numpy(bool)
    asked = truth["on_target"].to_numpy(bool)
    low = -np.asarray(score, float)
    wrong = truth["wrong"].to_numpy(bool)
    return {"off_topic": auc(low, ~on_topic), "off_target": auc(low[on_topic], ~asked[on_topic]),
            "wrong": auc(low[asked], wrong[asked])}


def twin_auc(near: np.ndarray, units: tuple[str, ...], truth: pd.DataFrame,
             twins: tuple[tuple[str, str], ...]) -> dict[str, float]:
    """Telling rows of a unit from rows of its off-target twin, which has the same questions and answers: AUC by pair.

    near: float [M, N], near(z, s); twins: (unit, kind of its twin). Pairs without rows on both sides are nan.
    """
    kind, found = truth["kind"].to_numpy(), {}
    for unit, twin in twins:
        rows = (kind == unit) | (kind == twin)
        found[f"{unit} / {twin}"] = auc(np.asarray(near)[units.index(unit)][rows], kind[rows] == unit)
    return found
