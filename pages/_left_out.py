"""Curriculum page: what the draft leaves out, by reason, and rows taken back. Widgets only."""

from collections.abc import Callable

import streamlit as st

from cadc.curation.candidates import WRONG
from cadc.study import Study
from cadc.views.curriculum import CurriculumView
from cadc.views.passed_over import WHY, PassedOver, passed_over
from pages import _draft
from pages._parts.rows import one_page, row_card, several_rows
from pages._parts.tab import shown


def panel(view: CurriculumView, study: Study) -> None:
    """Choose a reason, look at its rows, take some back."""
    over = passed_over(view.bench, view.draft)
    reasons = list(over.reasons)
    if not reasons:
        st.text("Nothing is left out: every row may be chosen.")
        _bound(view, over)
        return
    reason = st.selectbox("Left out as", reasons, format_func=lambda one: f"{one} · {over.reasons[one]:,} rows",
                          key="left-out-reason")
    if reason in WHY:
        st.text(f"{over.reasons[reason]:,} rows: {WHY[reason]}. Worst first.")
    if reason == WRONG or WRONG not in reasons:
        _bound(view, over)
    _rows(view, study, over, reason)


def _bound(view: CurriculumView, over: PassedOver) -> None:
    """How much the judges leave out, with what another bound would."""
    if not over.judged:
        return

    def slider(key: str, value: float, changed: Callable[[], None]) -> None:
        left.select_slider("A row looks wrong above this quantile of right answers", over.bounds, value, key=key,
                           on_change=changed, format_func=lambda bound: "keep all" if bound == 1 else f"{bound:g}",
                           help="Lower: more wrong answers are found, and more right ones go with them.")

    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    _draft.moved_by_hand(slider, view.draft.loss_quantile, key="left-out-bound",
                         take=lambda key: _draft.put(view.bench, loss_quantile=shown(key)))
    left.text("Any other quantile: Filters.")
    right.dataframe(over.prices(), hide_index=True, key="left-out-prices", column_config={
        "bound": st.column_config.NumberColumn("quantile", format="%g"),
        "wrong": st.column_config.NumberColumn("left out as wrong", format="localized"),
        "change": st.column_config.TextColumn("against now"),
        "left": st.column_config.NumberColumn("left to choose from", format="localized")})


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
