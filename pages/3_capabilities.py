"""Capabilities: groups of target units that learn alike; name them, move units, merge."""

import streamlit as st

from cadc.discovery import layout, layout_method
from cadc.views.figures import capabilities as figures
from cadc.views.figures.palette import UNASSIGNED_NAME, colour, mark
from pages import _bench, _evidence, _ui

NEW, NOWHERE = "new", "nowhere"


def find() -> None:
    """How capabilities are found; one decision on Apply."""
    now, part = bench.discovery, bench.partition
    with st.form(f"find-{revision}", border=False):
        signal = st.radio("Target gradients", ["plain", "grounded"] if scores.has_grounded else ["plain"],
                          index=int(now.signal == "grounded"), horizontal=True,
                          help="grounded: what the words alone teach is subtracted; what the picture causes stays.")
        method = st.radio("Method", ["leiden", "hdbscan"], index=int(now.method == "hdbscan"), horizontal=True,
                          format_func={"leiden": "Leiden", "hdbscan": "HDBSCAN"}.get)
        automatic = st.checkbox("Leiden: choose τ automatically", value=now.tau is None)
        tau = st.slider("Leiden: similarity threshold τ", 0.0, 1.0, float(part.tau or 0.0), 0.005, format="%.3f",
                        help="Two units are linked when their similarity exceeds τ.")
        gamma = st.slider("Leiden: resolution γ", 0.1, 3.0, float(now.gamma), 0.05,
                          help="Higher: more and smaller groups.")
        smallest = st.number_input("HDBSCAN: smallest group", 2, max(2, len(scores.units)), now.min_size)
        if st.form_submit_button("Find capabilities", type="primary", icon=":material/hub:", width="stretch"):
            _ui.decide(study, store, "discover", {
                "method": method, "tau": None if automatic else tau, "gamma": gamma, "min_size": int(smallest),
                "signal": signal, "seed": now.seed})
            st.rerun()
    st.text(f"in force: {part.method}, " + (f"τ {part.tau:.3f}, γ {part.gamma:g}" if part.method == "leiden" else
            f"smallest group {part.min_size}") + f", modularity {part.modularity:.2f}")
    if part.note:
        st.text(part.note)


def typed_name(capability: str, key: str) -> None:
    """A name was typed into a field."""
    _ui.decide(study, store, "rename", {"capability": capability, "name": st.session_state[key]})


def names() -> None:
    """The capabilities, their names to be typed over, and a merge."""
    for capability, name in zip(found.ids, found.names, strict=True):
        dot, field = st.columns([1, 8], vertical_alignment="bottom")
        dot.html(f'<span style="color:{colour(capability)};font-size:1.4rem">{mark(capability)}</span>')
        key = f"name-{capability}-{name}-{revision}"
        field.text_input(f"Name of {capability} · {len(found.members(capability)):,} units", value=name, key=key,
                         max_chars=80, on_change=typed_name, args=(capability, key))
    if found.unassigned:
        st.text(f"○ {UNASSIGNED_NAME}: {len(found.unassigned)} units")
    if found.k > 1:
        with st.popover("Merge two", icon=":material/merge:"):
            gone = st.selectbox("Put all units of", found.ids, format_func=called, key=f"merge-from-{revision}")
            into = st.selectbox("into", [i for i in found.ids if i != gone], format_func=called,
                                key=f"merge-into-{revision}")
            st.button("Merge", on_click=_ui.decide, args=(study, store, "merge", {"from": gone, "into": into}))


def called(capability: str) -> str:
    """Plain name of a capability in a list of choices."""
    special = {NEW: "a new capability", NOWHERE: f"{mark(None)} {UNASSIGNED_NAME}"}
    return special.get(capability) or f"{mark(capability)} {found.name_of(capability)}"


def picked(key: str) -> None:
    """Lasso, box or click on the map, or lines of the table: they set the list of selected units."""
    selection = st.session_state[key]["selection"]
    rows = selection["rows"] if "rows" in selection else [int(p["customdata"]) for p in selection["points"]]
    st.session_state["selected-units"] = [scores.units[r] for r in rows]


def move() -> None:
    """Selected units go to another capability: one act, one undo."""
    st.session_state["selected-units"] = [u for u in st.session_state.get("selected-units", []) if u in scores.units]
    chosen = st.multiselect("Selected units", scores.units, key="selected-units",
                            placeholder="draw around units on the map, tick lines in the table, or choose here")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    to = left.selectbox("Move them to", [*found.ids, NEW, NOWHERE], format_func=called, key=f"to-{revision}")
    # The first unit opens a new capability, the others follow it there.
    goals = [{NEW: f"c{found.issued + 1}" if i else NEW, NOWHERE: None}.get(to, to) for i in range(len(chosen))]
    payloads = [{"unit": unit, "to": goal} for unit, goal in zip(chosen, goals, strict=True)]
    right.button("Move", disabled=not chosen, on_click=_ui.decide, args=(study, store, "move", *payloads),
                 icon=":material/drive_file_move:", width="stretch")
    inside = table[table["unit"].isin(chosen)]["name"].value_counts()
    st.text(f"{len(chosen)} of {len(scores.units)} units selected" + "".join(
        f" · {rows} in {name}" for name, rows in inside.items()))


def unit_map() -> None:
    """The map, with a lasso; places are kept in the database because a first UMAP takes long."""
    spots = store.map(study, bench.discovery.signal)
    if spots is None:
        with st.spinner("Laying out the map. The first map after an installation takes half a minute."):
            spots = layout(bench.similarity)
            store.save_map(study, bench.discovery.signal, spots)
    figure = figures.unit_map(table, spots, st.session_state.get("selected-units", []))
    st.plotly_chart(figure, key="map", on_select=lambda: picked("map"), selection_mode=("lasso", "box", "points"))
    how = {"umap": "UMAP", "mds": "classical scaling (too few units for UMAP)"}[layout_method(len(scores.units))]
    st.text(f"drawn {len(table):,} of {len(table):,} units · {how}, {bench.discovery.signal} gradients · near means "
            "similar; distances between far groups mean little")


st.title("Capabilities")
study, store = _ui.open_study()
bench = _bench.open_bench(study, store)
scores, found = bench.scores, bench.capabilities
revision = len(store.decisions(study)) * 1000 + len(bench.events)
units = store.units(study).set_index("unit").reindex(scores.units).reset_index()
table = figures.unit_table(units, bench.similarity, found.of_unit, found.ids, found.names)
_ui.decision_buttons(study, store, "capabilities")
for sentence in found.skipped:
    st.warning("A decision no longer applies:", icon=":material/info:")
    st.text(sentence)
wide, narrow = st.columns([5, 2])
with narrow:
    with st.container(border=True):
        st.markdown(f"**{found.k} capabilities** · type to rename")
        names()
    with st.expander("How they are found", icon=":material/tune:"):
        find()
with wide:
    placed = st.container()
    move()
st.subheader("Units")
event_key = f"units-{revision}"
st.dataframe(table.drop(columns=["position", "capability"]), hide_index=True, key=event_key, height=280,
             on_select=lambda: picked(event_key), selection_mode="multi-row", column_config={
    "name": "capability", "answer_format": "answers", "other_name": "nearest other",
    "own": st.column_config.NumberColumn("similarity to own", format="%.2f"),
    "other": st.column_config.NumberColumn("to nearest other", format="%.2f")})
_evidence.tabs(bench, table)
with placed:
    unit_map()
