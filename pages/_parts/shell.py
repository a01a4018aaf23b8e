"""The frame of every page: the database, the study picker, its steps, and errors as one message."""

import streamlit as st

from cadc.store import Store
from cadc.study import Study, cache_root
from cadc.views.row_filter import RowFilter
from cadc.views.studies import heading, study_names, study_notes
from cadc.views.way import PLACES
from pages._parts import way
from pages._parts.guard import guarded
from pages._parts.tab import tab

__all__ = ["choose_study", "guarded", "open_store", "open_study", "pick_study", "way_on"]


@st.cache_resource(show_spinner=False)
def _store(root: str) -> Store:
    return Store(root)


def open_store() -> Store:
    """The process's one database. Raises BusyError when another process holds it."""
    return _store(str(cache_root()))


def choose_study(name: str) -> None:
    """Make this the chosen study from the next run on: in the address, so that a reload and a shared link keep it.
    Rows that were looked at and ticked, and units that were picked, belong to the study before."""
    held = tab()
    if held.study not in (None, name):
        held.looked, held.ticked, held.drawn, held.ticks = RowFilter(), frozenset(), "", held.ticks + 1
        held.picked, held.picks, held.flow = (), held.picks + 1, RowFilter()
    held.study = st.query_params["study"] = name


def pick_study(page: str = "") -> Study | None:
    """The head of a page of this name, and the sidebar with the study picker, all that the jobs of the chosen study
    have finished loaded; None when there is no study yet."""
    top, held = st.container(gap="xxsmall"), tab()
    held.page, held.arrived = page, held.arrived or held.page != page
    if page:
        with top:
            way.head(page)
    store, names = open_store(), study_names()
    study = _picked(names) if names else None
    if study is not None:
        store.load_study(study)
    way.frame(study, store, top)
    if study is not None:
        st.sidebar.caption(heading(study))
        for note in study_notes(study):
            (st.sidebar.warning if note.serious else st.sidebar.info)(note.text, icon=":material/science:")
    way.words(page)
    return study


def _picked(names: list[str]) -> Study:
    asked = st.query_params.get("study", tab().study)
    chosen = st.sidebar.selectbox("Study", names, index=names.index(asked) if asked in names else 0,
                                  help="Newest first. A study is one pool, one target, one model, one set of settings.")
    if asked in names and chosen != asked:  # by hand: the rest of the address is about the study before
        st.query_params.clear()
    choose_study(chosen)
    return Study.open(chosen)


def open_study(page: str = "") -> tuple[Study, Store]:
    """Head, sidebar, the chosen study and the database; stops the page when there is no study."""
    study = pick_study(page)
    if study is None:
        st.info("There is no study yet. Make one on the **Data** page: the embedded example is one click.",
                icon=":material/lightbulb:")
        way.link(PLACES["Data"].file, "Make a study", ":material/add:", None)
        st.stop()
    return study, open_store()


def way_on(page: str) -> None:
    """What comes after a page, at its end."""
    if study_names():
        way.end(page, Study.open(tab().study) if tab().study in study_names() else None, open_store())
