"""Trajectories page, part: what a study is complete without, with its price and the way to ask for it."""

import streamlit as st

from cadc.jobs import control
from cadc.study import Study
from cadc.views.adding import GAIN, adding
from cadc.views.glossary import told
from cadc.views.jobs import is_read, stand
from cadc.views.prices import price_of


def gradients(study: Study) -> None:
    """The offer to add gradients to a study that is complete without them."""
    offer = adding(study)
    if offer is None:
        return
    st.header("Gradients")
    st.text(offer.sentence)
    st.text(GAIN)
    st.code(offer.command, language=None, wrap_lines=True)
    ready = stand(study) == "done"
    if st.button("Resume adding gradients" if offer.begun else "Add gradients", icon=":material/add:",
                 disabled=not ready, help="Runs these jobs on top of what is there; nothing is computed again."
                 if ready else "Possible when the jobs above are done."):
        control.start(study, offer.last)
        st.rerun()


def transfer(study: Study) -> None:
    """What measured transfer is, what it costs, and where it is asked for."""
    if is_read(study) and not study.finished("transfer"):
        st.header("Measured transfer", help=told("transfer"))
        st.text("The job transfer tries out which target units help each other; no page needs it. It is started on "
                f"the Capabilities page, Transfer. Its price: {price_of(study, 'transfer')}.")
