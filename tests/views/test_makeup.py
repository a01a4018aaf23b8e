"""What chosen rows are made of, against counting by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.synthesise import synthesise
from cadc.curation import CurationSettings
from cadc.curation.workbench import open_workbench
from cadc.views import makeup
from cadc.views.figures import curriculum as figures


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return open_workbench(synthesise(tmp_path_factory.mktemp("cache"), rows=200, units=4, checkpoints=2,
                                     samples_per_unit=3, name="trial"))


def test_entropy_is_that_of_the_shares():
    counts = np.array([5, 0, 3, 2])
    assert makeup.entropy(counts) == pytest.approx(stats.entropy(counts, base=2))
    assert makeup.entropy(np.array([7])) == 0 == makeup.entropy(np.zeros(3))


def test_variety_is_counted_over_the_chosen_rows(bench):
    rows = bench.curriculum.rows["position"].to_numpy()
    for column, one in zip(makeup.LISTS, makeup.variety(bench, rows), strict=True):
        chosen = bench.table.iloc[rows][column].value_counts()
        assert one.kinds == len(chosen) and one.of == bench.table[column].nunique()
        assert one.bits == pytest.approx(stats.entropy(chosen.to_numpy(), base=2))
        assert one.random_bits <= np.log2(len(rows)) + 1e-9


def test_all_rows_have_the_variety_of_the_pool_and_rows_of_one_source_collapse(bench):
    every = makeup.variety(bench, np.arange(len(bench.table)))
    assert all(one.bits == pytest.approx(one.random_bits) for one in every) and makeup.warning(every) == ""
    largest = bench.table["source"].value_counts().index[0]
    one_source = makeup.variety(bench, np.flatnonzero(bench.table["source"] == largest))
    assert one_source[0].bits == 0 and one_source[0].collapsed and "sources" in makeup.warning(one_source)


@pytest.mark.parametrize("column", ["source", "answer_format", "answer"])
def test_shares_of_pool_and_curriculum_stand_side_by_side(bench, column):
    rows = np.arange(0, 200, 7)
    table = makeup.beside(bench, column, rows)
    assert table["pool"].sum() == pytest.approx(1) == table["curriculum"].sum() and table["rows"].sum() == len(rows)
    assert len(table) <= makeup.DRAWN
    first = table.iloc[0]
    assert first["pool"] == pytest.approx((bench.table[column] == first["value"]).mean())
    figure = figures.beside_pool(table)
    assert [bar.name for bar in figure.data] == ["pool", "curriculum"]
    assert list(figure.data[1].x) == table["curriculum"].tolist()


def test_names_of_a_dataset_are_no_markup_in_a_figure():
    table = pd.DataFrame({"value": ["<b>a</b>", "b"], "pool": [0.5, 0.5], "curriculum": [1.0, 0.0], "rows": [3, 0]})
    figure = figures.beside_pool(table)
    assert not any("<b>" in text for text in (*figure.layout.yaxis.ticktext, *figure.data[0].customdata))


def test_caps_are_typed_into_lines_and_taken_away_again(bench):
    rows = bench.curriculum.rows["position"].to_numpy()
    draft = CurationSettings(source_caps={"charts": 3})
    table = makeup.sources(bench, draft, rows)
    assert table["pool"].sum() == len(bench.table) and table["chosen"].sum() == len(rows)
    line = table.index[table["source"] == "charts"][0]
    assert table["cap"].iloc[line] == 3 and table["cap"].isna().sum() == len(table) - 1
    other = next(i for i in range(len(table)) if i != line)
    assert makeup.capped(draft, table, {other: {"cap": 0}}) == {"charts": 3, table["source"].iloc[other]: 0}
    assert makeup.capped(draft, table, {line: {"cap": None}}) == {}
    assert makeup.capped(draft, table, {line: {}}) == {"charts": 3}
