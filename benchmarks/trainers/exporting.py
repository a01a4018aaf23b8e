"""The exports that are tried, each moved away from where it was written and from the pictures that it was made of."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.trainers.rows import Pool
from benchmarks.trainers.wanted import MAX_TOKENS
from cadc.evaluation.settings import EvaluationSettings
from cadc.export import FORMATS, Pictures, write_curriculum
from cadc.export.outline import How
from cadc.export.recipe import Recipe
from cadc.study import StudyConfig

FORMAT_OF = {"trl": "trl", "llamafactory": "llamafactory", "swift": "ms-swift", "axolotl": "axolotl"}
"""Trainer → its export."""
BATCH = 4


@dataclass(frozen=True, kw_only=True)
class Written:
    """One export."""

    folder: Path
    names: list[str]
    """Rows in it, in order."""
    refused: dict[str, str]
    """Rows that its trainer cannot hold → why."""


def ways(name: str) -> tuple[How, ...]:
    """What a trainer's export can do with pictures, but for `link`: hard links are files like copies."""
    return tuple(how for how in FORMATS[FORMAT_OF[name]].pictures if how != "link")


def export_pool(pool: Pool, model: Path, name: str, folder: Path, how: How = "copy") -> Written:
    """Write the pool for a trainer by the recipe of two passes, then move it to a folder whose name has a blank, but
    for absolute paths, which fit one place."""
    rows = pd.DataFrame({"index": [int(sample.index) for sample in pool.samples], "stage": pool.stages,
                         "id": [sample.id for sample in pool.samples]})
    table = pd.DataFrame({"index": rows["index"], "raw": ""})
    config = StudyConfig(pool="pool", target="target", images="images", model=str(model), precision="float32",
                         max_tokens=MAX_TOKENS)
    recipe = Recipe.of(config, EvaluationSettings(epochs=2.0, batch=BATCH, rise=0))
    first = folder / "first" / name
    done = write_curriculum(rows, table, pool.samples, {"input_format": "messages-blocks jsonl"}, first,
                            format=FORMAT_OF[name], pictures=Pictures(root=pool.root, how=how), recipe=recipe)
    last = first
    if how != "absolute":
        last = folder / "moved here" / f"{name} {how}"
        shutil.rmtree(last, ignore_errors=True)
        last.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(first, last)
    manifest = json.loads((last / "manifest.json").read_text(encoding="utf-8"))
    return Written(folder=last, names=[row["id"] for row in done.manifest["rows"]],
                   refused={row["id"]: row["reason"] for row in manifest["not_written"]["list"]})
