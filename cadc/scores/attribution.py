"""What attribution said of itself: rows, precision, warnings, rows without scores. Read without loading torch."""

import json
from collections.abc import Mapping
from typing import Any

from cadc.study import Study


def report(study: Study) -> dict[str, Any]:
    """What attribution found: `rows`, `failed`, `shards`, `precision`, `warnings`, `products`, `batch`,
    `halved_batches`, `seconds`, and `landmarks` where rows were predicted. Raises JobError before that."""
    return json.loads(study.require("scores").intact("attribute.json").read_text())


def left_out(study: Study) -> list[dict[str, Any]]:
    """Pool rows without scores: `index`, `id`, `reason` each. Raises JobError before there are scores."""
    return json.loads(study.require("scores").intact("failed.json").read_text())


def sentences(study: Study) -> list[str]:
    """What a person should know about the scores, a line each. Raises JobError before there are any."""
    about = report(study)
    said = [f"{about['rows']:,} rows have scores, computed in {about['precision']}"]
    if about["halved_batches"]:
        said.append(f"{about['halved_batches']:,} batches did not fit into memory and were halved")
    if "landmarks" in about:
        said.append(_describe(about["landmarks"]))
    return said + list(about["warnings"])


def _describe(landmarks: Mapping[str, Any]) -> str:
    """One line for people, from the `landmarks` entry of attribute.json."""
    total = landmarks["measured"] + landmarks["predicted"]
    held = landmarks["held_out"]
    return (f"{landmarks['measured']:,} of {total:,} rows measured, the others predicted; held-out rank correlation "
            f"{held['median']:.2f} (median of the units; lowest {held['lowest']:.2f})")
