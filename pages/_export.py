"""Writing the saved curriculum to files from the page: formats, folder, files, the same command."""

import shlex
from pathlib import Path

import pandas as pd
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.export import FORMATS, Exported, export
from cadc.store import Store
from cadc.study import Study
from cadc.views.figures import curriculum as figures

DOWNLOAD_LIMIT = 50 << 20
"""Larger files are not sent through the browser; their path is shown."""
WHAT = {"llava": "LLaVA: conversations with <image> tags", "messages-tags": "chat messages with <image> tags",
        "messages-blocks": "chat messages with content blocks", "input": "the rows as they came"}


def panel(study: Study, store: Store, bench: Workbench, *, saved: bool) -> None:
    """Choose formats and a folder, write, see what was written."""
    left, right = st.columns(2, gap="large")
    with left:
        formats = st.multiselect("Formats", FORMATS, default=["llava"], format_func=WHAT.get, key="export-formats")
        typed = st.text_input("Folder", value=str(study.exports_folder), key="export-folder",
                              help="Each format gets a folder of its own in it. An earlier export there is replaced.")
        folders = {name: Path(typed).expanduser() / name for name in formats}
        if st.button("Export", icon=":material/download:", type="primary", disabled=not (saved and formats)):
            with st.spinner("Writing…"):
                st.session_state["exported"] = [write(study, store, bench, name, folder)
                                                for name, folder in folders.items()]
        if not saved:
            st.warning("Save first: an export is made of what is saved, so that it can be made again.",
                       icon=":material/save:")
    with right:
        st.markdown("**The same from the command line**")
        st.code("\n".join(command(study, bench, name, folder) for name, folder in folders.items()) or "choose a format",
                language=None, wrap_lines=True)
    for done in st.session_state.get("exported", []):
        if done["identity"] == study.identity:
            written(done)
    st.markdown("**Earlier exports**")
    st.dataframe(store.exports(study), hide_index=True)


def command(study: Study, bench: Workbench, form: str, folder: Path) -> str:
    """The command line that writes the same files."""
    return (f"python -m cadc export {shlex.quote(study.name)} --budget {figures.budget_text(bench.settings.budget)} "
            f"--format {form} --out {shlex.quote(str(folder))}")


def write(study: Study, store: Store, bench: Workbench, form: str, folder: Path) -> dict:
    """Write one format and keep a line about it in the database."""
    done: Exported = export(bench, folder, format=form)
    head = {key: value for key, value in done.manifest.items() if key != "rows"}
    store.record_export(study, folder=folder, format=form, rows=done.rows, manifest=head)
    return {"identity": study.identity, "format": form, "folder": folder, "rows": done.rows,
            "files": pd.DataFrame(head["files"])}


def written(done: dict) -> None:
    """What one export wrote."""
    with st.container(border=True):
        st.text(f"{done['format']}: {done['rows']:,} rows written to")
        st.code(str(done["folder"]), language=None, wrap_lines=True)
        st.dataframe(done["files"], hide_index=True)
        with st.container(horizontal=True):
            for name in ("curriculum.jsonl", "manifest.json"):
                path = done["folder"] / name
                if path.is_file() and path.stat().st_size <= DOWNLOAD_LIMIT:
                    st.download_button(name, path.read_bytes(), file_name=name, icon=":material/download:",
                                       key=f"download-{done['format']}-{name}", on_click="ignore")
                else:
                    st.text(f"{name}: too large to send through the browser; it is in the folder above")
