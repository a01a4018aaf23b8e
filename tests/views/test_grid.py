"""K over τ and γ: every cell is what Leiden finds there, and the plateau is one area of one K."""

import numpy as np
import pandas as pd
import pytest

from cadc.discovery import leiden
from cadc.discovery.similarities import Units
from cadc.discovery.stability import drawn_again
from cadc.errors import DataError
from cadc.views import grid
from cadc.views.figures import capabilities as figures


@pytest.fixture
def similar():
    """Nine units in three clear groups."""
    rng = np.random.default_rng(0)
    group = np.arange(9) // 3
    raw = np.where(group[:, None] == group, 0.8, 0.1) + rng.uniform(0, 0.1, (9, 9))
    found = (raw + raw.T) / 2
    np.fill_diagonal(found, 1)
    return found


def made(k: list[list[int]]) -> pd.DataFrame:
    """Lines of the table from K by τ (rows) and γ (columns)."""
    return pd.DataFrame([(t / 10, float(g), value, 0.5, 0) for t, row in enumerate(k) for g, value in enumerate(row)],
                        columns=["tau", "gamma", "k", "modularity", "unassigned"])


def test_every_cell_is_the_partition_of_its_setting(similar):
    found = grid.grid_of(similar)
    for row, labels in zip(found.table.itertuples(), found.labels, strict=True):
        part = leiden(similar, row.tau, row.gamma)
        assert (row.k, labels.tolist()) == (part.k, part.labels.tolist())
    planted = tuple((np.arange(9) // 3).tolist())
    best = grid.agreement(found, planted)
    assert best.max() == 1 and (best[(found.table["k"] == 3) & (found.table["unassigned"] == 0)] == 1).all()


def test_stability_of_a_cell_is_that_of_its_method_alone(similar):
    unit = np.repeat(np.arange(9), 4)
    rng = np.random.default_rng(1)
    rows = similar[unit] + 0.3 * rng.normal(size=(36, 9))

    def again(drawn):
        means = np.stack([rows[drawn][unit[drawn] == u].mean(0) for u in range(9)])
        return np.clip(np.corrcoef(means), -1, 1)

    found = grid.grid_of(similar)
    kept = grid.stability(found, Units(whole=similar, unit=unit, again=again))
    cell = 7
    row = found.table.iloc[cell]
    alone = drawn_again(unit, again, lambda s: leiden(s, row["tau"], row["gamma"]), rounds=grid.ROUNDS)
    assert kept[cell] == pytest.approx(alone.mean_ari) and len(kept) == len(found.table)
    with pytest.raises(DataError):
        grid.stability(found, Units(whole=similar))


def test_the_plateau_touches_by_edges_and_has_one_k():
    table = made([[3, 3, 2], [2, 3, 3], [2, 2, 1]])
    wide = grid.plateau(table)
    assert wide.reshape(3, 3).tolist() == [[True, True, False], [False, True, True], [False, False, False]]
    assert "K = 3 at 4 of 9 settings. The setting in force lies on it." in grid.plateau_note(table, wide, 0)
    assert "outside" in grid.plateau_note(table, wide, 2)


def test_one_capability_is_no_plateau():
    table = made([[1, 1], [1, 0]])
    assert not grid.plateau(table).any() and "No setting" in grid.plateau_note(table, grid.plateau(table), None)


def test_figure_frames_the_plateau_rings_the_choice_and_every_cell_can_be_chosen():
    table = made([[3, 3], [2, 3]]).assign(agreement=0.5)
    wide, now = grid.plateau(table), grid.nearest(table, 0.09, 0.1)
    assert (table["tau"][now], table["gamma"][now]) == (0.1, 0.0)
    figure = figures.grid(table, "k", now, wide)
    assert figure.data[1].customdata == tuple(range(4)) and len(figure.layout.shapes) == 8, "an L of three cells"
    assert (figure.data[2].x[0], figure.data[2].y[0]) == (1, 0)
    assert [[figure.data[0].z[y][x] for x in (0, 1)] for y in (0, 1)] == [[3, 2], [3, 3]]
    assert grid.nearest(table, None, None) is None and len(figures.grid(table, "agreement", None).data) == 2
    assert "K = 2, 0 units alone" in grid.cell_note(table, 2)
