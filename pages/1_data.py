"""Data: make a study, and see what is in its pool and its target."""

import dataclasses
from datetime import datetime

import streamlit as st

from cadc import jobs
from cadc.figures import data as figures
from cadc.study import PRESETS, Study, StudyConfig
from pages import _ui

ASKED = ("pool", "target", "images", "unit_column", "model", "preset")
CARDS = 9


def new_study() -> None:
    """The embedded example by one button, anything else by its paths."""
    st.markdown("**Embedded example.** A drawn pool and target and a tiny model, all synthetic: it shows the whole "
                "way in a few minutes, and its numbers say nothing about real data.")
    if st.button("Make a study of the embedded example", icon=":material/science:"):
        from cadc.demo.run import demo_study

        with st.spinner("Drawing the pictures and writing the questions…"):
            begin(demo_study())
    st.markdown("**Your own data.** LLaVA JSON or JSONL, chat `messages` JSONL, or parquet with a picture column.")
    with st.form("new-study"):
        left, right = st.columns(2)
        typed = {"pool": left.text_input("Pool file", placeholder="/data/pool.jsonl"),
                 "target": right.text_input("Target file", placeholder="/data/benchmark.jsonl"),
                 "images": left.text_input("Image root", placeholder="empty: the folder of each file"),
                 "unit_column": right.text_input("Unit column of the target",
                                                 placeholder="task, subtask, category …; empty: every sample alone"),
                 "model": left.text_input("Model", placeholder="HuggingFaceTB/SmolVLM-256M-Instruct or a local folder"),
                 "preset": right.selectbox("Preset", PRESETS, help="`studio`: what our evidence supports. `paper`: "
                                           "what the paper states. Both stay available later.")}
        name = left.text_input("Name of the study", placeholder="my-study")
        with st.expander("Advanced settings (docs/settings.md says what each one does)"):
            columns = st.columns(3)
            fields = [f for f in dataclasses.fields(StudyConfig) if f.name not in ASKED]
            advanced = {f.name: columns[i % 3].text_input(f.name, value=str(f.default), key=f"setting-{f.name}")
                        for i, f in enumerate(fields)}
        with st.container(horizontal=True):
            checked = st.form_submit_button("Check the files", icon=":material/fact_check:")
            made = st.form_submit_button("Make the study", icon=":material/add:", type="primary")
    if checked:
        with _ui.guarded():
            check_files(typed)
    if made:
        with _ui.guarded():
            config = StudyConfig.from_settings(typed, advanced)
            begin(Study.create(name.strip(), config, created=datetime.now().isoformat(timespec="seconds")))


def check_files(typed: dict[str, str]) -> None:
    """Read both files now and say what would be set aside."""
    from cadc.data import check

    for role, column in (("pool", ""), ("target", typed["unit_column"])):
        with st.spinner(f"Reading the {role}…"):
            found = check(typed[role], typed["images"], column)
        st.text(f"{role}: {found['samples']:,} rows, {found['accepted']:,} usable, {len(found['set_aside']):,} set "
                f"aside, {len(found['warnings']):,} warnings")
        if found["set_aside"]:
            st.dataframe(found["set_aside"][:200], hide_index=True, height=200)


def begin(study: Study) -> None:
    """Choose the new study and start reading its files."""
    st.query_params["study"] = st.session_state["study"] = study.name
    if not jobs.finished(study, "ingest") and not jobs.is_running(study):
        jobs.start(study, "ingest")
    st.rerun()


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
        source = columns[1].selectbox("Source", [None, *report["pool"]["sources"]], format_func=lambda s: s or "all")
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
    new_study()
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
            st.dataframe(store.units(study), hide_index=True)
        with tabs[2]:
            st.text("How the answers look, in the pool and in the target. Gradients see this first: keep it in mind on "
                    "the Capabilities page.")
            st.plotly_chart(figures.formats(report["pool"]["answer_formats"], report["target"]["answer_formats"]))
        with tabs[3]:
            set_aside(study, report)
        with tabs[4]:
            browse(study, report)
