"""The server's half of one gesture on a study of real size: a unit moved, a budget, a filter, an export."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cadc.curation.marks import Marks
from cadc.curation.workbench import Workbench, open_workbench
from cadc.scores.influence import InfluenceColumns
from cadc.store import Store
from cadc.study import Study
from cadc.study.decisions import Decision
from cadc.views.influence import Look, influence_view
from cadc.views.pool_rows import PoolRows
from cadc.views.row_filter import RowFilter
from cadc.views.rows import source_labels

REPEATS = 5
SHARE = 0.05
"""Of the pool that is exported."""


def server_half(study: Study, store: Store) -> dict[str, dict[str, float]]:
    """relabel, budget, rows, export → first, median, p95 in seconds: what the server computes for one gesture."""
    first = open_workbench(study)
    columns = InfluenceColumns(first.scores)
    sources = source_labels(first.table["source"])
    look = Look(preset=first.settings.preset, signal="plain", measure="influence")

    def bench(moved: int) -> Workbench:
        moves = [Decision(seq=i, at="", scope="capabilities", kind="move",
                          payload={"unit": first.scores.units[i], "to": "c1" if i % 2 else "c2"}) for i in range(moved)]
        return Workbench(study, first.scores, first.table, first.targets, moves, columns)

    still = bench(0)
    curriculum = still.curriculum
    view = PoolRows(bench=still, curriculum=curriculum, sources=sources, marks=Marks(),
                    matching=lambda words: store.matching(study, "pool", words))
    filters = [RowFilter(source=str(np.unique(sources)[i % len(np.unique(sources))]), sort=sort)
               for i, sort in enumerate(("influence", "loss", "file", "self", "influence", "loss"))]
    filters[3] = RowFilter(words="red")

    def rows(i: int) -> None:
        view.counted(filters[i])
        view.page(view.order(filters[i])[:20])

    def export(i: int) -> None:
        from cadc.export import export as write

        with tempfile.TemporaryDirectory(dir=study.folder) as folder:
            write(still.with_settings(budget=f"{SHARE:%}"), Path(folder) / str(i), format="llava", pictures="absolute")

    return {"relabel": timed(lambda i: influence_view(bench(i + 1), sources, look)),
            "budget": timed(lambda i: still.under(replace(still.settings, budget=0.03 + 0.007 * i)).curriculum),
            "rows": timed(rows), "export": timed(export)}


def timed(act: Callable[[int], Any], repeats: int = REPEATS) -> dict[str, float]:
    """Seconds of the first time, and of `repeats` later ones: median and 95th percentile."""
    seconds = []
    for i in range(repeats + 1):
        began = time.perf_counter()
        act(i)
        seconds.append(time.perf_counter() - began)
    return summary(seconds)


def summary(seconds: list[float]) -> dict[str, float]:
    """first, median and p95 of the others."""
    later = seconds[1:] or seconds
    return {"first": round(seconds[0], 3), "median": round(median(later), 3),
            "p95": round(float(np.quantile(later, 0.95)), 3)}
