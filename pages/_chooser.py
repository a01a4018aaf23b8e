"""Data page, part: find files and folders on the machine of the server, below the allowed roots. Widgets only."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cadc.views.folders import VARIABLE, Folder, look, roots
from pages._parts.guard import guarded
from pages._parts.tab import show, shown

PLACE = "choose-folder"


def chooser(fields: Mapping[str, tuple[str, str]]) -> None:
    """Look through folders and put what is found into text fields. fields: key of a text field → (what it is, whether
    it takes a `file`, a `folder` or `both`)."""
    with st.expander("Look for files on this machine", icon=":material/folder_open:"), guarded():
        allowed = [str(root) for root in roots()]
        if not allowed:
            st.text(f"No folder may be looked into: ${VARIABLE} names none that is there.")
            return
        here = look(shown(PLACE) or allowed[0])
        options = list(dict.fromkeys([*allowed, *map(str, here.above)]))
        show(PLACE, str(here.path))
        left, right = st.columns([3, 2])
        left.selectbox("Folder", options, key=PLACE, help=f"Only folders below the roots are listed: ${VARIABLE}, else "
                       "the folder that the app was started in and your home folder. Any other path can be typed.")
        chosen = entries(right, here)
        path = here.path / chosen if chosen else here.path
        st.text(f"{here.note}. Chosen:")
        st.code(str(path), language=None, wrap_lines=True)
        with st.container(horizontal=True):
            for key, (what, takes) in fields.items():
                st.button(f"Use as {what}", key=f"use-{key}", on_click=show, args=(key, str(path)),
                          disabled=takes == ("folder" if chosen else "file"))


def entries(place: DeltaGenerator, here: Folder) -> str | None:
    """What lies in a folder; choosing a folder opens it. Returns the chosen file."""
    names = {f"{name}/": name for name in here.folders} | {name: name for name in here.files}
    key = f"choose-in-{here.path}"

    def opened() -> None:
        if (name := shown(key)) and name.endswith("/"):
            show(PLACE, str(here.path / Path(names[name])))

    chosen = place.selectbox("In it", list(names), index=None, key=key, on_change=opened,
                             placeholder="a folder opens, a file is taken")
    return chosen if chosen and not chosen.endswith("/") else None
