"""A filter and its address."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.errors import DataError
from cadc.views.row_filter import KEYS, SORTS, RowFilter, from_query

ENDS = st.none() | st.floats(-1e3, 1e3).map(lambda x: float(f"{x:g}"))
TEXTS = st.none() | st.text(min_size=1, max_size=8)
FILTERS = st.builds(RowFilter, source=TEXTS, capability=TEXTS, unit=TEXTS, format=TEXTS, status=TEXTS, mark=TEXTS,
                    words=st.text(max_size=8), loss=st.tuples(ENDS, ENDS), influence=st.tuples(ENDS, ENDS),
                    group=st.none() | st.integers(0, 10**6), target=st.none() | st.integers(0, 10**6),
                    area=st.text(max_size=8), sort=st.sampled_from(list(SORTS)), down=st.booleans())


@given(FILTERS)
def test_an_address_brings_the_same_filter_back(wanted):
    query = wanted.to_query()
    found, odd = from_query({"study": "demo", "row": "3"} | query)
    assert found == wanted and not odd and set(query) <= KEYS
    assert from_query({}) == (RowFilter(), ())


@pytest.mark.parametrize(("key", "text"), [("loss", "3"), ("loss", "a..b"), ("influence", "nan.."), ("group", "x"),
                                           ("down", "yes"), ("sort", "colour"), ("target", ""), ("group", "9" * 30)])
def test_what_is_not_understood_is_said(key, text):
    found, odd = from_query({key: text, "source": "web"})
    assert found == RowFilter(source="web") and len(odd) == 1 and key in odd[0]


def test_an_order_alone_leaves_no_row_out():
    assert not RowFilter(sort="loss", down=False).narrows
    assert RowFilter(words="x").narrows and RowFilter(target=0).narrows
    assert not math.isnan(len(RowFilter(loss=(None, 1.0)).to_query()))
    with pytest.raises(DataError):
        RowFilter(sort="colour")
