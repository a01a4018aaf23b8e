"""The Rows page on a finished study: the address is the filter, acts are decisions."""

import numpy as np

from benchmarks.lab.planted_rows import HOSTILE
from cadc.curation.marks import marks_of
from cadc.curation.workbench import open_workbench
from cadc.study.decisions import latest, read_decisions


def note(page) -> str:
    return next(t.value for t in page.text if " of them chosen" in t.value)


def test_it_opens_on_all_rows_and_follows_the_address(study, open_page):
    assert note(open_page("7_rows", study="trial")).startswith("300 of 300 rows")
    bench = open_workbench(study)
    source = str(bench.table["source"].iloc[0])
    rows = int((bench.table["source"] == source).sum())
    page = open_page("7_rows", study="trial", source=source)
    assert note(page).startswith(f"{rows} of 300 rows") and page.selectbox(key="rows-source").value == source
    page.selectbox(key="rows-source").set_value(None).run()
    assert note(page).startswith("300 of 300") and "source" not in page.query_params
    page.text_input(key="rows-words").set_value("p00001").run()
    assert page.query_params["words"] == "p00001" and not page.exception


def test_a_value_nobody_knows_is_said(study, open_page):
    page = open_page("7_rows", study="trial", source="nowhere", loss="much")
    said = [c.value for c in page.code]
    assert any("nowhere" in text for text in said) and any("loss=much" in text for text in said)
    assert page.info[0].value.startswith("No row is like this")
    page.button[[b.label for b in page.button].index("Clear")].click().run()
    assert note(page).startswith("300 of 300") and not page.exception


def test_a_row_of_the_address_is_looked_at_and_the_next_one_too(study, open_page):
    page = open_page("7_rows", study="trial", row="42", sort="file", down="0")
    assert any(c.value.startswith("row 42 · ") for c in page.code)
    page.button(key="rows-Next").click().run()
    assert page.query_params["row"] == "43" and any(c.value.startswith("row 43 · ") for c in page.code)
    assert page.number_input(key="rows-page").value == 3
    page.number_input(key="rows-page").set_value(1).run()
    assert page.query_params["row"] == "0" and not page.exception
    gone = open_page("7_rows", study="trial", row="42", words="no such words anywhere")
    assert not gone.exception


def test_acts_on_ticked_rows_are_decisions_and_undone(study, open_page):
    page = open_page("7_rows", study="trial", ticked="3,5-6")
    page.button(key="rows-take-always").click().run()
    assert latest(read_decisions(study), "curate")["keep"] == [3, 5, 6]
    page.text_input(key="rows-tag-new").set_value("odd").run()
    page.button(key="rows-tag-True").click().run()
    page.button(key="rows-check").click().run()
    marks = marks_of(d for d in read_decisions(study) if not d.undone)
    assert marks.tags["odd"].tolist() == [3, 5, 6] == marks.checked.tolist()
    assert "tag:odd" in page.selectbox(key="rows-mark").options or any(
        "tag odd" in option for option in page.selectbox(key="rows-mark").options)
    for _ in range(3):
        page.button(key="undo-rows-curation").click().run()
    assert not [d for d in read_decisions(study) if not d.undone]
    page.button(key="redo-rows-curation").click().run()
    assert [d.kind for d in read_decisions(study) if not d.undone] == ["curate"] and not page.exception


def test_all_but_the_ticked_of_a_filter(study, open_page):
    bench = open_workbench(study)
    source = str(bench.table["source"].iloc[0])
    rows = bench.table["index"][bench.table["source"] == source].to_numpy()
    page = open_page("7_rows", study="trial", source=source, ticked=f"{rows[0]},{rows[1]}")
    page.segmented_control(key="rows-way").set_value("but").run()
    page.button(key="rows-check").click().run()
    marks = marks_of(read_decisions(study))
    assert np.array_equal(marks.checked, rows[2:]) and not page.exception


def test_a_note_is_kept_and_taken_back(study, open_page):
    page = open_page("7_rows", study="trial", row="8")
    page.text_area(key="rows-note-8").set_value("the answer is of another picture").run()
    assert marks_of(read_decisions(study)).notes == {8: "the answer is of another picture"}
    again = open_page("7_rows", study="trial", row="8", mark="noted")
    assert note(again).startswith("1 of 300 rows")
    assert again.text_area(key="rows-note-8").value == "the answer is of another picture"


def test_a_view_keeps_the_filter_under_a_name(study, open_page):
    page = open_page("7_rows", study="trial", sort="loss", words="pool-0001")
    page.text_input(key="rows-view").set_value("first ones").run()
    other = open_page("7_rows", study="trial")
    other.button(key="view-first ones").click().run()
    assert other.query_params["words"] == "pool-0001" and other.query_params["sort"] == "loss"
    other.button(key="forget-first ones").click().run()
    assert not marks_of(read_decisions(study)).views and not other.exception


def test_dataset_text_is_never_read_as_markup(study, open_page):
    page = open_page("7_rows", study="trial")
    first = open_page("7_rows", study="trial", row="0", sort="file", down="0")
    assert any(HOSTILE == t.value for t in first.text), "the row that carries it is on screen"
    for element in (*page.markdown, *page.caption, *first.markdown, *first.caption, *first.warning, *first.info):
        assert HOSTILE not in element.value


def test_an_address_that_means_nothing_does_no_harm_and_is_told(study, open_page):
    page = open_page("7_rows", study="trial", ticked="0-99999999999", row="9" * 30, target="9" * 30)
    said = [c.value for c in page.code]
    assert any("Ticks in the address" in text for text in said) and any("target=9" in text for text in said)
    assert note(page).startswith("300 of 300") and page.button(key="rows-check").disabled


def test_ticks_and_filter_stay_with_their_study(study, open_page):
    from dataclasses import replace

    from cadc.study import Study

    Study.create("second", replace(study.config, preset="paper"), created="2026-01-02T00:00:00")
    page = open_page("7_rows", study="trial", ticked="3,5", words="red")
    assert not page.button(key="rows-check").disabled
    next(s for s in page.sidebar.selectbox if s.label == "Study").set_value("second").run()
    assert "ticked" not in page.query_params and "words" not in page.query_params and not page.exception
    next(s for s in page.sidebar.selectbox if s.label == "Study").set_value("trial").run()
    assert note(page).startswith("300 of 300") and page.button(key="rows-check").disabled
