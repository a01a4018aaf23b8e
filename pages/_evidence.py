"""Capabilities page, second half: what speaks for and against the map. Widgets and calls; results are remembered."""

import logging

import numpy as np
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.discovery import Stability
from cadc.errors import JobError
from cadc.jobs import control
from cadc.store import Store
from cadc.views import evidence, measured
from cadc.views.capabilities import CapabilitiesView
from cadc.views.figures import capabilities as figures
from cadc.views.jobs import was_begun
from cadc.views.unit_choice import paired
from cadc.views.words import drawn
from pages._choice import choice_of_k
from pages._compared import one_checkpoint, proportions, two_labellings
from pages._parts.history import decide
from pages._parts.jobs import job_panel
from pages._parts.shell import guarded
from pages._parts.tab import shown
from pages._picked import pick

log = logging.getLogger(__name__)


@st.cache_resource(max_entries=16, show_spinner=False)
def asked_stability(digest: str, key: evidence.StabilityKey) -> list[Stability]:
    """Empty until somebody asks for it; then its one entry is shown wherever the same map is."""
    return []


@st.cache_resource(max_entries=4, show_spinner=False)
def asked_rivals(digest: str) -> list[dict[str, np.ndarray]]:
    """Empty until somebody asks for them; then one entry."""
    return []


@st.cache_data(max_entries=16, show_spinner="Comparing the map with measured transfer…")
def _measured(digest: str, of_unit: tuple[int, ...], discovery: str, stamp: str, _bench: Workbench
              ) -> measured.TransferView:
    return measured.transfer_view(_bench)


def transfer_found(bench: Workbench, digest: str) -> measured.TransferView:
    """Measured transfer beside the map; thousands of permutations, so remembered."""
    record = bench.study.result("transfer").record if bench.study.finished("transfer") else None
    if record is None:
        return measured.transfer_view(bench)
    try:
        return _measured(digest, bench.capabilities.of_unit, str(bench.discovery), record.digest, bench)
    except JobError as error:  # a damaged file takes away this evidence, not the page
        log.exception("shown to the person")
        return measured.TransferView(ready=False, sentence=str(error))


def ask_stability(bench: Workbench, digest: str, label: str, key: str) -> None:
    """The button that tests the stability of the map in force."""
    if st.button(label, help="Draws target samples again and clusters", key=key,
                 type="tertiary" if label == "Ask" else "secondary"):
        with st.spinner("Drawing target samples again and clustering…"), guarded():
            asked_stability(digest, evidence.stability_key(bench)).append(evidence.stability_of(bench))
            st.rerun()


def ask_rivals(bench: Workbench, digest: str, label: str, key: str) -> None:
    """The button that groups units by words and pictures."""
    if st.button(label, help="Groups units by words and pictures", key=key,
                 type="tertiary" if label == "Ask" else "secondary"):
        with st.spinner("Grouping units by words and pictures…"), guarded():
            asked_rivals(digest).append(evidence.rival_labels(bench))
            st.rerun()


def similarity(view: CapabilitiesView, chosen: list[str]) -> None:
    """Heat map of S, ordered by capability; a cell that is clicked picks its units."""
    def take() -> None:
        points = (shown(key) or {}).get("selection", {}).get("points", [])
        if cells := [point["customdata"] for point in points if "customdata" in point]:
            pick(view, paired(*divmod(int(cells[-1]), len(view.units)), chosen, view.units))

    # With another selection it is another chart: one that still holds its last click does not take the same again.
    key = f"similarity-{view.revision}-{hash(tuple(chosen))}"
    st.text(f"How alike the units are, by {view.drawn_from}. Blocks along the diagonal are capabilities; bright cells "
            "outside them are units that could also belong elsewhere. " + (
                "Click a cell to pick its two units." if len(view.units) <= figures.CLICKED else
                "Click the diagonal to pick a unit."))
    figure = figures.similarity_map(view.table, view.similarity, chosen)
    with st.container(height=int(figure.layout.height) + 16, border=False):  # the page keeps its place meanwhile
        st.plotly_chart(figure, key=key, on_select=take, selection_mode="points")
    st.text(drawn(len(view.table), len(view.table), "units"))


def bootstrap(bench: Workbench, digest: str) -> None:
    """Would other target samples have given the same capabilities?"""
    st.header("Stability", anchor="stability")
    st.text(f"Draws the target samples of every unit again ({evidence.ROUNDS} times, with replacement), clusters with "
            "the same settings and compares. 1: always the same grouping; 0: no more alike than chance. A stable map "
            "is not yet a true one: look at the rival explanations too.")
    found = asked_stability(digest, evidence.stability_key(bench))
    if not found:
        ask_stability(bench, digest, "Test the stability", "ask-stability")
        return
    view = evidence.stability_view(found[0], bench.discovery.signal)
    with st.container(horizontal=True):
        for name, value in view.facts.items():
            st.metric(name, value)
    if view.note:
        st.text(view.note)


def rival_explanations(bench: Workbench, digest: str) -> None:
    """What else would have given this map."""
    st.header("Rival explanations", anchor="rivals")
    st.text("How far groupings by something plainer than a skill agree with the capabilities above (adjusted Rand "
            "index; 1 is the same grouping, 0 is chance). If one of them explains the map, it may show that and not a "
            "skill.")
    found = asked_rivals(digest)
    table = evidence.rival_table(bench.capabilities.of_unit, found[0] if found else evidence.quick_rivals(bench))
    st.dataframe(table, hide_index=True, column_config={
        "rival": "rival explanation", "k": "groups",
        "ari": st.column_config.ProgressColumn("agreement with the map", min_value=0, max_value=1, format="%.2f")})
    if not found:
        ask_rivals(bench, digest, "Compare with words and pictures", "ask-rivals")


def transfer(bench: Workbench, found: measured.TransferView, store: Store) -> None:
    """What training on one unit does for the others: measured, or offered with its price."""
    study = bench.study
    st.header("Transfer", anchor="transfer")
    st.text("The one test that real data allows: a few steps on one unit alone, then the held-out loss of every other "
            "unit. A capability is a group whose units help each other more than they help the rest.")
    running = control.is_running(study)
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


def sections(bench: Workbench, view: CapabilitiesView, digest: str, store: Store, found: measured.TransferView,
             chosen: list[str]) -> None:
    """Pictures one at a time, drawn when opened; then what the lights on top point at."""
    st.header("Evidence")
    names = {"Similarity": lambda: similarity(view, chosen),
             "Choice of K": lambda: choice_of_k(bench, view, digest, store),
             "Checkpoints": lambda: one_checkpoint(bench, view, digest),
             "Proportions": lambda: proportions(bench),
             "Two labellings": lambda: two_labellings(bench, view, digest, store)}
    shown = st.segmented_control("Evidence", list(names), default="Similarity", required=True,
                                 label_visibility="collapsed", key="evidence")
    with guarded():
        names[shown]()
    for section in (bootstrap, rival_explanations):
        with guarded():
            section(bench, digest)
    with guarded():
        transfer(bench, found, store)
