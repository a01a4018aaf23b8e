"""Capabilities page: one checkpoint beside all, how the units are divided, two labellings. Widgets only."""

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.store import Store
from cadc.views import checkpoints, labellings
from cadc.views.capabilities import CapabilitiesView
from cadc.views.figures import capabilities as figures

SAVED = {"toImageButtonOptions": {"format": "svg", "scale": 2}, "displayModeBar": True}


@st.cache_data(max_entries=32, show_spinner="Laying out the map of one checkpoint…")
def _at(digest: str, signal: str, of_unit: tuple[int, ...], number: int, _bench: Workbench) -> checkpoints.AtCheckpoint:
    return checkpoints.at_checkpoint(_bench, number)


@st.cache_data(max_entries=32, show_spinner="Grouping units…")
def _labelling(digest: str, decided: str, choice: labellings.Choice, _bench: Workbench) -> labellings.Labelling:
    return labellings.labelling(_bench, choice)


def one_checkpoint(bench: Workbench, view: CapabilitiesView, digest: str) -> None:
    """The map and the similarity at one checkpoint against all together."""
    if why := checkpoints.lacking(bench):
        st.info(why)
        return
    total = checkpoints.checkpoints(bench)
    number = st.slider("Checkpoint", 1, total, total, key="checkpoint") if total > 1 else 1
    found = _at(digest, view.discovery.signal, view.found.of_unit, number, bench)
    st.text(found.sentence)
    left, right = st.columns(2)
    left.markdown(f"**Checkpoint {number}**")
    left.plotly_chart(figures.unit_map(view.table, found.spots), key="checkpoint-map", config=SAVED)
    right.markdown("**All checkpoints**, weighted by learning rate")
    right.plotly_chart(figures.unit_map(view.table, found.whole), key="checkpoint-all", config=SAVED)
    st.plotly_chart(figures.similarity_map(view.table, found.similarity), key="checkpoint-similarity", config=SAVED)
    with st.expander("Numbers"):
        st.dataframe(checkpoints.place_table(view.table, found), hide_index=True)


def proportions(bench: Workbench) -> None:
    """How the target's units are divided."""
    table = checkpoints.share_table(bench)
    st.plotly_chart(figures.proportions(table), key="proportions", config=SAVED)
    st.dataframe(table, hide_index=True, column_config={"share": st.column_config.NumberColumn(format="percent")})


def two_labellings(bench: Workbench, view: CapabilitiesView, digest: str, store: Store) -> None:
    """The capabilities in force against another map, or against what they were."""
    decisions = store.decisions(bench.study, "capabilities")
    offered = labellings.choices(view.ready, decisions)
    choice = st.selectbox("The capabilities in force beside", list(offered), format_func=offered.__getitem__,
                          key=f"compared-{view.revision}", width=420)
    other = _labelling(digest, view.revision, choice, bench)
    table, index = labellings.compared(
        labellings.Labelling(names=view.found.names, of_unit=view.found.of_unit), other)
    st.text(f"Adjusted Rand index {index:.2f}: 1 is the same grouping, 0 no more alike than chance. Lines are the "
            "capabilities in force, columns the other groups, cells the units in both.")
    st.dataframe(table, hide_index=True)
