"""Influence page, part: what is chosen, kept in the address, and the histogram that a range is drawn on."""

from dataclasses import replace
from typing import Any

import streamlit as st

from cadc.views import influence as views
from cadc.views.figures import influence as figures
from cadc.views.glossary import told
from cadc.views.row_filter import OPEN, from_query
from cadc.views.words import drawn
from pages._parts.address import arrived, left_aside, put_address
from pages._parts.tab import show, shown, tab

FIELDS = ("source", "capability", "influence")
"""What of an address is meant here, as on Rows."""


def picked(view: views.InfluenceView) -> views.Pick:
    """What the address chooses, or on coming back what was chosen; says what is not understood."""
    if arrived() and not set(FIELDS) & set(st.query_params):
        put_address(FIELDS, tab().flow.to_query())
    wanted, odd = from_query({key: st.query_params[key] for key in FIELDS if key in st.query_params})
    tab().flow = wanted
    pick, unknown = view.pick_of(wanted)
    with st.container(gap="xsmall"):  # there also when it is empty: what is below it keeps its place
        left_aside((*odd, *unknown))
    return pick


def put(view: views.InfluenceView, **changed: Any) -> None:
    """Choose this from the next run on; what is not given stays. For callbacks. changed: fields of `Pick`."""
    now = view.pick_of(tab().flow)[0]
    wanted = view.filter_of(replace(now, **changed))
    put_address(FIELDS, wanted.to_query())
    tab().flow = wanted


def spread(view: views.InfluenceView, pick: views.Pick) -> None:
    """How influence is distributed over the pool; a range that is drawn on it is one more bound of what is chosen."""
    st.header("Distribution of influence", help=told("influence", "floor"))
    st.caption("Thin: all rows of the pool. Filled: the rows that the capability claims. Draw across the chart, or "
               "type bounds: the rows below are those whose influence on their own capability lies between them.")
    table = view.spread

    def take() -> None:
        if (found := views.range_of(shown("spread"), table)) is not None:
            put(view, influence=found)

    with st.container(height=figures.HEIGHT + 16, border=False):  # the page keeps its place while it is drawn anew
        st.plotly_chart(figures.influence_histogram(table, view.colours, pick.influence), key="spread", on_select=take,
                        selection_mode="box")
    with st.container(horizontal=True, vertical_alignment="center"):
        for end, word in enumerate(("least", "largest")):
            _bound(view, pick, end, word, views.bin_width(table))
        st.button("All influences", icon=":material/close:", disabled=pick.influence == OPEN, on_click=put,
                  args=(view,), kwargs={"influence": OPEN})
        st.text(drawn(len(view.assignment), len(view.assignment), "rows"))


def _bound(view: views.InfluenceView, pick: views.Pick, end: int, word: str, step: float) -> None:
    key = f"spread-{word}"

    def typed() -> None:
        put(view, influence=(shown(key), pick.influence[1]) if end == 0 else (pick.influence[0], shown(key)))

    show(key, pick.influence[end])
    st.number_input(f"{word.capitalize()} influence", key=key, step=step, format="%.4g", on_change=typed,
                    placeholder=f"{word}: no bound", label_visibility="collapsed", width=190)
