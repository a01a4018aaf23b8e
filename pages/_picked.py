"""Capabilities page, part: which units are picked. The address keeps them, so that map, lists, heat map, a reload and a
link show the same. Widgets only."""

from collections.abc import Sequence

import streamlit as st

from cadc.views.capabilities import CapabilitiesView
from cadc.views.unit_choice import KEYS, from_query, to_query
from pages._parts.address import arrived, left_aside, put_address
from pages._parts.tab import show, shown, tab

PLACEHOLDER = "Selected units: click or draw around them on the map, or choose here"


def picked(view: CapabilitiesView) -> list[str]:
    """The units of the address, or on coming back those that were picked; says what is not understood."""
    asked = {key: st.query_params.get_all(key) for key in KEYS & set(st.query_params)}
    if arrived() and not asked and tab().picked:
        asked = {"units": list(tab().picked)}
        put_address(KEYS, to_query(tab().picked, view.units))
    chosen, odd = from_query(asked, view.found)
    tab().picked = chosen
    with st.container(gap="xsmall"):  # there also when it is empty: what is below it keeps its place
        left_aside(odd)
    return list(chosen)


def pick(view: CapabilitiesView, units: Sequence[str], *, by_table: bool = False) -> None:
    """These are picked from the next run on. by_table: by the table of units, which shows them already. For callbacks.
    """
    put_address(KEYS, to_query(units, view.units))
    tab().picked = tuple(units)
    tab().picks += not by_table


def box(view: CapabilitiesView, chosen: list[str], key: str) -> None:
    """The units that are picked, by name: what a keyboard has instead of the map."""
    show(key, chosen)
    st.multiselect("Selected units", view.units, key=key, label_visibility="collapsed", wrap=False,
                   placeholder=PLACEHOLDER, on_change=lambda: pick(view, shown(key)))
