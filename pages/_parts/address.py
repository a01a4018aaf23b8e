"""The address of a page as the place where a selection is kept: replaced in one step, taken up again on coming back."""

from collections.abc import Collection, Iterable, Mapping

import streamlit as st

from pages._parts.tab import tab


def put_address(keys: Collection[str], said: Mapping[str, str | list[str]]) -> None:
    """Put this in the place of what the address has under these keys. One step: each one that is sent is a place to
    which the browser's Back goes."""
    kept = {key: st.query_params.get_all(key) for key in st.query_params}
    wanted = {key: values for key, values in kept.items() if key not in keys}
    wanted |= {key: [value] if isinstance(value, str) else list(value) for key, value in said.items()}
    if wanted != kept:
        st.query_params.from_dict(wanted)


def left_aside(sentences: Iterable[str], of: str = "the address") -> None:
    """Say what was not understood."""
    for sentence in sentences:
        st.warning(f"One thing of {of} was left aside:", icon=":material/help:")
        st.code(sentence, language=None, wrap_lines=True)


def arrived() -> bool:
    """Whether the tab has come to this page from another since this was asked: a link of the sidebar has dropped what
    belongs to the page. Where it has not, an address that says nothing means nothing: somebody went back to it."""
    held = tab()
    found, held.arrived = held.arrived, False
    return found
