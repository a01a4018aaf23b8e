"""Errors as one message: the page shows what cadc says, the log keeps the traceback."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cadc.errors import CadcError

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
