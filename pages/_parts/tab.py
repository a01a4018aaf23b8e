"""What one browser tab holds between reruns: the chosen study and the unsaved draft, beside what its widgets show.

The only module that touches Streamlit's session. Decisions are in the database, selections are what widgets show.
"""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from cadc.curation import CurationSettings


@dataclass(kw_only=True)
class Tab:
    """Input of a person that nothing else keeps."""

    study: str | None = None
    """Name of the study chosen last: a link of the sidebar drops it from the address."""
    draft: CurationSettings | None = None
    """The curriculum that is being shaped; None: what is saved."""
    draft_of: str = ""
    """What was saved when the draft was begun (`views.curriculum.draft_mark`)."""
    refused: str = ""
    """Why the last gesture was not taken; said once."""


def tab() -> Tab:
    """Of the tab that this script runs for."""
    return st.session_state.setdefault("tab", Tab())


def show(key: str, value: Any) -> None:
    """What the widget `key` shows when it is drawn next; before it is drawn, or in a callback."""
    st.session_state[key] = value


def shown(key: str, default: Any = None) -> Any:
    """What a person has just put into the widget `key`; for callbacks, which run before it is drawn."""
    return st.session_state.get(key, default)
