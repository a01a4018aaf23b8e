"""Writing the saved curriculum to files from the page: trainer, pictures, folder, files, the same command."""

from functools import partial
from pathlib import Path

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.store import Store
from cadc.study import Study
from cadc.views.export import (
    ExportView,
    command,
    default_folder,
    export_view,
    exports_of,
    folder_of,
    packed,
    picture_lines,
    told_of,
    trainer_lines,
    write,
)


def panel(study: Study, store: Store, bench: Workbench, *, saved: bool) -> None:
    """Choose a trainer, pictures and a folder, write, see what was written last."""
    left, right = st.columns(2, gap="large")
    with left:
        lines = trainer_lines()
        form = st.selectbox("Trainer", list(lines), format_func=lines.get, key="export-trainer")
        ways = picture_lines(form)
        how = None
        if ways:
            how = st.selectbox("Pictures", list(ways), format_func=lambda way: f"{way}: {ways[way]}",
                               key=f"export-pictures-{form}", help="Only what this trainer can read is offered.")
        typed = st.text_input("Folder", value=str(default_folder(study)), key="export-folder",
                              help="Each trainer gets a folder of its own in it. An earlier export there is replaced.")
        folder = folder_of(typed, form)
        if st.button("Export", icon=":material/download:", type="primary", disabled=not saved):
            with st.spinner("Writing…"):
                manifest = write(bench, form, folder, how)
                store.record_export(study, folder=folder, format=form, rows=manifest["rows_written"], manifest=manifest)
            st.rerun()  # the steps in the sidebar count it
        if not saved:
            st.warning("Save first: an export is made of what is saved, so that it can be made again.",
                       icon=":material/save:")
    with right:
        st.markdown("**The same from the command line**")
        st.code(command(bench, form, folder, how), language=None, wrap_lines=True)
        st.caption("The folder runs as it lies, here or on another machine: rows in order, the trainer's own "
                   "configuration, and the recipe by which this study retrains. Its README.md says what is in it.")
    if manifest := told_of(folder) or store.exported(study, folder, form):
        written(export_view(study, str(manifest.get("format", form)), folder, manifest))
    earlier(study, store, folder)


def earlier(study: Study, store: Store, shown: Path) -> None:
    """Every export that there was, of this page and of the command line; a chosen one says what it wrote."""
    table = exports_of(study, store.exports(study))
    if table.empty:
        return
    st.markdown("**Earlier exports, of this page and of the command line**")
    event = st.dataframe(table, hide_index=True, on_select="rerun", selection_mode="single-row", key="exports",
                         column_config={"there": st.column_config.CheckboxColumn("still there")})
    for place in event["selection"]["rows"]:
        folder = Path(table["folder"].iloc[place])
        manifest = told_of(folder)
        if manifest is None:
            st.text("It is not there any more.")
        elif folder != shown.resolve():
            written(export_view(study, str(manifest["format"]), folder, manifest))


def written(view: ExportView) -> None:
    """What the last export into a folder wrote."""
    with st.container(border=True):
        st.text(f"{view.form}: {view.rows:,} rows written to")
        st.code(str(view.folder), language=None, wrap_lines=True)
        for note in view.notes:
            st.text(note)
        st.dataframe(view.files, hide_index=True)
        if view.run:
            st.markdown("**Train on it**")
            st.code(view.run, language=None, wrap_lines=True)
        st.markdown("**Check it, here or anywhere**")
        st.code(view.check, language=None, wrap_lines=True)
        if view.sendable:
            st.download_button(f"{view.folder.name}.zip, the whole folder ({view.weight})",
                               partial(packed, view.folder), file_name=f"{view.folder.name}.zip",
                               mime="application/zip", icon=":material/folder_zip:", key=f"zip-{view.folder}",
                               on_click="ignore")
        else:
            st.text(f"Too large to send through the browser ({view.weight}): it is in the folder above."
                    if view.there else "It is not there any more. Export again.")
