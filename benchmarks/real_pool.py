"""An uneven pool of real pictures with planted faults: `python -m benchmarks.real_pool --pack DIR --out DIR`.

The pack: `data.json` in LLaVA JSON with a `task` in every row, pictures below it. Rows of four public sets that a small
model can learn something of become target units (counting in drawn scenes by what is counted; questions about one drawn
shape by answer format; pattern puzzles by what is missing; true or false of boxes); other tasks with short answers are
off target. Planted as in the embedded default: units of different size, wrong answers, copies; the truth lies in
`truth_pool.jsonl` and `truth_target.jsonl` beside them, so that the oracle arm exists. Prints the commands to go on
with.
"""

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

PER_UNIT = 36
"""Target rows of each unit: those that gradients see, and the rest to score."""
IN_GRADIENTS = 18
LARGEST, SMALLEST = 400, 24
"""Pool rows of the most and the least frequent unit: frequency falls as 1/rank."""
WRONG, COPIES, OFF_TARGET = 0.12, 0.10, 0.5
"""Shares: wrong answers of the rows on target, copies of the pool, off-target rows per row on target."""
LONGEST = 60
"""Characters of an off-target answer."""


def unit_of(row: dict[str, Any]) -> str:
    """Unit of a row; '' for one that the target does not ask for."""
    question, answer = (turn["value"] for turn in row["conversations"][:2])
    if row["task"] == "counting":
        return "count " + re.split(r"[_\d]", Path(row["image"]).stem)[0]
    if row["task"] == "synthetic_shape_qa":
        return "shape " + ("yes/no" if answer in ("yes", "no") else "word")
    if row["task"] == "pattern_puzzle":
        missing = re.search(r"missing (number|color|size|shape)", question)
        return "puzzle " + (missing[1] if missing else "other")
    return "boxes true/false" if row["task"] == "spatial_true_false" else ""


def make(rows: list[dict[str, Any]], seed: int) -> tuple[list[dict], list[dict], list[dict]]:
    """(pool, target, truth of each pool row)."""
    rng = np.random.default_rng(seed)
    units: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        units[unit_of(row)].append(row)
    strange = [row for row in units.pop("", []) if len(row["conversations"][1]["value"]) <= LONGEST]
    units = {name: [own[i] for i in rng.permutation(len(own))] for name, own in sorted(units.items())
             if len(own) >= PER_UNIT + SMALLEST}
    target = [row | {"task": name} for name, own in units.items() for row in own[:PER_UNIT]]
    made: list[tuple[dict, dict]] = []
    for rank, name in enumerate(rng.permutation(sorted(units)).tolist(), 1):
        own = units[name][PER_UNIT:][:max(SMALLEST, LARGEST // rank)]
        answers = sorted({row["conversations"][1]["value"] for row in own})
        for row in own:
            wrong = len(answers) > 1 and rng.random() < WRONG
            made.append((_answered(row, answers, rng) if wrong else row,
                         {"unit": name, "kind": name, "wrong": wrong, "on_target": True}))
    for i in rng.permutation(len(strange))[:round(OFF_TARGET * len(made))]:
        made.append((strange[i], {"unit": None, "kind": strange[i]["task"], "wrong": False, "on_target": False}))
    made = [made[i] for i in rng.permutation(len(made))]
    facts = {"duplicate_of": None, "off_topic": False}
    pool = [(row, about | facts) for row, about in made]
    for i in rng.choice(len(made), round(COPIES * len(made)), replace=False).tolist():
        pool.append((made[i][0] | {"id": f"{made[i][0]['id']}-again"}, made[i][1] | facts | {"duplicate_of": i}))
    truth = [about | {"index": i, "id": row["id"]} for i, (row, about) in enumerate(pool)]
    return [{key: row[key] for key in ("id", "image", "conversations")} for row, _ in pool], target, truth


def _answered(row: dict[str, Any], answers: list[str], rng: np.random.Generator) -> dict[str, Any]:
    """The row with another answer that rows of its unit have."""
    asked, said = row["conversations"][:2]
    other = rng.choice([answer for answer in answers if answer != said["value"]])
    return row | {"conversations": [asked, said | {"value": str(other)}]}


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.real_pool`."""
    parser = argparse.ArgumentParser(prog="benchmarks.real_pool", description=__doc__.splitlines()[0])
    parser.add_argument("--pack", type=Path, required=True, help="folder with data.json and its pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for pool, target and their truth")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    pool, target, truth = make(json.loads((chosen.pack / "data.json").read_text(encoding="utf-8")), chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "pool.json").write_text(json.dumps(pool), encoding="utf-8")
    (chosen.out / "target.json").write_text(json.dumps(target), encoding="utf-8")
    (chosen.out / "truth_pool.jsonl").write_text("\n".join(map(json.dumps, truth)), encoding="utf-8")
    asked = [{"index": i, "unit": row["task"], "skill": row["task"].split()[0], "format": row["task"].split()[-1]}
             for i, row in enumerate(target)]
    (chosen.out / "truth_target.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    print(f"{len(pool)} pool rows, {sum(t['wrong'] for t in truth)} of them wrong, "
          f"{sum(not t['on_target'] for t in truth)} off target, "
          f"{sum(t['duplicate_of'] is not None for t in truth)} copies; {len(target)} target rows of "
          f"{len({row['task'] for row in target})} units. Now:\n"
          f"python -m cadc new real --pool {chosen.out}/pool.json --target {chosen.out}/target.json "
          f"--images {chosen.pack} --unit-column task "
          f"--set samples_per_unit={IN_GRADIENTS} near_samples={IN_GRADIENTS} warmup_share=0.15\n"
          "python -m benchmarks.evidence --study real --short --seeds 20 21")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
