"""Capabilities page: what the units ask, with pictures. Widgets only."""

from typing import Any

import streamlit as st

from cadc.store import Store
from cadc.study import Study
from cadc.views.capabilities import CapabilitiesView
from cadc.views.pictures import opened_pictures
from cadc.views.rows import with_turns
from cadc.views.words import drawn
from pages._parts.rows import sample_card
from pages._parts.shell import guarded

UNITS, ACROSS = 9, 3
"""Units that are shown at once, and how many beside each other."""
SIDE = 96
"""Width of the picture beside the map, in pixels."""


def beside(view: CapabilitiesView, study: Study, store: Store, selected: list[str]) -> None:
    """One sample of one selected unit, beside the map: picture, question, answer."""
    if not selected:
        st.caption("Click a unit on the map, and what it asks is shown here.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        newest = view.units.index(selected[-1])  # another selection is another list, and shows its last unit
        unit = st.selectbox("Unit shown", selected, index=len(selected) - 1, key=f"beside-{len(selected)}-{newest}",
                            label_visibility="collapsed")
        number = int(st.number_input("Sample shown", 1, 1_000, 1, key="beside-no", label_visibility="collapsed",
                                     width=130))
    with guarded():
        _, row = _sample(study, store, unit, number)
        with st.container(horizontal=True, gap="small"):
            if len(row["images"]):
                st.image(opened_pictures(study, "target", row)[0], width=SIDE)
            with st.container(gap="xxsmall"):
                for who, words in row["turns"]:
                    st.text(f"→ {words}" if who.startswith("answer") else words)


def panel(view: CapabilitiesView, study: Study, store: Store, selected: list[str]) -> None:
    """One sample of each unit of a capability, or of the units that are selected."""
    st.header("Examples")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ids = list(view.found.ids)
        of = st.selectbox("Samples of", ids, format_func=view.called, key=f"examples-{view.revision}", width=280,
                          disabled=bool(selected)) if ids else None
        number = int(st.number_input("Sample no.", 1, 1_000, 1, key="examples-no", width=140))
        units = selected or (list(view.found.members(of)) if of else [])
        st.text(drawn(min(UNITS, len(units)), len(units), "selected units" if selected else "units of this capability"))
    shown = units[:UNITS]
    for start in range(0, len(shown), ACROSS):
        for column, unit in zip(st.columns(ACROSS), shown[start:start + ACROSS], strict=False):
            with column.container(border=True), guarded():
                said, row = _sample(study, store, unit, number)
                st.text(said)
                sample_card(study, "target", row)


def _sample(study: Study, store: Store, unit: str, number: int) -> tuple[str, dict[str, Any]]:
    """The sample with this number of a unit, with its turns; its last one where it has fewer."""
    total = store.samples(study, "target", where={"unit": unit}, limit=0)[1]
    found = store.samples(study, "target", where={"unit": unit}, offset=min(number, total) - 1, limit=1)[0]
    return f"{unit} · {min(number, total)} of {total}", with_turns(study, "target", found.to_dict("records"))[0]
