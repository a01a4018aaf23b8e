"""The map of the pool on a page: offered with its price, drawn, and what an area selects."""

import numpy as np
import pytest

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
