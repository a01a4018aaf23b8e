"""Curriculum page: what the draft leaves out, by reason, and rows taken back. Widgets only."""

import streamlit as st

from cadc.study import Study
from cadc.views.curriculum import CurriculumView
from cadc.views.passed_over import WHY, PassedOver, passed_over
from pages import _draft
from pages._parts.rows import one_page, row_card, several_rows


def panel(view: CurriculumView, study: Study) -> None:
    """Choose a reason, look at its rows, take some back."""
    over = passed_over(view.bench, view.draft)
    if not over.reasons:
        st.text("Nothing is left out: every row may be chosen.")
        return
    reasons = list(over.reasons)
    reason = st.selectbox("Left out as", reasons, format_func=lambda one: f"{one} · {over.reasons[one]:,} rows",
                          key="left-out-reason")
    if reason in WHY:
        st.text(f"{over.reasons[reason]:,} rows: {WHY[reason]}. Worst first.")
    _rows(view, study, over, reason)
    if over.price:
        st.text(over.price)


def _rows(view: CurriculumView, study: Study, over: PassedOver, reason: str) -> None:
    """A page of rows with what speaks against each; the ticked ones can be taken back."""
    worst = over.worst(reason)
    places = worst[one_page(len(worst), f"left-out-{reason}")]
    # Ticks are places in a table: another page, or rows that were taken back, make it another table.
    chosen = several_rows(study, over.page(reason, places), f"left-out-{reason}-{places[0]}-{len(worst)}")
    picked = [int(row["index"]) for row in chosen]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Always take the ticked rows", icon=":material/push_pin:", disabled=not picked,
                  on_click=_draft.keep_rows, args=(view, picked))
        st.text(f"{len(picked)} ticked" if picked else "Tick rows in the table to take them back, whatever speaks "
                "against them. Filters lists them; Save keeps it.")
    if chosen:
        row_card(study, chosen[0], over.served(int(chosen[0]["position"])))
