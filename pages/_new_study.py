"""Data page, first part: make a study of the embedded example, or of files that are typed or found."""

from datetime import datetime

import streamlit as st

from cadc.curation.presets import checked
from cadc.errors import DataError
from cadc.jobs import control
from cadc.study import Study, StudyConfig
from cadc.study.meanings import meanings
from cadc.views.data import check_file
from cadc.views.glossary import told
from cadc.views.jobs import is_read
from cadc.views.settings import GROUPS, defaults, kept_note, preset_help, preset_names
from pages._chooser import chooser
from pages._parts.shell import choose_study, guarded

NEEDED = {"pool": "the path of the pool file", "target": "the path of the target file",
          "name": "a name for the study"}
FOUND = {"new-pool": ("pool", "both"), "new-target": ("target", "both"), "new-images": ("image root", "folder"),
         "new-model": ("model", "folder")}
"""Text fields that the chooser fills."""


def form() -> None:
    """Two ways: the embedded example by one button, anything else by its files."""
    with st.container(border=True):
        st.header("Try it on the embedded example", anchor=False)
        st.markdown("A drawn pool and target and a tiny model, all synthetic: it shows the whole way in a few minutes, "
                    "and its numbers say nothing about real data. Nothing has to be given.")
        if st.button("Make a study of the embedded example", icon=":material/science:"):
            from cadc.demo.run import demo_study

            with st.spinner("Drawing the pictures and writing the questions…"):
                begin(demo_study())
    with st.container(border=True):
        st.header("Your own data", anchor=False)
        st.markdown("A file, a folder or a glob of shards: LLaVA JSON or JSONL, chat `messages`, questions with "
                    "answers, or parquet with a picture column; compressed or not.")
        chooser(FOUND)
        own_data()


def own_data() -> None:
    """The settings of a study in three groups, the rest folded; check or make it."""
    with st.form("new-study", border=False):
        typed = asked()
        with st.expander("Advanced settings", icon=":material/tune:"):
            advanced = advanced_settings()
        name = st.text_input("Name of the study", placeholder="my-study", width=320)
        with st.container(horizontal=True):
            checked = st.form_submit_button("Check the files", icon=":material/fact_check:")
            made = st.form_submit_button("Make the study", icon=":material/add:", type="primary")
    with guarded():
        if checked:
            check_files(typed)
            st.text(kept_note(advanced))
        if made:
            begin(make(name, typed, advanced))


def asked() -> dict[str, str]:
    """What everybody is asked for."""
    st.markdown("**Data**")
    left, right = st.columns(2)
    typed = {"pool": left.text_input("Pool file", placeholder="/data/pool.jsonl, /data/shards/ or /data/*.parquet",
                                     key="new-pool", help=told("pool")),
             "target": right.text_input("Target file", placeholder="/data/benchmark.jsonl", key="new-target",
                                        help=told("target")),
             "images": left.text_input("Image root", placeholder="empty: the folder of each file", key="new-images"),
             "unit_column": right.text_input("Unit column of the target", help=told("unit"), key="new-unit-column",
                                             placeholder="task, subtask, category …; empty: every sample alone")}
    model, method = st.columns(2)
    model.markdown("**Model**")
    typed["model"] = model.text_input("Model", placeholder="HuggingFaceTB/SmolVLM-256M-Instruct, or a local folder",
                                      key="new-model", help="Empty: the tiny embedded model, which only shows the "
                                      "workflow.")
    method.markdown("**Method**")
    typed["preset"] = method.selectbox(
        "Preset", preset_names(), index=preset_names().index(StudyConfig.preset),
        help=preset_help(lambda one: one.about, "`quick` starts without gradients; they can be added later, and "
                         "nothing is computed twice. The choice stays open on every study."))
    return typed


def advanced_settings() -> dict[str, str]:
    """Every other setting as typed, by what it is about; each says what it does."""
    st.caption("What stays as it is keeps its default, which fits most studies; docs/settings.md has them all.")
    helps, usual, typed = meanings(StudyConfig), defaults(), dict[str, str]()
    for group in GROUPS:
        st.markdown(f"**{group.name}**")
        st.caption(group.about)
        columns = st.columns(4)
        typed |= {name: columns[i % 4].text_input(name, value=usual[name], key=f"setting-{name}", help=helps.get(name))
                  for i, name in enumerate(group.settings)}
    return typed


def make(name: str, typed: dict[str, str], advanced: dict[str, str]) -> Study:
    """Register what was typed. Raises DataError for what is missing or wrong."""
    for key, what in NEEDED.items():
        if not (typed | {"name": name})[key].strip():
            raise DataError(f"something is missing: give {what}.")
    base = {key: text.strip() for key, text in typed.items()} | {"model": typed["model"].strip() or embedded()}
    return Study.create(name.strip(), checked(StudyConfig.from_settings(base, advanced)),
                        created=datetime.now().isoformat(timespec="seconds"))


def embedded() -> str:
    """Folder of the tiny embedded model."""
    from cadc.demo import MODEL_DIR

    return str(MODEL_DIR)


def check_files(typed: dict[str, str]) -> None:
    """Read the files that are named now and say what would be set aside. Raises DataError when none is named."""
    named = [(role, column) for role, column in (("pool", ""), ("target", typed["unit_column"])) if typed[role].strip()]
    if not named:
        raise DataError("there is nothing to check yet: give the path of the pool file, of the target file, or both.")
    for role, column in named:
        with st.spinner(f"Reading the {role}…"):
            found = check_file(role, typed[role].strip(), typed["images"].strip(), column)
        st.text("\n".join([found.text, *found.keys]))
        for title, rows in (("Set aside", found.set_aside), ("Used with a warning", found.warnings)):
            if rows:
                st.caption(title)
                st.dataframe(rows, hide_index=True, height=200)


def begin(study: Study) -> None:
    """Choose the new study and start reading its files."""
    choose_study(study.name)
    if not is_read(study) and not control.is_running(study):
        control.start(study, "lengths")
    st.rerun()
