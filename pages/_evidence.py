"""Capabilities page, second half: what speaks for and against the map. Widgets and calls; results are remembered."""

import numpy as np
import pandas as pd
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.discovery import Stability
from cadc.jobs import control
from cadc.store import Store
from cadc.views import evidence, measured
from cadc.views.capabilities import CapabilitiesView
from cadc.views.figures import capabilities as figures
from cadc.views.jobs import was_begun
from cadc.views.words import drawn
from pages._parts.history import decide
from pages._parts.jobs import job_panel
from pages._parts.shell import guarded


@st.cache_data(max_entries=8, show_spinner="Clustering over the grid…")
def _grid(digest: str, signal: str, _similar: np.ndarray) -> pd.DataFrame:
    return evidence.grid_table(_similar)


@st.cache_resource(max_entries=16, show_spinner=False)
def _stability(digest: str, key: evidence.StabilityKey) -> list[Stability]:
    """Empty until somebody asks for it; then its one entry is shown wherever the same map is."""
    return []


@st.cache_data(max_entries=4, show_spinner="Grouping units by words and pictures…")
def _rivals(digest: str, _bench: Workbench) -> dict[str, np.ndarray]:
    return evidence.rival_labels(_bench)


def similarity(view: CapabilitiesView) -> None:
    """Heat map of S, ordered by capability."""
    st.text(f"How alike the units are, by {view.drawn_from}. Blocks along the diagonal are capabilities; bright cells "
            "outside them are units that could also belong elsewhere.")
    st.plotly_chart(figures.similarity_map(view.table, view.similarity), key="similarity")
    st.text(drawn(len(view.table), len(view.table), "units"))


def choice_of_k(view: CapabilitiesView, digest: str) -> None:
    """K and modularity over τ and γ: the choice is seen, not assumed."""
    if len(view.units) > evidence.MANY and not st.toggle("Compute the grid (some seconds for this many units)"):
        return
    found = _grid(digest, view.discovery.signal, view.similarity)
    part = view.partition
    st.text("A wide area of one K means that the number of capabilities does not hang on the threshold. The ring is "
            "nearest to the setting in force.")
    left, right = st.columns(2)
    left.markdown("**K**, the number of capabilities")
    left.plotly_chart(figures.grid(found, "k", part.tau, part.gamma), key="grid-k")
    right.markdown("**Modularity**, how clear-cut they are")
    right.plotly_chart(figures.grid(found, "modularity", part.tau, part.gamma), key="grid-modularity")
    with st.expander("Numbers"):
        st.dataframe(found, hide_index=True)


def bootstrap(bench: Workbench, digest: str) -> None:
    """Would other target samples have given the same capabilities?"""
    st.text(f"Draws the target samples of every unit again ({evidence.ROUNDS} times, with replacement), clusters with "
            "the same settings and compares. 1: always the same grouping; 0: no more alike than chance. A stable map "
            "is not yet a true one: look at the rival explanations too.")
    found = _stability(digest, evidence.stability_key(bench))
    if not found and st.button("Test the stability", icon=":material/shuffle:"):
        with st.spinner("Drawing target samples again and clustering…"):
            found.append(evidence.stability_of(bench))
        st.rerun()
    if found:
        view = evidence.stability_view(found[0], bench.discovery.signal)
        with st.container(horizontal=True):
            for name, value in view.facts.items():
                st.metric(name, value)
        if view.note:
            st.text(view.note)


def rival_explanations(bench: Workbench, digest: str) -> None:
    """What else would have given this map."""
    st.text("How far groupings that know nothing of gradients agree with the capabilities above (adjusted Rand index; "
            "1 is the same grouping, 0 is chance). If one of them explains the map, it may show that and not a skill.")
    table = evidence.rival_table(bench.capabilities.of_unit, _rivals(digest, bench))
    st.dataframe(table, hide_index=True, column_config={
        "rival": "rival explanation", "k": "groups",
        "ari": st.column_config.ProgressColumn("agreement with the map", min_value=0, max_value=1, format="%.2f")})


def transfer(bench: Workbench, store: Store) -> None:
    """What training on one unit does for the others: measured, or offered with its price."""
    study = bench.study
    st.text("The one test that real data allows: a few steps on one unit alone, then the held-out loss of every other "
            "unit. A capability is a group whose units help each other more than they help the rest.")
    found, running = measured.transfer_view(bench), control.is_running(study)
    st.text(found.sentence)
    if running:
        st.button("Cancel", icon=":material/stop:", on_click=control.cancel, args=(study,),
                  help="Stops at the next run; finished ones are kept.")
    elif not found.ready and st.button("Measure transfer", icon=":material/science:", type="primary"):
        control.start(study, "transfer")
        st.rerun()
    if not found.ready and (running or was_begun(study, "transfer")):
        job_panel(study, ("transfer",))
    if not found.ready:
        return
    if found.drawable and st.button("Draw the map from it", icon=":material/hub:"):
        decide(study, store, "discover", found.payload)
        st.rerun()
    st.dataframe(found.agreement, hide_index=True)
    if found.silent:
        st.warning("Of these units it is not known what others do for them, since their own samples do not lower their "
                   "own loss:", icon=":material/hearing_disabled:")
        st.text(", ".join(found.silent))


def tabs(bench: Workbench, view: CapabilitiesView, digest: str, store: Store) -> None:
    """All evidence, one tab each; a tab computes when it is opened."""
    names = {"Similarity": lambda: similarity(view), "Choice of K": lambda: choice_of_k(view, digest),
             "Stability": lambda: bootstrap(bench, digest),
             "Rival explanations": lambda: rival_explanations(bench, digest),
             "Transfer": lambda: transfer(bench, store)}
    shown = st.segmented_control("Evidence", list(names), default="Similarity", required=True,
                                 label_visibility="collapsed", key="evidence")
    with guarded():
        names[shown]()
