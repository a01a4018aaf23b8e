"""Data page, part: what became of every row and of every key."""

import streamlit as st

from cadc.store import Store
from cadc.study import Study
from cadc.views.data import DataView, LostView, key_table, reason_table
from pages._parts.rows import pager

REASONS = 25


def set_aside(view: DataView, study: Study, store: Store) -> None:
    """Every row that is not used, or used with a warning, and why."""
    with st.container(horizontal=True):
        role = st.segmented_control("File", ("pool", "target"), default="pool", required=True)
        lost = view.file(role).lost
        named = {"set_aside": "set aside", "left_out": lost.title, "warnings": "used with a warning"}
        kind = st.segmented_control("Rows", tuple(named), default="set_aside", required=True, format_func=named.get)
    if kind == "left_out":
        left_out(lost, role)
        return
    kinds = view.file(role).kinds[kind]
    if not kinds:
        st.success("None.", icon=":material/check:")
        return
    st.dataframe(reason_table(kinds), hide_index=True)
    total = store.reasons(study, role, kind, limit=0)[1]
    offset = pager(total, REASONS, f"reasons-{role}-{kind}")
    st.dataframe(store.reasons(study, role, kind, offset=offset, limit=REASONS)[0], hide_index=True)


def columns(view: DataView) -> None:
    """What became of every column and key of the rows that are used."""
    st.text("Read: it became words, pictures, an id. Kept: it comes out again in exports, nothing is learnt from it. "
            "Ignored: it is in neither. A count is the number of used rows that have the key.")
    for file in (view.pool, view.target):
        st.header(file.role.capitalize())
        if file.keys is None:
            st.info("An earlier version read this file and did not count its keys. A study made anew on it shows them.",
                    icon=":material/info:")
        else:
            st.dataframe(key_table(file), hide_index=True)
        if file.passed_over:
            st.text("Files that are no data, passed over: " + ", ".join(
                f"{name} ({count:,})" for name, count in file.passed_over.items()))


def left_out(lost: LostView, role: str) -> None:
    """Rows that were accepted and that the run did without, or will probably do without."""
    if lost.about:
        st.caption(lost.about)
    if not lost.kinds:
        st.success("None.", icon=":material/check:") if lost.text else st.info("The run has not told yet.")
        return
    st.dataframe(reason_table(lost.kinds), hide_index=True)
    offset = pager(len(lost.rows), REASONS, f"left-out-{role}")
    st.dataframe(lost.table(offset, REASONS), hide_index=True)
