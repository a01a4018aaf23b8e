"""Curriculum page: what the draft gives, beside what is saved, and the act that saves it. Widgets only."""

import streamlit as st

from cadc.store import Store
from cadc.study import Study
from cadc.views.curriculum import CurriculumView
from cadc.views.figures import curriculum as figures
from cadc.views.gain import Gain
from pages import _draft
from pages._parts.history import decide
from pages._parts.tab import show, tab


def save(view: CurriculumView, study: Study, store: Store) -> None:
    """One decision for everything on this page; then the way to the files."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Save", icon=":material/save:", type="primary" if view.changed else "secondary",
                     disabled=not view.changed):
            if decide(study, store, "curate", view.draft.to_dict()):
                _draft.forget()
            st.rerun()
        if st.button("Discard", icon=":material/undo:", disabled=not view.changed, help="Back to what is saved"):
            _draft.forget()
            st.rerun()
        st.text("Not saved yet." if view.changed else "Saved.")
        st.button("Next: export", icon=":material/download:", type="secondary" if view.changed else "primary",
                  disabled=view.changed, on_click=_to_export, help="Save first" if view.changed else None)


def _to_export() -> None:
    """Open the part below that writes the files, and bring it into view."""
    show("details", "Export")
    tab().scroll = True


def outcome(view: CurriculumView) -> None:
    """What the draft gives, and what is different from the last saved one."""
    st.plotly_chart(figures.stage_mixture(view.mixture(), view.colours, view.names), key="stages")
    for sentence in view.sentences:
        st.text(sentence)
    if view.changed:
        st.markdown("**Against the last saved curriculum**")
        st.text(view.overlap_note)
        st.dataframe(view.budgets(), hide_index=True)


def facts(view: CurriculumView, gain: Gain) -> None:
    """How varied the draft's rows are, what training on them takes, and what it gains."""
    if view.variety_warning:
        st.warning(view.variety_warning, icon=":material/compress:")
    variety, training, gained = st.columns(3, gap="small", border=True)
    with variety:
        st.markdown("**Variety**", help="Entropy of the values, in bits: 0 when all are the same. Few rows cannot hold "
                    "as many different ones as the pool, so as many random rows stand beside them.")
        for line in view.variety_lines:
            st.text(line)
    with training:
        st.markdown("**Training**", help="Tokens as the model reads them, pictures included. Time: LoRA as in this "
                    "study, from its latest estimates.")
        for line in view.training.words:
            st.text(line)
    with gained:
        st.markdown("**Expected gain**", help="Only what a comparison of this study has measured, on these rows or "
                    "nearly these; points of accuracy on the target, with 95 % intervals.")
        for line in gain.words:
            st.text(line)
        if not gain.known and st.button("Measure it on Evaluation", icon=":material/balance:"):
            st.switch_page("pages/6_evaluation.py")
    if view.judges_note:
        st.caption(view.judges_note)
