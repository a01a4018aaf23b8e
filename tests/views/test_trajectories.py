"""Figures of the Trajectories page."""

import numpy as np
import pandas as pd
import pytest

from cadc.views import trajectories as views
from cadc.views.figures import trajectories as figures
from cadc.views.words import unbroken


def test_running_mean_ends_at_the_mean_of_the_last_steps():
    log = pd.DataFrame({"step": range(1, 41), "loss": np.linspace(4, 1, 40)})
    figure = figures.loss(log, ends=[20, 40])
    assert figure.data[1].y[-1] == pytest.approx(log["loss"].tail(5).mean())
    assert [line.x0 for line in figure.layout.shapes] == [20, 40]


def test_one_step_is_enough_for_a_curve():
    assert len(figures.loss(pd.DataFrame({"step": [1], "loss": [2.0]})).data[0].x) == 1


def test_checkpoints_are_spread_evenly_and_end_with_the_last_step():
    assert views.checkpoint_ends(10, 4) == [2, 5, 8, 10]


def row(job, predicted=None, actual=None, ratio=None):
    return {"job": job, "predicted": predicted, "actual": actual, "ratio": ratio}


def test_cost_table_puts_what_it_took_beside_the_estimate():
    rows = [row("ingest", actual={"seconds": 1.5, "memory_mb": 90, "disk_mb": 1, "samples_per_s": 6, "device": "x"}),
            row("warmup", {"seconds": 10, "memory_mb": 500, "disk_mb": 2}),
            row("targets", {"seconds": 8, "memory_mb": 4, "disk_mb": 2}, {"seconds": 4, "device": None},
                {"seconds": 2.0})]
    table = views.cost_table(rows, lambda s: f"{s} s")
    assert table.loc["ingest", "time, taken"] == unbroken("1.5 s") and table.loc["ingest", "time, predicted"] == "–"
    assert table.loc["warmup", "time, predicted"] == unbroken("10 s") and table.loc["warmup", "memory, taken"] == "–"
    assert table.loc["targets", "predicted ÷ taken"] == "2.00"
    assert views.taken(rows).startswith("Taken: on x.")


def test_cost_table_without_an_estimate_has_no_empty_columns():
    rows = [row("ingest", actual={"seconds": 1.5, "device": None}), row("warmup")]
    assert list(views.cost_table(rows, str).columns) == ["time, taken"]
    assert "recorded when they end" in views.taken(rows)


def test_norms_are_those_of_the_vectors_behind_the_gram_matrix():
    vectors = np.random.default_rng(0).normal(size=(2, 3, 7))
    table = views.norm_table(vectors @ vectors.transpose(0, 2, 1), ["a", "b", "c"])
    wide = table.pivot(index="checkpoint", columns="unit", values="norm").to_numpy()
    assert wide == pytest.approx(np.linalg.norm(vectors, axis=-1))


def test_each_unit_has_one_line_in_the_colour_of_its_capability():
    table = views.norm_table(np.stack([np.eye(3)] * 2), ["a", "b", "c"])
    figure = figures.norms(table, {"b": "#123456"})
    assert len(figure.data) == 3 and figure.data[1].line.color == "#123456"
