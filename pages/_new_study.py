"""Data page, first part: make a study of the embedded example, or of typed paths."""

import dataclasses
import re
from datetime import datetime
from pathlib import Path

import streamlit as st

from cadc.errors import DataError
from cadc.jobs import control as jobs
from cadc.study import PRESETS, Study, StudyConfig
from pages._ui import guarded

ASKED = ("pool", "target", "images", "unit_column", "model", "preset")
NEEDED = {"pool": "the path of the pool file", "target": "the path of the target file",
          "name": "a name for the study"}


@st.cache_data
def meanings() -> dict[str, str]:
    """What each setting does, from docs/settings.md."""
    page = Path(__file__).parents[1] / "docs" / "settings.md"
    return dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page.read_text(encoding="utf-8"), re.M))


def form() -> None:
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
                 "model": left.text_input("Model", placeholder="HuggingFaceTB/SmolVLM-256M-Instruct, or a local folder",
                                          help="Empty: the tiny embedded model, which only shows the workflow."),
                 "preset": right.selectbox("Preset", PRESETS, help="`studio`: what our evidence supports. `paper`: "
                                           "what the paper states. Both stay available later.")}
        name = left.text_input("Name of the study", placeholder="my-study")
        with st.expander("Advanced settings"):
            columns = st.columns(3)
            fields = [f for f in dataclasses.fields(StudyConfig) if f.name not in ASKED]
            advanced = {f.name: columns[i % 3].text_input(f.name, value=str(f.default), key=f"setting-{f.name}",
                                                           help=meanings().get(f.name))
                        for i, f in enumerate(fields)}
        with st.container(horizontal=True):
            checked = st.form_submit_button("Check the files", icon=":material/fact_check:")
            made = st.form_submit_button("Make the study", icon=":material/add:", type="primary")
    if checked:
        with guarded():
            check_files(typed)
    if made:
        with guarded():
            for key, what in NEEDED.items():
                if not (typed | {"name": name})[key].strip():
                    raise DataError(f"something is missing: give {what}.")
            base = {key: text.strip() for key, text in typed.items()} | {"model": typed["model"].strip() or embedded()}
            config = StudyConfig.from_settings(base, advanced)
            begin(Study.create(name.strip(), config, created=datetime.now().isoformat(timespec="seconds")))


def embedded() -> str:
    """Folder of the tiny embedded model."""
    from cadc.demo import MODEL_DIR

    return str(MODEL_DIR)


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
