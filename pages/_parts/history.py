"""Making decisions from a page, and taking them back."""

import logging
from collections.abc import Callable
from typing import Any

import streamlit as st

from cadc.discovery import Capabilities
from cadc.errors import CadcError
from cadc.store import Store
from cadc.study import Study
from cadc.views.decisions import history, overtaken, refusal
from pages._parts.tab import tab

log = logging.getLogger(__name__)


def decide(study: Study, store: Store, kind: str, *payloads: dict[str, Any] | Callable[[], dict[str, Any]],
           now: Capabilities | None = None) -> bool:
    """Write the decisions of one act, unless they do not apply; then `say_refused` says why on the next run.

    For callbacks. payloads: what is decided, or what makes it; now: the capabilities in force, for acts on them.
    """
    refused = ""
    try:
        made = [payload() if callable(payload) else payload for payload in payloads]
        refused = overtaken(study, store.decisions(study)) or (refusal(now, kind, made) if now else "")
        if not refused:
            store.decide_together(study, kind, made)
    except CadcError as error:
        refused = str(error)
    if refused:
        log.warning("%s refused: %s", kind, refused)
        tab().refused = refused
    return not refused


def turn(study: Study, store: Store, scope: str, act: Callable[[Study, str], object]) -> None:
    """Undo or redo of what the page shows; for callbacks."""
    tab().refused = overtaken(study, store.decisions(study))
    if not tab().refused:
        act(study, scope)


def say_refused() -> None:
    """What a callback could not do, once; names in it are somebody's text."""
    if refused := tab().refused:
        tab().refused = ""
        st.warning("That was not done:", icon=":material/block:")
        st.code(refused, language=None, wrap_lines=True)


def decision_buttons(study: Study, store: Store, *scopes: str) -> None:
    """Undo and redo for one scope, or for several together, with the history beside them."""
    say_refused()
    with st.container(horizontal=True, vertical_alignment="center"):
        take_back(study, store, *scopes)


def take_back(study: Study, store: Store, *scopes: str, brief: bool = False) -> None:
    """The three buttons alone. brief: without their words."""
    decided = [d for d in store.decisions(study) if d.scope in scopes]
    waiting = [d for d in (store.redoable(study, scope) for scope in scopes) if d is not None]
    found = history(decided, min(waiting, key=lambda d: d.seq, default=None))
    scope, word = "-".join(scopes), (lambda text: "" if brief else text)
    st.button(word("Undo"), icon=":material/undo:", disabled=not found.undo, key=f"undo-{scope}",
              on_click=turn, args=(study, store, found.undo_scope, store.undo),
              help=f"Takes back the last {found.undo}" if found.undo else "Nothing to take back")
    st.button(word("Redo"), icon=":material/redo:", disabled=not found.redo, key=f"redo-{scope}",
              on_click=turn, args=(study, store, found.redo_scope, store.redo),
              help=f"Puts back the {found.redo}" if found.redo else "Nothing to put back")
    with st.popover(f"{found.acts}" if brief else f"History ({found.acts})", icon=":material/history:",
                    help="Everything decided so far" if brief else None):
        st.dataframe(found.table, hide_index=True, width=640,
                     column_config={"what": st.column_config.TextColumn(width="large")})
