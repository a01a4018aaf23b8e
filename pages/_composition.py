"""Curriculum page: what the chosen rows are made of beside the pool, and caps for single sources. Widgets only."""

import streamlit as st

from cadc.views import makeup
from cadc.views.curriculum import CurriculumView
from cadc.views.figures import curriculum as figures
from pages import _draft
from pages._parts.tab import shown


def panel(view: CurriculumView) -> None:
    """Sources, answer formats, lengths and capabilities of the chosen rows beside the pool's."""
    left, right = st.columns(2, gap="large")
    left.markdown("**Sources: pool and curriculum**")
    left.plotly_chart(figures.beside_pool(view.beside("source")), key="beside-source")
    right.markdown("**Answer formats: pool and curriculum**")
    right.plotly_chart(figures.beside_pool(view.beside("answer_format")), key="beside-format")
    left.markdown("**Tokens of a row: pool and curriculum**")
    lengths = view.lengths()
    if lengths is None:
        left.text(view.training.words[0])
    else:
        left.plotly_chart(figures.beside_pool(lengths), key="beside-lengths")
    right.markdown("**Sources and capabilities**")
    right.plotly_chart(figures.composition(view.composition(), view.colours, view.names), key="composition")
    st.text(view.composition_note)
    caps(view)


def caps(view: CurriculumView) -> None:
    """A cap for a single source, typed beside what is chosen of it."""
    table = view.source_table()
    # Another table for other caps: a browser says a moment later what an editor was told to show.
    key = f"source-caps-{view.draft.source_caps}-{view.draft.source_cap}"

    def changed() -> None:
        edits = shown(key)["edited_rows"]
        _draft.put(view.bench, source_caps=tuple(makeup.capped(view.draft, table, edits).items()))

    st.markdown("**Caps**")
    st.data_editor(table, key=key, on_change=changed, hide_index=True, disabled=["source", "pool", "chosen"],
                   num_rows="fixed", height=min(38 + 35 * len(table), 320), column_config={
                       "pool": st.column_config.NumberColumn("rows in the pool", format="localized"),
                       "chosen": st.column_config.NumberColumn("rows chosen", format="localized"),
                       "cap": st.column_config.NumberColumn("most rows of it", min_value=0, step=1, help="Type into a "
                                                            "cell. Empty: the cap for all sources, set in Filters. "
                                                            "0: none.")})
    if view.cap_note:
        st.text(view.cap_note)
