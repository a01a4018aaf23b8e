"""Capabilities page: the list of capabilities, what is done with the selected units, and files. Widgets only."""

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.discovery import labelling
from cadc.store import Store
from cadc.study import Study
from cadc.views import shaping
from cadc.views.capabilities import CapabilitiesView, proposed
from cadc.views.decisions import NEW, NOWHERE
from cadc.views.palette import UNASSIGNED_NAME, colour, mark
from cadc.views.row_filter import RowFilter
from pages._parts.history import decide
from pages._parts.links import rows_link
from pages._parts.shell import guarded
from pages._parts.tab import shown
from pages._picked import box, pick


def names(view: CapabilitiesView, study: Study, store: Store, chosen: list[str]) -> None:
    """A line per capability: its mark, its name to be typed over, its units to be selected (how many of them are), its
    lock."""
    found = view.found

    def typed(capability: str, field: str) -> None:
        decide(study, store, "rename", {"capability": capability, "name": shown(field)}, now=found)

    for capability, name in zip(found.ids, found.names, strict=True):
        units, held = found.members(capability), capability in found.locked
        inside = len(set(units) & set(chosen))
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.html(f'<span style="color:{colour(capability)};font-size:1.1rem">{mark(capability)}</span>',
                    width="content")
            field = f"name-{capability}-{name}-{view.revision}"
            st.text_input(f"Name of {capability} · {len(units):,} units", value=name, key=field, max_chars=80,
                          label_visibility="collapsed", on_change=typed, args=(capability, field))
            st.button(f"{inside:,} of {len(units):,}" if inside else f"{len(units):,}", key=f"all-{capability}",
                      type="tertiary", on_click=pick, args=(view, units), icon=":material/select_all:",
                      help=f"Select the units of {capability}")
            st.button("", key=f"lock-{capability}", type="tertiary", on_click=decide, kwargs={"now": found},
                      args=(study, store, "lock", {"capability": capability, "on": not held}),
                      icon=":material/lock:" if held else ":material/lock_open:",
                      help=f"Unlock {capability}" if held else f"Lock {capability}: its units stay as they are, also "
                      "when capabilities are found anew")
    if found.unassigned:
        st.button(f"○ {UNASSIGNED_NAME}: {len(found.unassigned):,} units", key="all-unassigned", type="tertiary",
                  on_click=pick, args=(view, found.unassigned))


def acts(view: CapabilitiesView, study: Study, store: Store, chosen: list[str]) -> None:
    """What is selected, and what can be done with it: one act, one undo each."""
    found = view.found
    box(view, chosen, f"selected-{study.identity}")
    split, merged, locks = (shaping.splitting(view, chosen), shaping.merging(found, chosen),
                            shaping.locking(found, chosen))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        to = st.selectbox("Move them to", [*found.ids, NEW, NOWHERE], format_func=view.called,
                          label_visibility="collapsed", key=f"to-{view.revision}", width=190)

        def act(label: str, kind: str, payloads: list, icon: str, why: str) -> None:
            st.button(label, disabled=not payloads, icon=icon, on_click=decide, args=(study, store, kind, *payloads),
                      kwargs={"now": found}, help=why)

        act("Move", "move", view.moves(chosen, to), ":material/drive_file_move:", "Selected units go there")
        act("Split", "move", split, ":material/call_split:", "Selected units become a capability of their own; where "
            "all units of one are selected, the less similar half does")
        act("Merge", "merge", merged, ":material/merge:", "All capabilities with a selected unit become one")
        act("Lock" if not locks or locks[0]["on"] else "Unlock", "lock", locks, ":material/lock:",
            "Capabilities with a selected unit stay as they are, also when they are found anew")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(view.selected_note(chosen))
        if chosen:
            rows_link(study, RowFilter(unit=chosen[-1]),
                      "Pool rows nearest to " + ("it" if len(chosen) == 1 else "the last of them"))


def proposals(view: CapabilitiesView, bench: Workbench, study: Study, store: Store) -> None:
    """Names from the words of the questions, for capabilities that nobody has named."""
    if offered := proposed(bench):
        with st.popover(f"Names ({len(offered)})", icon=":material/auto_awesome:",
                        help="Names proposed from what the questions ask"):
            st.text("\n".join(f"{capability} → {name}" for capability, name in offered.items()))
            st.button("Use proposed names", on_click=decide, type="primary", kwargs={"now": view.found}, args=(
                study, store, "rename", *({"capability": c, "name": name} for c, name in offered.items())))


def files(view: CapabilitiesView, study: Study, store: Store) -> None:
    """Capabilities as JSON, out and in."""
    with st.popover("File", icon=":material/save:", help="Capabilities as JSON, out and in"):
        st.download_button("Download as JSON", labelling.to_json(view.found), f"capabilities-{study.identity}.json",
                           "application/json", icon=":material/download:", on_click="ignore")
        sent = st.file_uploader("Capabilities from JSON", type="json", key=f"read-{view.revision}")
        if sent is None:
            return
        with guarded():
            payloads = labelling.from_json(sent.getvalue().decode("utf-8", "replace"), view.found)
            st.text("" if payloads else "These are the capabilities in force.")
            st.button("Use these capabilities", type="primary", disabled=not payloads, on_click=decide,
                      args=(study, store, "label", *payloads), kwargs={"now": view.found})
