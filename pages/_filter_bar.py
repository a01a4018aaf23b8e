"""Rows page, part: which rows are meant, and in which order. Widgets only.

The address is the one place where that is kept, so that a reload, a link and going back show the same rows.
"""

from dataclasses import replace
from typing import Any

import streamlit as st

from cadc.curation.marks import view_payload
from cadc.store import Store
from cadc.study import Study
from cadc.views.pool_map import area_text
from cadc.views.pool_rows import PoolRows
from cadc.views.row_filter import KEYS, SORTS, RowFilter, from_query
from cadc.views.words import told_apart
from pages._parts import point_map
from pages._parts.address import arrived, put_address
from pages._parts.history import decide
from pages._parts.tab import show, shown, tab

BOXES = {"source": ("Source", "all sources"), "capability": ("Capability", "all capabilities"),
         "unit": ("Nearest unit", "nearest to any unit"), "format": ("Answer format", "all answer formats"),
         "status": ("In the curriculum", "chosen or left out"), "mark": ("Marks", "marked or not")}
RANGES = {"influence": "Influence on the own capability", "loss": "Loss at the last checkpoint"}


def wanted() -> tuple[RowFilter, tuple[str, ...]]:
    """The filter of the address, or on coming back the last one; and what of it is not understood."""
    if arrived() and not KEYS & set(st.query_params):
        put(tab().looked)
    found, odd = from_query(st.query_params.to_dict())
    tab().looked = found
    return found, odd


def put(now: RowFilter) -> None:
    """Look at these rows from the next run on. For callbacks, or before anything is drawn."""
    put_address(KEYS, now.to_query())
    held = tab()
    held.areas += bool(held.looked.area and not now.area)
    held.looked = now


def bar(view: PoolRows, now: RowFilter) -> None:
    """Every part of the filter, each value with the number of rows that the others leave it."""
    counted = view.counted(now)
    above, below = (st.columns(4, gap="small", vertical_alignment="bottom") for _ in range(2))
    for column, field in zip((*above, *below[:2]), BOXES, strict=True):
        with column:
            _box(now, field, counted[field])
    with below[2]:
        _words(now)
    with below[3]:
        _sort(now)


def map_button() -> bool:
    """Show the map or not; in the address. Returns whether it is shown."""
    on = st.query_params.get("map") == "1"

    def turn() -> None:
        if on:
            del st.query_params["map"]
        else:
            st.query_params["map"] = "1"

    st.button("", icon=":material/scatter_plot:", key="rows-map", type="primary" if on else "secondary", on_click=turn,
              help="All rows as points: draw round some to see them alone" if not on else "Without the map")
    return on


def area(view: PoolRows, now: RowFilter, study: Study, digest: str) -> None:
    """All rows as points, those of the filter in colour; an area that is drawn on it becomes a part of the filter."""
    def take(polygon: object) -> None:
        tab().drawn = area_text(polygon)
        put(replace(now, area=tab().drawn))

    # Rows outside an area that was drawn here stay as they are: the map greys them itself.
    among = view.mask(now, without="area" if now.area == tab().drawn else "")
    point_map.show(study, view.bench, digest, among=among, key=f"rows-map-{tab().areas}", take=take)


def more(view: PoolRows, now: RowFilter, study: Study, store: Store) -> None:
    """Direction, bounds, kept views, and a way back to every row."""
    with st.popover("More", icon=":material/tune:"):
        show("rows-down", now.down)
        st.toggle("Largest first", key="rows-down", on_change=lambda: put(replace(now, down=shown("rows-down"))))
        _ranges(now)
        _views(view, now, study, store)
    st.button("Clear", icon=":material/filter_alt_off:", disabled=not now.narrows, on_click=put,
              args=(RowFilter(sort=now.sort if now.sort != "near" else "influence"),), help="Every row again")


def _box(now: RowFilter, field: str, counted: dict[str, str]) -> None:
    label, every = BOXES[field]
    named, value, key = told_apart(counted.items()), getattr(now, field), f"rows-{field}"
    if value is not None and value not in named:
        named[value] = f"{value} · 0"

    def take() -> None:
        if (chosen := shown(key)) is None or chosen in named:
            put(replace(now, **{field: chosen}))

    show(key, value)
    st.selectbox(label, list(named), index=None, key=key, format_func=named.__getitem__, on_change=take,
                 placeholder=every, label_visibility="collapsed")


def _words(now: RowFilter) -> None:
    show("rows-words", now.words)
    st.text_input("Words in question, answer or id", key="rows-words", label_visibility="collapsed",
                  placeholder="words in question, answer, id",
                  on_change=lambda: put(replace(now, words=shown("rows-words").strip())))


def _sort(now: RowFilter) -> None:
    known = [name for name in SORTS if name != "near" or now.target is not None]
    show("rows-sort", now.sort)
    st.selectbox("Sorted by", known, key="rows-sort", format_func=lambda name: f"by {SORTS[name]}",
                 label_visibility="collapsed",
                 on_change=lambda: put(replace(now, sort=shown("rows-sort"),
                                               down=shown("rows-sort") not in ("file", "training"))))


def _ranges(now: RowFilter) -> None:
    """Bounds; empty is none."""
    for field, label in RANGES.items():
        bounds: tuple[Any, Any] = getattr(now, field)
        for column, end, word in zip(st.columns(2), (0, 1), ("least", "largest"), strict=True):
            key = f"rows-{field}-{end}"

            def take(field: str = field, bounds: tuple[Any, Any] = bounds, end: int = end, key: str = key) -> None:
                put(replace(now, **{field: (shown(key), bounds[1]) if end == 0 else (bounds[0], shown(key))}))

            show(key, bounds[end])
            column.number_input(f"{label}, {word}", key=key, step=0.1, format="%.2f", placeholder="no bound",
                                on_change=take)
    for field, text in (("group", "Near-duplicates of pool row"), ("target", "Rows nearest to target row")):
        key = f"rows-{field}"
        show(key, getattr(now, field))
        st.number_input(text, min_value=0, step=1, key=key, placeholder="all rows",
                        on_change=lambda field=field, key=key: put(replace(now, **{field: shown(key)})))


def _views(view: PoolRows, now: RowFilter, study: Study, store: Store) -> None:
    """Filters kept under a name; a name is a decision, so it is undone like one."""
    st.markdown("**Views**")
    for name, query in view.marks.views.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Show", key=f"view-{name}", on_click=put, args=(from_query(query)[0],))
            st.button("", icon=":material/delete:", key=f"forget-{name}", help="Forget this view",
                      on_click=decide, args=(study, store, "view", {"name": name, "query": {}}))
            st.text(name)
    st.text_input("Keep the filter that is shown now under a name", key="rows-view", max_chars=40,
                  disabled=not now.to_query(), on_change=lambda: decide(
                      study, store, "view", lambda: view_payload(shown("rows-view"), now.to_query())))
