"""Data: make a study, and see what is in its pool and its target."""

import streamlit as st

from cadc.data.answers import FORMATS as ANSWER_FORMATS
from cadc.jobs import control
from cadc.scores.left_out import left_out as left_out_rows
from cadc.store import Store
from cadc.study import Study
from cadc.views.data import DataView, FileView, data_view, format_table
from cadc.views.figures import data as figures
from cadc.views.glossary import told
from cadc.views.rows import NO_SOURCE, with_turns
from cadc.views.words import told_apart
from pages import _new_study
from pages._fates import columns, set_aside
from pages._parts.jobs import job_panel
from pages._parts.rows import pager, sample_card
from pages._parts.shell import guarded, open_store, pick_study

CARDS = 9


def overview(file: FileView) -> None:
    """Counts and distributions of one file."""
    with st.container(horizontal=True):
        for name, value in file.facts.items():
            st.metric(name, f"{value:,}")
    st.code(file.about, language=None, wrap_lines=True)
    if file.lost.kinds:
        st.warning(file.lost.text + ". The Set aside tab lists them." + " Raise max_tokens in a study of its own, "
                   "shorten them, or run without them." * bool(file.lost.about), icon=":material/content_cut:")
    elif file.lost.text:
        st.caption(file.lost.text)
    if file.in_target:
        st.warning("Some pool rows are also in the target (same words, same picture). Training on them is training on "
                   "the benchmark: the Set aside tab lists them as warnings.", icon=":material/warning:")
    left, right = st.columns(2)
    left.header("Sources", help=told("source"))
    left.plotly_chart(figures.sources(file.sources), key=f"sources-{file.role}")
    right.header("Length in words")
    right.plotly_chart(figures.lengths(file.lengths), key=f"lengths-{file.role}")


def target_units(view: DataView) -> None:
    """The units of the target."""
    st.header(f"Target units ({len(view.units):,})", help=told("unit"))
    st.dataframe(view.units, hide_index=True, column_config={
        "position": "no.", "answer_format": "most frequent answers"})


def answer_formats(view: DataView) -> None:
    """How answers look in both files."""
    st.text("How the answers look, in the pool and in the target. A map of units may show this and not a skill: "
            "keep it in mind on the Capabilities page.")
    st.plotly_chart(figures.formats(format_table(view.pool.formats, view.target.formats)))


def browse(view: DataView, study: Study, store: Store) -> None:
    """Samples with their pictures; filters act on Apply."""
    with st.form("browse"):
        boxes = st.columns([1, 1, 1, 2])
        role = boxes[0].selectbox("File", ("pool", "target"))
        sources = told_apart([(None, "all sources"), *((name, name or NO_SOURCE) for name in view.sources)])
        source = boxes[1].selectbox("Source", list(sources), format_func=sources.__getitem__)
        form = boxes[2].selectbox("Answer format", [None, *ANSWER_FORMATS], format_func=lambda f: f or "all formats")
        words = boxes[3].text_input("Words in question, answer or id")
        st.form_submit_button("Apply", icon=":material/filter_alt:")
    where = {"source": source, "format": form, "search": words.strip() or None}
    total = store.samples(study, role, where=where, limit=0)[1]
    offset = pager(total, CARDS, f"browse-{role}-{where}")
    rows = store.samples(study, role, where=where, offset=offset, limit=CARDS)[0].to_dict("records")
    with guarded():
        rows = with_turns(study, role, rows)
    for start in range(0, len(rows), 3):
        for column, row in zip(st.columns(3), rows[start:start + 3], strict=False):
            with column.container(border=True):
                sample_card(study, role, row)


def read(study: Study) -> None:
    """The job that reads both files, and a button to start it."""
    job_panel(study, ("ingest",))
    if not control.is_running(study) and st.button("Read pool and target", type="primary"):
        control.start(study, "lengths")  # which also says what is probably too long
        st.rerun()


def contents(view: DataView, study: Study, store: Store) -> None:
    """What was read, one tab for each side of it."""
    tabs = st.tabs(["Pool", "Target", "Answer formats", "Columns", "Set aside", "Browse"])
    with tabs[0]:
        overview(view.pool)
    with tabs[1]:
        overview(view.target)
        target_units(view)
    with tabs[2]:
        answer_formats(view)
    with tabs[3]:
        columns(view)
    with tabs[4]:
        set_aside(view, study, store)
    with tabs[5]:
        browse(view, study, store)


study, store = pick_study("Data"), open_store()
with st.expander("Make a study", expanded=study is None, icon=":material/add:"), guarded():
    _new_study.form()
if study is not None:
    report = store.report(study)
    if report is None:
        read(study)
    else:
        lengths = {role: store.lengths(study, role) for role in ("pool", "target")}
        contents(data_view(report, store.units(study), lengths, left_out_rows(study)), study, store)
