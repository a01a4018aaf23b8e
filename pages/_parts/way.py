"""The way on every page: its head, steps in the sidebar, the words, and where to go from its end. Widgets only."""


import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitPageNotFoundError

from cadc.jobs import control
from cadc.store import Store
from cadc.study import Study
from cadc.views.glossary import first, told
from cadc.views.way import EVERY, ROWS, Way, facts_of, way
from pages._parts.guard import guarded

ICONS = {"done": ":material/check_circle:", "running": ":material/pending:", "next": ":material/arrow_circle_right:",
         "stopped": ":material/error:", "ready": ":material/radio_button_unchecked:", "look": ":material/visibility:",
         "waiting": ":material/hourglass_empty:"}


def way_of(study: Study | None, store: Store) -> Way:
    """The steps of a study as they are now."""
    if study is None:
        return way(None)
    return way(facts_of(study, store.decisions(study), list(store.exports(study)["folder"])))


def link(file: str, label: str, icon: str, study: Study | None) -> None:
    """A link to another page that keeps the study; plain text where a page runs alone, without `app.py`. `file`: below
    `pages/`, without its ending."""
    try:
        st.page_link(f"pages/{file}.py", label=label, icon=icon,
                     query_params={"study": study.name} if study else None)
    except StreamlitPageNotFoundError:
        st.text(label)


def head(name: str) -> None:
    """Name of a page and what a person does there."""
    st.title(name, help=told(*EVERY[name].terms), anchor=False)
    st.caption(EVERY[name].asks)


def frame(study: Study | None, store: Store, line: DeltaGenerator) -> None:
    """The state of the study in a line, drawn there, and the numbered steps in the sidebar. Both follow a job that is
    at work, and the page is drawn anew when it ends."""
    if study is not None and control.is_running(study):
        with line:
            st.fragment(_live_sentence, run_every="3s")(study, store)
        with st.sidebar:
            st.fragment(_live_steps, run_every="3s")(study, store)
        return
    now = way_of(study, store)
    line.caption(now.sentence)
    with st.sidebar:
        _steps(now, study)


def _live_sentence(study: Study, store: Store) -> None:
    with guarded():
        st.caption(way_of(study, store).sentence)


def _live_steps(study: Study, store: Store) -> None:
    with guarded():
        _steps(way_of(study, store), study)
    if not control.is_running(study):
        st.rerun()


def _steps(now: Way, study: Study | None) -> None:
    with st.container(gap=None, key="steps"):
        for step in now.steps:
            link(step.place.file, f"{step.number} {step.place.name}", ICONS[step.state], study)
            with st.container(horizontal=True, gap=None):  # below the name of the step, not below its icon
                st.space(35)
                st.caption(step.line, width=200)  # a line of its own width would wrap below the icon
        link(ROWS.file, ROWS.name, ":material/table_rows:", study)


def words(name: str) -> None:
    """Every word that pages use, in the sidebar, those of this page first; and where the page is described."""
    with st.sidebar.popover("Words", icon=":material/menu_book:", width="stretch"):
        for term in first(EVERY[name].terms if name else ()):
            st.markdown(told(term.name))
    if name:
        st.sidebar.caption(f"Help: {EVERY[name].doc}")


def end(name: str, study: Study | None, store: Store) -> None:
    """Where to go from the end of a page."""
    step = way_of(study, store).after(name)
    if step:
        st.divider()
        link(step.place.file, f"Next: {step.number} {step.place.name}", ":material/arrow_forward:", study)
        st.caption(step.place.asks)
