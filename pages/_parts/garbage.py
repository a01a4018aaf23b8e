"""What the page server need not look through again and again."""

import gc
import sys

import streamlit as st


@st.cache_resource(show_spinner=False)
def _known() -> list[int]:
    """How many modules were loaded when what there was was last set aside."""
    return [0]


def set_aside() -> None:
    """Take everything alive out of the garbage collector's sight, whenever modules were loaded since the last time.

    Streamlit collects after every run of a page and of every live part of it. With torch and plotly loaded that walks
    half a million objects which never go, and took three times as long as the runs themselves.
    """
    known = _known()
    if len(sys.modules) > known[0]:
        gc.collect()
        gc.freeze()
        known[0] = len(sys.modules)
