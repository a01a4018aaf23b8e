"""Trajectories: run the warm-up and the gradient pass, and watch them."""

import streamlit as st

from cadc.jobs import control
from cadc.study import Study
from cadc.views import trajectories as views
from cadc.views.figures import trajectories as figures
from cadc.views.glossary import told
from cadc.views.jobs import stand
from cadc.views.opened import is_scored
from cadc.views.words import drawn
from pages import _costs, _offers
from pages._parts.bench import open_bench
from pages._parts.jobs import job_rows
from pages._parts.shell import guarded, open_study


def settings(view: views.TrajectoriesView) -> None:
    """The model and the settings of the study."""
    st.header("What runs", help=told("preset", "judge", "signal", "near(z, s)"))
    st.code(view.model, language=None, wrap_lines=True)
    st.dataframe(view.settings, hide_index=True, height="content")
    st.text(view.nearness)
    if view.products:
        st.text(view.products)
    st.text("Changed settings are another question: make another study on the Data page.")


def controls(study: Study) -> None:
    """Start, resume or cancel."""
    now = stand(study)
    if now == "running":
        st.button("Cancel", icon=":material/stop:", on_click=control.cancel, args=(study,),
                  help="Stops at the next batch. What is finished is kept, and Resume goes on from there.")
        st.text("You may close this tab: the jobs go on, and this page shows them when you come back.")
    elif now == "done":
        st.text("All jobs are done. Go on to Capabilities.")
    elif st.button("Resume" if now == "begun" else "Start", icon=":material/play_arrow:", type="primary"):
        control.start(study)
        st.rerun()


def warnings(view: views.TrajectoriesView) -> None:
    """What the start-up checks of the gradient jobs found."""
    if view.warnings:
        st.warning("The gradient jobs started with a warning:", icon=":material/warning:")
        for text in view.warnings:
            st.code(text, language=None, wrap_lines=True)


def loss_curve(view: views.LossView) -> None:
    """The warm-up's loss so far."""
    if len(view.log):
        st.header("Warm-up loss", help=told("warm-up", "checkpoint"))
        st.plotly_chart(figures.loss(view.log, view.ends), key="loss")
        st.text(drawn(len(view.log), len(view.log), "steps; dotted lines: checkpoints"))


def live(study: Study, was_running: bool) -> None:
    """Everything that changes while a worker lives."""
    job_rows(study, (), was_running)
    with guarded():
        loss_curve(views.loss_view(study))


def norms(view: views.NormView) -> None:
    """How the mean gradient of each target unit changes over the checkpoints."""
    st.header("Gradient norm of each target unit", help=told("trajectory", "unit"))
    st.text("A falling line: what the unit asks pulls less and less on the model. Colours are capabilities.")
    st.plotly_chart(figures.norms(view.table, view.colours), key="norms")
    st.text(drawn(view.units, view.units, "units"))
    with st.expander("Numbers"):
        st.dataframe(view.table.pivot(index="unit", columns="checkpoint", values="norm"))


study, store = open_study("Trajectories")
view, running = views.trajectories_view(study), control.is_running(study)
wide, narrow = st.columns([3, 2], gap="large")
with wide, guarded():
    st.header("Jobs", help=told("job"))
    controls(study)
    warnings(view)
    st.fragment(live, run_every="2s" if running else None)(study, running)
with narrow, guarded():
    settings(view)
    _offers.gradients(study)
    _offers.transfer(study)
with guarded():
    _costs.panel(study)
if is_scored(study) and study.finished("targets") and study.finished("scores"):
    norms(views.norm_view(open_bench(study, store)[0]))
