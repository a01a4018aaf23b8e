"""Capabilities page: K and what speaks for it over τ and γ; a cell that is clicked can be used. Widgets only."""

from dataclasses import asdict, replace

import numpy as np
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.store import Store
from cadc.views import grid
from cadc.views.capabilities import CapabilitiesView
from cadc.views.figures import capabilities as figures
from pages._parts.history import decide
from pages._parts.shell import guarded


@st.cache_data(max_entries=8, show_spinner="Clustering over the grid…")
def _grid(digest: str, signal: str, stamp: float, _similar: np.ndarray) -> grid.Grid:
    return grid.grid_of(_similar)


@st.cache_resource(max_entries=8, show_spinner=False)
def _stabilities(digest: str, signal: str, stamp: float) -> list[np.ndarray]:
    """Empty until somebody asks; then one entry."""
    return []


def choice_of_k(bench: Workbench, view: CapabilitiesView, digest: str, store: Store) -> None:
    """The choice is seen, not assumed, and made with a click."""
    if len(view.units) > grid.MANY and not st.toggle("Compute the grid (some seconds for this many units)"):
        return
    part, signal = view.partition, view.discovery.signal
    key = (digest, signal, float(view.similarity.sum()))  # transfer may be measured anew while the scores stay
    found, kept = _grid(*key, view.similarity), _stabilities(*key)
    table = found.table.assign(agreement=grid.agreement(found, view.found.of_unit))
    if kept:
        table = table.assign(stability=kept[0])
    now, wide = grid.nearest(table, part.tau, part.gamma), grid.plateau(table)
    st.text("A wide area of one K means that the number of capabilities does not hang on the threshold. The frame is "
            "the widest one, the ring is nearest to the setting in force. Click a cell to use it; the sliders under "
            "“How they are found” do the same.")
    st.text(grid.plateau_note(table, wide, now))
    left, right = st.columns(2)
    left.markdown("**K**, the number of capabilities")
    clicked = [left.plotly_chart(figures.grid(table, "k", now, wide), key="grid-k", on_select="rerun",
                                 selection_mode="points")]
    measures = [name for name in grid.MEASURES if name in table]
    with right:
        value = st.selectbox("Beside it", measures, format_func=grid.MEASURES.__getitem__, key="grid-measure",
                             index=measures.index("agreement"), label_visibility="collapsed")
        clicked.append(st.plotly_chart(figures.grid(table, value, now, wide), key="grid-measure-map",
                                       on_select="rerun", selection_mode="points"))
    cells = [int(point["customdata"]) for event in clicked for point in event["selection"]["points"]
             if "customdata" in point]
    with st.container(horizontal=True, vertical_alignment="center"):
        if cells:
            st.text(grid.cell_note(table, cells[-1]))
            row = table.iloc[cells[-1]]
            st.button("Use this τ and γ", icon=":material/hub:", type="primary", on_click=decide,
                      args=(bench.study, store, "discover", asdict(replace(
                          view.discovery, method="leiden", tau=float(row["tau"]), gamma=float(row["gamma"])))))
        if not kept and st.button("Test the stability of every cell", icon=":material/shuffle:"):
            with st.spinner("Drawing target samples again and clustering…"), guarded():
                kept.append(grid.stability(found, bench.units(signal)))
                st.rerun()
    with st.expander("Numbers"):
        st.dataframe(table, hide_index=True)
