"""The Influence page on a finished study: what is chosen decides which rows are shown."""

import numpy as np
import pytest

from benchmarks.lab.planted_rows import HOSTILE
from cadc.curation.workbench import open_workbench
from cadc.scores.influence import UNATTRIBUTED


def shown(page) -> str:
    """The line that says how many rows are behind the choice."""
    return next(t.value for t in page.text if " rows, strongest influence first" in t.value)


def test_it_opens_full_and_counts_every_row(study, open_page):
    page = open_page("4_influence", study="trial")
    assert not page.error
    assert shown(page) == "all sources → all capabilities: 300 of 300 rows, strongest influence first"


@pytest.mark.parametrize("preset", ["studio", "paper"])
def test_the_boxes_choose_the_rows_that_the_library_counts(study, open_page, preset):
    bench = open_workbench(study).with_settings(preset=preset)
    page = open_page("4_influence", study="trial")
    page.segmented_control[0].set_value(preset).run()
    for k, name in [*enumerate(bench.capabilities.names), (-1, UNATTRIBUTED)]:
        page.selectbox(key="to").set_value(name).run()
        assert f"{np.sum(bench.assignment == k):,} of 300 rows" in shown(page)
    source = bench.table["source"].iloc[0]
    page.selectbox(key="from").set_value(source).run()
    inside = (bench.assignment == -1) & (bench.table["source"] == source).to_numpy()
    assert f"{inside.sum():,} of 300 rows" in shown(page) and not page.exception


def test_dataset_text_is_never_read_as_markup(study, open_page):
    page = open_page("4_influence", study="trial")
    seen = 0
    for number in range(1, 16):
        next(n for n in page.number_input if n.label.startswith("Page")).set_value(number).run()
        frames = [f.value for f in page.dataframe]
        seen += any(HOSTILE in f["question"].tolist() for f in frames if "question" in f)
        for kind in ("markdown", "caption", "info", "warning", "header", "subheader"):
            assert not any("onerror" in e.value for e in page.get(kind))
    assert seen, "the hostile question is in one of the pages of rows"


def test_it_says_what_is_missing_on_an_empty_cache(empty_cache, open_page):
    page = open_page("4_influence")
    assert any("There is no study yet" in i.value for i in page.info)


def test_a_renamed_capability_is_followed_at_once(study, open_page):
    from pages._parts.shell import open_store

    store = open_store()
    store.load_study(study)
    store.decide(study, "rename", {"capability": "c1", "name": "読むこと *x*"})
    page = open_page("4_influence", study="trial")
    assert "読むこと *x*" in page.selectbox(key="to").options


def test_a_choice_that_is_gone_is_let_go(study, open_page):
    from pages._parts.shell import open_store

    page = open_page("4_influence", study="trial")
    page.selectbox(key="to").set_value("c1").run()
    assert "→ c1: " in shown(page)
    open_store().decide(study, "rename", {"capability": "c1", "name": "another name"})
    page.run()
    assert not page.exception and page.selectbox(key="to").value in (None, "another name")
    assert "c1" not in shown(page)


def test_what_is_chosen_is_in_the_address_and_comes_from_it(study, open_page):
    bench = open_workbench(study)
    own = bench.influence.max(axis=1)
    low, high = (float(f"{v:.4g}") for v in np.quantile(own[bench.assignment == 0], [0.3, 0.8]))
    page = open_page("4_influence", study="trial")
    page.selectbox(key="to").set_value(bench.capabilities.names[0]).run()
    page.number_input(key="spread-least").set_value(low).run()
    page.number_input(key="spread-largest").set_value(high).run()
    asked = {key: page.query_params[key] for key in ("capability", "influence")}
    inside = (bench.assignment == 0) & (own >= low) & (own <= high)
    line = shown(page)
    assert f": {inside.sum():,} of 300 rows" in line and 0 < inside.sum() < np.sum(bench.assignment == 0)
    again = open_page("4_influence", study="trial", **asked)
    assert shown(again) == line and again.selectbox(key="to").value == bench.capabilities.names[0]
    rows = open_page("7_rows", study="trial", **asked)
    assert any(t.value.startswith(f"{inside.sum():,} of 300 rows, ") for t in rows.text), "Rows shows the same"
    next(b for b in again.button if b.label == "All influences").click().run()
    assert "influence" not in again.query_params and not again.exception


def test_an_address_that_chooses_what_is_not_here_is_told(study, open_page):
    page = open_page("4_influence", study="trial", source=HOSTILE, capability="c99", influence="low")
    told = " ".join(c.value for c in page.code)
    assert "'c99'" in told and "No source" in told and "influence=low" in told
    assert shown(page).startswith("all sources → all capabilities: 300 of 300 rows")
    for kind in ("markdown", "caption", "warning"):
        assert not any("onerror" in e.value for e in page.get(kind))


def test_where_one_only_looks_it_is_said_that_rows_follows_the_curriculum(study, open_page):
    page = open_page("4_influence", study="trial")
    follows = "Rows follows the curriculum: there, influence is what **studio** says."
    assert follows not in [c.value for c in page.caption]
    page.segmented_control[0].set_value("paper").run()
    assert follows in [c.value for c in page.caption]
