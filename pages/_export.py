"""Writing the saved curriculum to files from the page: formats, folder, files, the same command."""

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.store import Store
from cadc.study import Study
from cadc.views.export import ExportView, command, default_folder, export_view, folders, format_lines, write


def panel(study: Study, store: Store, bench: Workbench, *, saved: bool) -> None:
    """Choose formats and a folder, write, see what was written last."""
    left, right = st.columns(2, gap="large")
    with left:
        lines = format_lines()
        formats = st.multiselect("Formats", list(lines), default=["llava"], format_func=lines.get, key="export-formats")
        typed = st.text_input("Folder", value=str(default_folder(study)), key="export-folder",
                              help="Each format gets a folder of its own in it. An earlier export there is replaced.")
        goals = folders(typed, formats)
        if st.button("Export", icon=":material/download:", type="primary", disabled=not (saved and formats)):
            with st.spinner("Writing…"):
                for form, folder in goals.items():
                    manifest = write(bench, form, folder)
                    store.record_export(study, folder=folder, format=form, rows=manifest["rows_written"],
                                        manifest=manifest)
        if not saved:
            st.warning("Save first: an export is made of what is saved, so that it can be made again.",
                       icon=":material/save:")
    with right:
        st.markdown("**The same from the command line**")
        st.code("\n".join(command(bench, form, folder) for form, folder in goals.items()) or "choose a format",
                language=None, wrap_lines=True)
    for form, folder in goals.items():
        if manifest := store.exported(study, folder, form):
            written(export_view(form, folder, manifest))
    st.markdown("**Earlier exports**")
    st.dataframe(store.exports(study), hide_index=True)


def written(view: ExportView) -> None:
    """What the last export into a folder wrote."""
    with st.container(border=True):
        st.text(f"{view.form}: {view.rows:,} rows written to")
        st.code(str(view.folder), language=None, wrap_lines=True)
        st.dataframe(view.files, hide_index=True)
        with st.container(horizontal=True):
            for path in view.offered:
                st.download_button(path.name, path.read_bytes(), file_name=path.name, icon=":material/download:",
                                   key=f"download-{view.form}-{path.name}", on_click="ignore")
            for name in view.kept:
                st.text(f"{name}: too large to send through the browser; it is in the folder above")
