"""What one browser tab holds between reruns: the chosen study and the unsaved draft, beside what its widgets show.

The only module that touches Streamlit's session. Decisions are in the database, selections are what widgets show.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from cadc.curation import CurationSettings
from cadc.views.row_filter import RowFilter


@dataclass(kw_only=True)
class Tab:
    """Input of a person that nothing else keeps."""

    study: str | None = None
    """Name of the study chosen last: a link of the sidebar drops it from the address."""
    page: str = ""
    """Name of the page that was drawn last."""
    arrived: bool = True
    """Whether it was another before, until the page has asked (`pages._parts.address.arrived`)."""
    draft: CurationSettings | None = None
    """The curriculum that is being shaped; None: what is saved."""
    draft_of: str = ""
    """What was saved when the draft was begun (`views.curriculum.draft_mark`)."""
    sliders: dict[str, int] = field(default_factory=dict)
    """Which one of a slider's widgets is drawn now (`pages._draft.moved_by_hand`)."""
    touched: set[str] = field(default_factory=set)
    """Those of them that a person has moved."""
    looked: RowFilter = RowFilter()
    """Rows that were looked at last: a link of the sidebar drops them from the address."""
    ticked: frozenset[int] = frozenset()
    """Pool rows that are ticked, on whatever page of the table."""
    ticks: int = 0
    """Changes when ticks are set by anything but the table: it is another table then."""
    flow: RowFilter = RowFilter()
    """What of Influence was looked at last: source, capability, bounds."""
    picked: tuple[str, ...] = ()
    """Target units that were picked last: a link of the sidebar drops them from the address."""
    picks: int = 0
    """Changes when units are picked by anything but their table: it is another table then."""
    drawn: str = ""
    """The area that was drawn last on the map of rows."""
    areas: int = 0
    """Changes when an area is taken away by anything but the map: it is another map then."""
    scroll: bool = False
    """Whether the part below a page's controls is to be brought into view; once."""
    refused: str = ""
    """Why the last gesture was not taken; said once."""


def tab() -> Tab:
    """Of the tab that this script runs for."""
    return st.session_state.setdefault("tab", Tab())


def show(key: str, value: Any) -> None:
    """What the widget `key` shows when it is drawn next; before it is drawn, or in a callback.

    Nothing is sent where it shows that already: what a browser is told to show takes the place of what was pressed
    meanwhile, so that a slider would swallow keys.
    """
    widgets = st.session_state
    if key not in widgets or not _same(widgets[key], value):
        widgets[key] = value


def _same(now: Any, value: Any) -> bool:
    """A browser counts 25 + 0.1 its own way."""
    return math.isclose(now, value, rel_tol=1e-9) if isinstance(now, float) and isinstance(value, float) else (
        now == value)


def shown(key: str, default: Any = None) -> Any:
    """What a person has just put into the widget `key`; for callbacks, which run before it is drawn."""
    return st.session_state.get(key, default)
