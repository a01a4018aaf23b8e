"""Small curricula as tests of exports write them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from curricula import recipe

from cadc.export import Pictures, write_curriculum


def llava(question: str, answer: str, image=None, **more) -> dict:
    row = {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]} | more
    return row if image is None else row | {"image": image}


def ordered(found, order=None, stages=3) -> pd.DataFrame:
    """Rows of a curriculum over the accepted samples, in this order."""
    order = list(range(len(found.samples)))[::-1] if order is None else order
    stage = np.arange(len(order)) * stages // max(len(order), 1) + 1
    return pd.DataFrame({"index": [found.samples[i].index for i in order], "stage": stage,
                         "id": [found.samples[i].id for i in order],
                         "influence": np.float32(0.1) * np.arange(len(order), dtype=np.float32),
                         "loss": [float("nan"), *([1.5] * (len(order) - 1))][:len(order)]})


def table_of(found) -> pd.DataFrame:
    return pd.DataFrame({"index": [s.index for s in found.samples], "raw": found.raw})


def written(found, root, folder, form, rows=None, staging="soft", **more):
    rows = ordered(found) if rows is None else rows
    told = {"input_format": found.format, "curation": {"staging": staging}}
    return write_curriculum(rows, table_of(found), found.samples, told, folder, format=form,
                            pictures=Pictures(root=root, **more), recipe=recipe())


def lines(path: Path) -> list[dict]:
    return [json.loads(text) for text in path.read_text().split("\n")[:-1]]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
