"""Trajectories page: the warm-up's loss, what jobs cost, and how target gradients change. Pure: tables in, figures out.

T checkpoints, M target units.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.palette import plain

LINE = "#56789A"


def loss(log: pd.DataFrame, ends: Sequence[int] = ()) -> go.Figure:
    """Loss of each optimiser step, a running mean over it, and a mark at each checkpoint.

    log: columns step, loss; ends: steps after which a checkpoint was taken.
    """
    smooth = log["loss"].rolling(max(1, min(25, len(log) // 8)), min_periods=1).mean()
    figure = go.Figure()
    figure.add_scatter(x=log["step"], y=log["loss"], mode="lines", line={"color": LINE, "width": 1}, opacity=0.35,
                       name="each step", hovertemplate="step %{x}: %{y:.3f}<extra></extra>")
    figure.add_scatter(x=log["step"], y=smooth, mode="lines", line={"color": LINE, "width": 2.5}, name="running mean",
                       hovertemplate="up to step %{x}: %{y:.3f}<extra></extra>")
    for t, end in enumerate(ends, start=1):
        figure.add_vline(x=end, line={"dash": "dot", "color": "#8A8F98", "width": 1}, annotation_text=f"θ{t}",
                         annotation_position="top left")
    figure.update_layout(height=300, margin={"l": 10, "r": 10, "t": 24, "b": 10}, xaxis={"title": "optimiser step"},
                         yaxis={"title": "loss"}, legend={"orientation": "h", "y": 1.16, "x": 0})
    return figure


def checkpoint_ends(steps: int, checkpoints: int) -> list[int]:
    """Steps after which the T checkpoints are taken: spread evenly (METHOD §1)."""
    return [round((t + 1) * steps / checkpoints) for t in range(checkpoints)]


def cost_table(rows: Sequence[Mapping[str, Any]], duration: Callable[[float], str]) -> pd.DataFrame:
    """One line per job: what was predicted beside what it took, and how many times too high the prediction was.

    Columns without any entry are left out; rows as `ledger.beside` gives them, `duration` puts seconds into words.
    """
    lines = []
    for row in rows:
        predicted, actual, ratio = (row[side] or {} for side in ("predicted", "actual", "ratio"))
        lines.append({
            "job": row["job"],
            "time, predicted": _words(predicted.get("seconds"), duration),
            "time, taken": _words(actual.get("seconds"), duration),
            "predicted ÷ taken": _words(ratio.get("seconds"), "{:.2f}".format),
            "memory, predicted": _words(predicted.get("memory_mb"), "{:,.0f} MB".format),
            "memory, taken": _words(actual.get("memory_mb"), "{:,.0f} MB".format),
            "disk, predicted": _words(predicted.get("disk_mb"), "{:,.1f} MB".format),
            "disk, taken": _words(actual.get("disk_mb"), "{:,.1f} MB".format),
            "samples/s": _words(actual.get("samples_per_s"), "{:,.1f}".format)})
    return pd.DataFrame(lines).set_index("job").dropna(axis="columns", how="all").fillna("–")


def taken(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the jobs ran; rows as in `cost_table`."""
    devices = dict.fromkeys(row["actual"]["device"] for row in rows if row["actual"] and row["actual"]["device"])
    if not devices:
        return "What jobs take is recorded when they end."
    return f"Taken: on {' and '.join(devices)}. Memory is that of all processes of a job together."


def _words(value: float | None, say: Callable[[float], str]) -> str | None:
    return None if value is None else say(value)


def norm_table(gram: np.ndarray, units: Sequence[str]) -> pd.DataFrame:
    """unit, checkpoint (1…T), norm: ‖ḡ_t(s)‖ from the Gram matrices [T, M, M]."""
    norms = np.sqrt(np.maximum(np.einsum("tmm->tm", np.asarray(gram, np.float64)), 0))  # [T, M]
    checkpoints, count = norms.shape
    return pd.DataFrame({"unit": np.tile(np.asarray(units, object), checkpoints),
                         "checkpoint": np.repeat(np.arange(1, checkpoints + 1), count), "norm": norms.reshape(-1)})


def norms(table: pd.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """One line per unit over the checkpoints, coloured by its capability; table as in `norm_table`."""
    figure = go.Figure()
    for unit, part in table.groupby("unit", sort=False):
        figure.add_scatter(x=part["checkpoint"], y=part["norm"], mode="lines+markers", name=plain(unit, 40),
                           line={"color": colours.get(unit, LINE), "width": 1.5}, marker={"size": 5}, opacity=0.8,
                           hovertemplate=plain(unit, 60) + "<br>checkpoint %{x}: %{y:.3g}<extra></extra>")
    figure.update_layout(height=340, showlegend=False, margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         xaxis={"title": "checkpoint", "dtick": 1}, yaxis={"title": "gradient norm", "type": "log"})
    return figure
