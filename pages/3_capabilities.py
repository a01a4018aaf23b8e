"""Capabilities: groups of target units that learn alike; name them, move units, merge."""

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.discovery.clusterers import CLUSTERERS
from cadc.discovery.similarities import SIMILARITIES
from cadc.store import Store
from cadc.study import Study
from cadc.views.capabilities import NEW, NOWHERE, CapabilitiesView, capabilities_view, map_places, proposed
from cadc.views.figures import capabilities as figures
from cadc.views.palette import UNASSIGNED_NAME, colour, mark
from pages import _evidence, _examples
from pages._parts.bench import open_bench
from pages._parts.history import decide, decision_buttons
from pages._parts.shell import open_study
from pages._parts.tab import show, shown


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


def names(view: CapabilitiesView, bench: Workbench, study: Study, store: Store) -> None:
    """The capabilities, their names to be typed over, and a merge."""
    found = view.found

    def typed(capability: str, key: str) -> None:
        decide(study, store, "rename", {"capability": capability, "name": shown(key)}, now=found)

    for capability, name in zip(found.ids, found.names, strict=True):
        dot, field = st.columns([1, 8], vertical_alignment="bottom")
        dot.html(f'<span style="color:{colour(capability)};font-size:1.4rem">{mark(capability)}</span>')
        key = f"name-{capability}-{name}-{view.revision}"
        field.text_input(f"Name of {capability} · {len(found.members(capability)):,} units", value=name, key=key,
                         max_chars=80, on_change=typed, args=(capability, key))
    if offered := proposed(bench):
        said = "\n".join(f"{capability} → {name}" for capability, name in offered.items())
        st.button("Use proposed names", icon=":material/auto_awesome:", on_click=decide,
                  args=(study, store, "rename", *({"capability": c, "name": name} for c, name in offered.items())),
                  kwargs={"now": found})
        st.text(said)
    if found.unassigned:
        st.text(f"○ {UNASSIGNED_NAME}: {len(found.unassigned)} units")
    if found.k > 1:
        with st.popover("Merge two", icon=":material/merge:"):
            gone = st.selectbox("Put all units of", found.ids, format_func=view.called,
                                key=f"merge-from-{view.revision}")
            into = st.selectbox("into", [i for i in found.ids if i != gone], format_func=view.called,
                                key=f"merge-into-{view.revision}")
            st.button("Merge", on_click=decide, args=(study, store, "merge", {"from": gone, "into": into}),
                      kwargs={"now": found})


def picked(key: str, view: CapabilitiesView, into: str) -> None:
    """Lasso, box or click on the map, or lines of the table: they set the list of selected units."""
    selection = shown(key)["selection"]
    rows = selection["rows"] if "rows" in selection else [int(p["customdata"]) for p in selection["points"]]
    show(into, [view.units[r] for r in rows])


def move(view: CapabilitiesView, study: Study, store: Store, key: str) -> list[str]:
    """Selected units go to another capability: one act, one undo. Returns them."""
    chosen = st.multiselect("Selected units", view.units, key=key,
                            placeholder="draw around units on the map, tick lines in the table, or choose here")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    to = left.selectbox("Move them to", [*view.found.ids, NEW, NOWHERE], format_func=view.called,
                        key=f"to-{view.revision}")
    right.button("Move", disabled=not chosen, icon=":material/drive_file_move:", width="stretch", on_click=decide,
                 args=(study, store, "move", *view.moves(chosen, to)), kwargs={"now": view.found})
    st.text(view.selected_note(chosen))
    return chosen


def unit_map(view: CapabilitiesView, study: Study, store: Store, chosen: list[str], key: str) -> None:
    """The map, with a lasso; places are kept in the database because a UMAP of many units takes long."""
    spots = store.map(study, view.map_name)
    if spots is None:
        with st.spinner("Laying out the map. The first map of 100 units or more takes half a minute."):
            spots = map_places(view.similarity)
            store.save_map(study, view.map_name, spots)
    st.plotly_chart(figures.unit_map(view.table, spots, chosen), key="map", on_select=lambda: picked("map", view, key),
                    selection_mode=("lasso", "box", "points"))
    st.text(view.map_note)


def units(view: CapabilitiesView, key: str) -> None:
    """The units as a table; its lines can be ticked."""
    st.subheader("Units")
    st.caption("A unit is one value of the target's unit column, a task of the benchmark. A capability is a group of "
               "units that are alike. Tick lines to move units, or draw around them on the map.")
    table_key = f"units-{view.revision}"
    st.dataframe(view.table.drop(columns=["position", "capability"]), hide_index=True, key=table_key, height=280,
                 on_select=lambda: picked(table_key, view, key), selection_mode="multi-row", column_config={
        "name": "capability", "answer_format": "answers", "other_name": "nearest other",
        "own": st.column_config.NumberColumn("similarity to own", format="%.2f"),
        "other": st.column_config.NumberColumn("to nearest other", format="%.2f")})


study, store = open_study("Capabilities")
bench, digest = open_bench(study, store)
view = capabilities_view(bench, store.units(study), len(store.decisions(study)))
selected = f"selected-{study.identity}"
decision_buttons(study, store, "capabilities")
for sentence in view.found.skipped:
    st.warning("A decision no longer applies:", icon=":material/info:")
    st.text(sentence)
wide, narrow = st.columns([5, 2])
with narrow:
    with st.container(border=True):
        st.markdown(f"**{view.found.k} capabilities** · type to rename")
        names(view, bench, study, store)
    with st.expander("How they are found", icon=":material/tune:"):
        find(view, study, store)
with wide:
    placed = st.container()
    chosen = move(view, study, store, selected)
_examples.panel(view, study, store, chosen)
units(view, selected)
_evidence.tabs(bench, view, digest, store)
with placed:
    unit_map(view, study, store, chosen, selected)
