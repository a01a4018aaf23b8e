"""Capabilities: groups of target units that learn alike; name them, move, split, merge and lock them."""

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.discovery.clusterers import CLUSTERERS
from cadc.discovery.similarities import SIMILARITIES
from cadc.store import Store
from cadc.study import Study
from cadc.views.capabilities import CapabilitiesView, capabilities_view, first_questions, map_places
from cadc.views.unit_map import map_data
from pages import _evidence, _examples, _lights, _shaping
from pages._parts.bench import open_bench
from pages._parts.history import decide, decision_buttons, say_refused
from pages._parts.shell import open_study
from pages._parts.tab import shown, tab
from pages._parts.unit_map import unit_map
from pages._picked import pick, picked

# Of the map and of what stands beside it, in pixels: with the acts below it fits on a laptop's screen.
HEIGHT = 360


def find(view: CapabilitiesView, study: Study, store: Store) -> None:
    """How capabilities are found; one decision on Apply."""
    now, part = view.discovery, view.partition
    with st.form(f"find-{view.revision}", border=False):
        place = view.ready.index(now.signal) if now.signal in view.ready else 0
        # The column is narrow: a line for each choice stands in the help, the one in force below the button.
        signal = st.selectbox("Similarity", view.ready, index=place, help="By what units are compared.\n\n" + "\n".join(
            f"* **{name}**: {SIMILARITIES[name].about}" for name in view.ready))
        methods = list(CLUSTERERS)
        method = st.radio("Method", methods, index=methods.index(now.method), horizontal=True,
                          format_func=lambda name: CLUSTERERS[name].about.partition(":")[0])
        automatic = st.checkbox("Leiden: choose τ automatically", value=now.tau is None)
        tau = st.slider("Leiden: similarity threshold τ", 0.0, 1.0, float(part.tau or 0.0), 0.005, format="%.3f",
                        help="Two units are linked when their similarity exceeds τ.")
        gamma = st.slider("Leiden: resolution γ", 0.1, 3.0, float(now.gamma), 0.05,
                          help="Higher: more and smaller groups.")
        smallest = st.number_input("HDBSCAN: smallest group", 2, max(2, len(view.units)), now.min_size)
        if st.form_submit_button("Find capabilities", type="primary", icon=":material/hub:", width="stretch"):
            decide(study, store, "discover", {
                "method": method, "tau": None if automatic else tau, "gamma": gamma, "min_size": int(smallest),
                "signal": signal, "seed": now.seed})
            st.rerun()
    st.text(view.in_force)
    if part.note:
        st.text(part.note)
    for line in view.signals:
        if not line.ready:
            st.caption(f"{line.name}, not ready")
            st.text(line.why)


def draw_map(view: CapabilitiesView, bench: Workbench, study: Study, store: Store, chosen: list[str]) -> None:
    """The map; places are kept in the database, since those of many units take seconds."""
    spots = store.map(study, view.map_name)
    if spots is None:
        with st.spinner("Laying out the map…"):
            spots = map_places(view.similarity)
            store.save_map(study, view.map_name, spots)
    unit_map(map_data(view.table, spots, chosen, questions=first_questions(bench), note=view.map_note,
                      file=f"map-{view.discovery.signal}", height=HEIGHT), "map",
             lambda positions: pick(view, [view.units[p] for p in positions]))


def units(view: CapabilitiesView, chosen: list[str]) -> None:
    """The units as a table; its lines can be ticked, those that are picked elsewhere are."""
    st.header("Units")
    st.caption("A unit is one value of the target's unit column, a task of the benchmark. A capability is a group of "
               "units that are alike. Tick lines to select units, or draw around them on the map.")
    table_key = f"units-{view.revision}-{tab().picks}"
    st.dataframe(view.table.drop(columns=["position", "capability"]), hide_index=True, key=table_key, height=280,
                 on_select=lambda: pick(view, [view.units[r] for r in shown(table_key)["selection"]["rows"]],
                                        by_table=True),
                 selection_default={"selection": {"rows": [view.units.index(unit) for unit in chosen]}},
                 selection_mode="multi-row", column_config={
        "name": "capability", "answer_format": "answers", "other_name": "nearest other",
        "own": st.column_config.NumberColumn("similarity to own", format="%.2f"),
        "other": st.column_config.NumberColumn("to nearest other", format="%.2f")})


study, store = open_study("Capabilities")
bench, digest = open_bench(study, store)
view = capabilities_view(bench, store.units(study), len(store.decisions(study)))
header = st.container(horizontal=True, vertical_alignment="center")
say_refused()
for sentence in view.found.skipped:
    st.warning("A decision no longer applies:", icon=":material/info:")
    st.text(sentence)
chosen = picked(view)
with header:
    decision_buttons(study, store, "capabilities")
    _shaping.proposals(view, bench, study, store)
    _shaping.files(view, study, store)
transfer = _evidence.transfer_found(bench, digest)
_lights.lights_row(bench, digest, transfer)
wide, narrow = st.columns([5, 3])
with wide:
    draw_map(view, bench, study, store, chosen)
_shaping.acts(view, study, store, chosen)
with narrow, st.container(height=HEIGHT, border=False, gap="xxsmall"):
    with st.container(height=HEIGHT // 2 if chosen else HEIGHT - 60, border=False, gap="xxsmall"):
        _shaping.names(view, study, store, chosen)
    _examples.beside(view, study, store, chosen)
with st.expander("How they are found", icon=":material/tune:"):
    find(view, study, store)
with st.container():  # as many cards as units are picked: what is below keeps its place
    _examples.panel(view, study, store, chosen)
units(view, chosen)
_evidence.sections(bench, view, digest, store, transfer, chosen)
