"""Data: make a study, and see what is in its pool and its target."""

import streamlit as st

from cadc.jobs import control as jobs
from cadc.study import Study
from cadc.views.figures import data as figures
from pages import _new_study, _ui

CARDS = 9


def overview(study: Study, report: dict, role: str) -> None:
    """Counts and distributions of one file."""
    found = report[role]
    facts = {"samples": found["accepted"], "set aside": found["set_aside_count"], "warnings": found["warnings_count"],
             "without a picture": found["text_only"], "several pictures": found["several_pictures"],
             "near-duplicates": found["duplicates"]}
    facts |= {"also in the target": found["also_in_target"]} if "also_in_target" in found else {}
    with st.container(horizontal=True):
        for name, value in facts.items():
            st.metric(name, f"{value:,}")
    st.code(f"{found['file']}  ·  {found['format']}  ·  {found['rows']:,} rows", language=None, wrap_lines=True)
    if found.get("also_in_target"):
        st.warning("Some pool rows are also in the target (same words, same picture). Training on them is training on "
                   "the benchmark: the Set aside tab lists them as warnings.", icon=":material/warning:")
    left, right = st.columns(2)
    left.subheader("Sources")
    left.plotly_chart(figures.sources(found["sources"]), key=f"sources-{role}")
    right.subheader("Length in words")
    right.plotly_chart(figures.lengths(store.lengths(study, role)), key=f"lengths-{role}")


def set_aside(study: Study, report: dict) -> None:
    """Every row that is not used, or used with a warning, and why."""
    with st.container(horizontal=True):
        role = st.segmented_control("File", ("pool", "target"), default="pool", required=True)
        kind = st.segmented_control("Rows", ("set_aside", "warnings"), default="set_aside", required=True,
                                    format_func={"set_aside": "set aside", "warnings": "used with a warning"}.get)
    kinds = report[role]["set_aside_kinds" if kind == "set_aside" else "warning_kinds"]
    if not kinds:
        st.success("None.", icon=":material/check:")
        return
    st.dataframe([{"reason": name, "rows": rows} for name, rows in kinds.items()], hide_index=True)
    total = store.reasons(study, role, kind, limit=0)[1]
    offset = _ui.pager(total, 25, f"reasons-{role}-{kind}")
    st.dataframe(store.reasons(study, role, kind, offset=offset)[0], hide_index=True)


def browse(study: Study, report: dict) -> None:
    """Samples with their pictures; filters act on Apply."""
    with st.form("browse"):
        columns = st.columns([1, 1, 1, 2])
        role = columns[0].selectbox("File", ("pool", "target"))
        sources = sorted({*report["pool"]["sources"], *report["target"]["sources"]})
        source = columns[1].selectbox("Source", [None, *sources], format_func=lambda s: s or "all")
        form = columns[2].selectbox("Answer format", [None, *figures.FORMATS], format_func=lambda f: f or "all")
        words = columns[3].text_input("Words in question, answer or id")
        st.form_submit_button("Apply", icon=":material/filter_alt:")
    where = {"source": source, "format": form, "search": words.strip() or None}
    total = store.samples(study, role, where=where, limit=0)[1]
    offset = _ui.pager(total, CARDS, f"browse-{role}-{where}")
    rows = store.samples(study, role, where=where, offset=offset, limit=CARDS)[0].to_dict("records")
    for start in range(0, len(rows), 3):
        for column, row in zip(st.columns(3), rows[start:start + 3], strict=False):
            with column.container(border=True):
                _ui.sample_card(study, role, row)


st.title("Data")
store, study = _ui.open_store(), _ui.pick_study()
with st.expander("Make a study", expanded=study is None, icon=":material/add:"), _ui.guarded():
    _new_study.form()
if study is not None:
    store.load_study(study)
    report = store.report(study)
    if report is None:
        _ui.job_panel(study, ("ingest",))
        if not jobs.is_running(study) and st.button("Read pool and target", type="primary"):
            jobs.start(study, "ingest")
            st.rerun()
    else:
        tabs = st.tabs(["Pool", "Target", "Answer formats", "Set aside", "Browse"])
        with tabs[0]:
            overview(study, report, "pool")
        with tabs[1]:
            overview(study, report, "target")
            st.subheader(f"Target units ({len(report['target']['units']):,})")
            st.dataframe(store.units(study), hide_index=True, column_config={
                "position": "no.", "answer_format": "most frequent answers"})
        with tabs[2]:
            st.text("How the answers look, in the pool and in the target. Gradients see this first: keep it in mind on "
                    "the Capabilities page.")
            st.plotly_chart(figures.formats(report["pool"]["answer_formats"], report["target"]["answer_formats"]))
        with tabs[3]:
            set_aside(study, report)
        with tabs[4]:
            browse(study, report)
