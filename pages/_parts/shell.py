"""The frame of every page: the database, the study picker, and errors as one message."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cadc.errors import CadcError
from cadc.store import Store
from cadc.study import Study, cache_root
from cadc.views.studies import heading, study_names, study_notes
from pages._parts.tab import tab

log = logging.getLogger(__name__)


@contextmanager
def guarded() -> Iterator[None]:
    """Show what cadc says went wrong as one message; the log keeps the traceback. Fragments guard themselves."""
    try:
        yield
    except CadcError as error:
        log.exception("shown to the person")
        st.error("This could not be done:", icon=":material/error:")
        st.code(str(error), language=None, wrap_lines=True)


@st.cache_resource(show_spinner=False)
def _store(root: str) -> Store:
    return Store(root)


def open_store() -> Store:
    """The process's one database. Raises BusyError when another process holds it."""
    return _store(str(cache_root()))


def choose_study(name: str) -> None:
    """Make this the chosen study from the next run on: in the address, so that a reload and a shared link keep it."""
    tab().study = st.query_params["study"] = name


def pick_study() -> Study | None:
    """Study picker in the sidebar; None when there is no study yet."""
    names = study_names()
    if not names:
        return None
    asked = st.query_params.get("study", tab().study)
    chosen = st.sidebar.selectbox("Study", names, index=names.index(asked) if asked in names else 0,
                                  help="Newest first. A study is one pool, one target, one model, one set of settings.")
    choose_study(chosen)
    study = Study.open(chosen)
    st.sidebar.caption(heading(study))
    for note in study_notes(study):
        (st.sidebar.warning if note.serious else st.sidebar.info)(note.text, icon=":material/science:")
    return study


def open_study() -> tuple[Study, Store]:
    """The chosen study and the database, with all that its jobs have finished; stops the page when there is none."""
    store, study = open_store(), pick_study()
    if study is None:
        st.info("There is no study yet. Make one on the **Data** page: the embedded example is one click.",
                icon=":material/lightbulb:")
        st.stop()
    store.load_study(study)
    return study, store
