"""The map of the pool on a page: offered with its price, drawn, and what an area selects."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cadc.curation.workbench import open_workbench
from cadc.discovery.pool_layout import SIDE, run_layout
from cadc.study.progress import Silent
from cadc.views.pool_map import chosen_rows, layout_digest, pool_map

SOME = [[0, 0], [SIDE, 0], [SIDE, SIDE // 2], [0, SIDE // 2]]


def texts(page) -> list[str]:
    return [t.value for t in page.text]


def test_it_is_offered_with_its_price_until_somebody_asks_for_it(study, open_page):
    page = open_page("4_influence", study="trial")
    assert any("job profile_layout" in text and "about 15 s" in text for text in texts(page))
    assert [b for b in page.button if b.label == "Lay out the pool"] and not page.error


@pytest.fixture
def laid_out(study):
    run_layout(study, Silent())
    return study


def test_every_colouring_opens(laid_out, open_page):
    page = open_page("4_influence", study="trial")
    box = page.selectbox(key="pool-map-colour")
    assert any("Nothing is selected" in text for text in texts(page))
    for option in box.options:
        page.selectbox(key="pool-map-colour").set_value(option).run()
        assert not page.exception and not page.error, option


def test_an_area_shows_its_rows_and_how_many_are_chosen(laid_out, open_page):
    page = open_page("4_influence", study="trial")
    page.session_state[f"pool-map-{layout_digest(laid_out)}"] = {"polygon": SOME}
    page.run()
    bench = open_workbench(laid_out)
    inside = pool_map(laid_out, bench.scores.index).inside(SOME)
    assert 0 < len(inside) < len(bench.scores.index)
    assert f"{len(inside):,} selected, of these {int(chosen_rows(bench)[inside].sum()):,} chosen." in texts(page)
    shown = next(f.value for f in reversed(page.dataframe) if "question" in f.value)
    assert np.array_equal(shown["index"], bench.scores.index[inside[:20]])


def a_page_of_its_own() -> None:
    import numpy as np
    import streamlit as st

    from pages._parts import point_map
    from pages._parts.bench import open_bench
    from pages._parts.shell import open_study

    study, store = open_study()
    bench, digest = open_bench(study, store)
    found = point_map.show(study, bench, digest, among=np.arange(len(bench.scores.index)) % 2 == 0, key="other")
    st.text(f"positions {None if found is None else found.tolist()}")


def test_another_page_gets_the_rows_in_force_in_one_line(laid_out):
    page = AppTest.from_function(a_page_of_its_own, default_timeout=60).run()
    assert not page.exception and "positions None" in texts(page)
    page.session_state[f"other-{layout_digest(laid_out)}"] = {"polygon": SOME}
    page.run()
    index = open_workbench(laid_out).scores.index
    inside = pool_map(laid_out, index).inside(SOME)
    assert f"positions {inside[inside % 2 == 0].tolist()}" in texts(page)
    assert any(f" of {(len(index) + 1) // 2:,} in force" in text for text in texts(page))
