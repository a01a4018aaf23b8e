"""Curriculum page: saved curricula side by side, and the way back to one. Widgets only."""

from collections.abc import Callable

import streamlit as st

from cadc.curation import CurationSettings, Curriculum
from cadc.store import Store
from cadc.study import Study
from cadc.views.curriculum import CurriculumView
from cadc.views.saved import Saved, SideBySide, saved
from pages import _draft
from pages._parts.history import decide


def panel(view: CurriculumView, study: Study, store: Store, make: Callable[[CurationSettings], Curriculum]) -> None:
    """Choose two of them, see what they share and where they differ, go back to one."""
    found = saved(view.bench, store.decisions(study, "curation"))
    if len(found) < 2:
        st.text("Nothing was saved yet. Every curriculum that you save can be compared here and taken back.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        first = choose("First", found, 0)
        back("Go back to the first", first, study, store)
    with right:
        second = choose("Second", found, 1)
        back("Go back to the second", second, study, store)
    both = SideBySide(bench=view.bench, left=make(first.settings), right=make(second.settings),
                      settings=(first.settings, second.settings))
    st.text(both.common)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Rows by capability**")
        st.dataframe(both.budgets(), hide_index=True, key="saved-budgets")
        st.markdown("**Settings that differ**")
        st.dataframe(both.settings_table, hide_index=True, key="saved-settings")
    with right:
        st.markdown("**In all**")
        st.dataframe(both.totals(), hide_index=True, key="saved-totals")
        st.markdown("**Composition**")
        st.dataframe(both.composition(), hide_index=True, key="saved-composition", column_config={
            name: st.column_config.NumberColumn(format="percent") for name in ("pool", "first", "second")})
    st.caption("Both are made with the capabilities of today.")


def choose(label: str, found: list[Saved], usual: int) -> Saved:
    """One curriculum of the log."""
    place = st.selectbox(label, range(len(found)), index=usual, format_func=[one.label for one in found].__getitem__,
                         key=f"saved-{label}")
    return found[place]


def back(label: str, one: Saved, study: Study, store: Store) -> None:
    """One act: the same settings are decided again, so that Undo takes it back."""
    if st.button(label, icon=":material/history:", disabled=one.now, key=f"back-{label}",
                 help="It is in force" if one.now else "Undo takes it back"):
        if decide(study, store, "curate", one.settings.to_dict()):
            _draft.forget()
        st.rerun()
