"""Figures of the Data page show every row they are given, and dataset text only as text."""

import pandas as pd

from cadc.views import data as views
from cadc.views.figures import data as figures


def test_shares_of_answer_formats_sum_to_one_in_pool_and_target():
    figure = figures.formats(views.format_table({"yes/no": 30, "letter": 10}, {"number": 5}))
    assert list(figure.data[0].x) == ["yes/no", "letter", "number"]
    assert [sum(bar.y) for bar in figure.data] == [1, 1]
    assert list(figure.data[0].customdata) == [30, 10, 0]


def test_sources_beyond_the_limit_are_one_counted_bar():
    figure = figures.sources({f"s{i:02}": 100 - i for i in range(40)}, limit=5)
    assert list(figure.layout.yaxis.ticktext)[-1] == "35 other sources"
    assert sum(figure.data[0].x) == sum(100 - i for i in range(40))


def test_two_sources_cut_to_the_same_name_stay_two_bars():
    figure = figures.sources({"x" * 50 + "a": 2, "x" * 50 + "b": 1})
    assert len(set(figure.data[0].y)) == 2 and list(figure.data[0].x) == [2, 1]


def test_markup_in_a_source_is_shown_as_text():
    figure = figures.sources({"<b>bold</b> $x$": 1})
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;bold&lt;/b&gt; &#36;x&#36;"


def test_long_tail_of_lengths_is_cut_at_the_99th_percentile():
    rows = [("question", n, 100) for n in range(1, 60)] + [("question", 5000, 1), ("answer", 1, 7)]
    figure = figures.lengths(pd.DataFrame(rows, columns=["part", "words", "rows"]))
    assert max(figure.data[0].x) == 58 and list(figure.data[1].y) == [7]


def test_empty_counts_give_an_empty_figure():
    assert len(figures.formats(views.format_table({}, {})).data[0].x) == 0 and len(figures.sources({}).data[0].x) == 0
    assert len(figures.lengths(pd.DataFrame(columns=["part", "words", "rows"])).data) == 0
