"""Trajectories page, part: what the jobs should cost beside what they took; a prediction is made in the background."""

import streamlit as st

from cadc.estimate import background
from cadc.estimate.devices import EFFICIENCY
from cadc.jobs import control
from cadc.study import Study
from cadc.views import trajectories as views
from cadc.views.jobs import is_read
from cadc.views.predicting import predicting
from pages._parts.guard import guarded


def panel(study: Study) -> None:
    """What the jobs should cost, here or on a named device, beside what they took."""
    st.header("What it costs")
    names, running = views.devices(), background.is_estimating(study)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Predict for", list(names), index=list(names).index(views.latest_device(study)),
                              width=320, format_func=names.get, help="This machine is measured. For a device that is "
                              "not here, operations are counted instead.")
        named = chosen != views.HERE
        efficiency = st.number_input("Share of its peak speed", 0.05, 1.0, EFFICIENCY, 0.05, width=200) if named else 0
        busy = running or control.is_running(study) or not is_read(study)
        asked = st.button("Predict the cost", icon=":material/timer:", disabled=busy, help="Possible once pool and "
                          "target are read, and while no job is at work. On this machine every job runs for a moment "
                          "on a few rows.")
    if asked:
        background.start(study, chosen, efficiency=efficiency if named else None)
        st.rerun()
    st.fragment(_watched, run_every="3s" if running else None)(study, running)
    view = views.cost_view(study, chosen)
    st.table(view.table)
    if view.predicted:
        st.text(view.predicted)
    st.text(view.taken)


def _watched(study: Study, was_running: bool) -> None:
    """The prediction that is being made, or why the last one is not there."""
    with guarded():
        found = predicting(study)
        if found.running:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Cancel the prediction", icon=":material/stop:", on_click=background.cancel, args=(study,))
                st.text(found.text)
        elif found.message:
            st.error(found.text, icon=":material/error:")
            st.code(found.message, language=None, wrap_lines=True)
        elif found.text:
            st.text(found.text)
    if was_running and not background.is_estimating(study):
        st.rerun()
