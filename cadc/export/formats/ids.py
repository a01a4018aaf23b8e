"""Ids alone: which rows of the pool, in which order, for people who have a loader of their own."""

import csv
import io
from dataclasses import replace
from pathlib import Path

from cadc.export.columns import CAPABILITY, STAGE
from cadc.export.format import Format
from cadc.export.outline import Outline, Row, StageFile
from cadc.export.rowset import RowSet, write_text
from cadc.export.scripting import in_order
from cadc.export.shapes import Json, line

NAMES = ("index", "id", STAGE, CAPABILITY, "influence")


def write(found: RowSet, folder: Path) -> tuple[list[Json], tuple[StageFile, ...]]:
    """ids.csv and ids.jsonl: a row's position in the pool file, its id, stage, capability, influence."""
    rows: list[Json] = [_row(record) for record in found.records]
    table = io.StringIO()
    writer = csv.DictWriter(table, NAMES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files = [write_text(folder, "ids.jsonl", "".join(f"{line(row)}\n" for row in rows)),
             write_text(folder, "ids.csv", table.getvalue())]
    return [file | {"rows": len(rows)} for file in files], tuple(replace(s, file="ids.jsonl") for s in found.stages)


def _row(record: Json) -> Json:
    return {"index": record["index"], "id": record.get("id") or "", STAGE: record["stage"],
            CAPABILITY: record.get("name") or record.get("capability") or "", "influence": record.get("influence")}


def render(sample: object, shown: object, raw: object) -> Row:
    """Rows are made of what the manifest says."""
    return {}


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""`ids.csv` and `ids.jsonl` hold one line a row in training order: `index`, its position in the pool file,
counted from 0 over all its rows, `id`, `{STAGE}`, `{CAPABILITY}`, `influence`. For a loader of your own:

    order = [int(row["index"]) for row in csv.DictReader(open("ids.csv", encoding="utf-8"))]
    sampler = order                                    # torch: DataLoader(pool, sampler=order, …), nothing shuffled{
    in_order(outline, "", "; or shuffle anew in every pass: they are one mixed stage")}"""


FORMAT = Format(name="ids", about="ids alone: which rows of the pool, in which order", render=render, write=write,
                training=training, pictures=(), loads="ids.jsonl", place="Pictures are those of the pool.")
