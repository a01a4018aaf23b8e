"""Rows: look through all rows of the pool, at one of them closely, and act where they are seen."""

import json

import numpy as np
import pandas as pd
import streamlit as st

from cadc.curation import CurationSettings, Curriculum
from cadc.curation.marks import marks_of
from cadc.curation.workbench import Workbench
from cadc.discovery import Capabilities
from cadc.store import Store
from cadc.study import Study
from cadc.views.curriculum import curriculum_of
from cadc.views.pool_map import layout_digest
from cadc.views.pool_rows import PoolRows
from cadc.views.row_filter import LONGEST_INDEX, RowFilter
from cadc.views.rows import source_labels
from pages import _filter_bar, _inspector, _row_acts
from pages._parts import point_map
from pages._parts.address import left_aside
from pages._parts.bench import open_bench
from pages._parts.history import say_refused
from pages._parts.rows import PAGE, ticked_rows
from pages._parts.shell import guarded, open_study
from pages._parts.tab import show, shown, tab


@st.cache_resource(max_entries=4, show_spinner=False)
def source_names(digest: str, _bench: Workbench) -> np.ndarray:
    """Display name of each row's source."""
    return source_labels(_bench.table["source"])


@st.cache_resource(max_entries=8, show_spinner=False)
def made(digest: str, capabilities: Capabilities, settings: CurationSettings, _bench: Workbench) -> Curriculum:
    """The curriculum in force."""
    return curriculum_of(_bench, settings)


@st.cache_resource(max_entries=4, show_spinner="Looking through the rows…")
def opened(digest: str, decided: str, _bench: Workbench, _study: Study, _store: Store) -> PoolRows:
    """All rows under all decisions."""
    found = point_map.opened(_study, _bench, digest)
    marks = marks_of(d for d in _store.decisions(_study, "rows") if not d.undone)
    return PoolRows(bench=_bench, curriculum=made(digest, _bench.capabilities, _bench.settings, _bench),
                    sources=source_names(digest, _bench), marks=marks,
                    matching=lambda words: _store.matching(_study, "pool", words),
                    inside=found.within if found else None)


def view_of(bench: Workbench, digest: str, study: Study, store: Store) -> PoolRows:
    """The rows as they stand now."""
    decided = json.dumps([layout_digest(study), *(d.seq for d in store.decisions(study) if not d.undone)])
    return opened(digest, decided, bench, study, store)


def chosen(view: PoolRows, order: np.ndarray) -> int:
    """Place in `order` of the row that the address names; the first where it names none, or one that is not there."""
    asked = st.query_params.get("row", "")
    if not asked:
        return 0
    place = view.place(int(asked)) if asked.isdecimal() and len(asked) <= LONGEST_INDEX else -1
    at = np.flatnonzero(order == place) if place >= 0 else []
    if not len(at):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"Pool row {asked[:20]} " + ("is not among these rows." if place >= 0 else "has no scores."))
            if place >= 0 and _filter_bar.wanted()[0].narrows:
                st.button("Show it among all rows", on_click=_filter_bar.put, args=(RowFilter(),))
    return int(at[0]) if len(at) else 0


def table(view: PoolRows, order: np.ndarray, at: int, study: Study) -> None:
    """One page of rows: tick several, click one."""
    number = at // PAGE
    pages = max(1, -(-len(order) // PAGE))

    def turn() -> None:
        _inspector.go_to(int(view.index[order[(shown("rows-page") - 1) * PAGE]]))

    # Above the table: its own tools float there on hover, and would cover the buttons of acts.
    with st.container(horizontal=True, vertical_alignment="center"):
        show("rows-page", number + 1)
        st.number_input("Page", 1, pages, key="rows-page", width=130, on_change=turn, label_visibility="collapsed")
        st.text(f"page of {pages:,} · rows {number * PAGE + 1:,}–{min(len(order), (number + 1) * PAGE):,}")
    page: pd.DataFrame = view.page(order[number * PAGE:(number + 1) * PAGE])
    key = f"rows-{number}-{hash(order.tobytes())}-{tab().ticks}"
    ticked_rows(study, page, key, current=at - number * PAGE,
                ticked=[i for i, index in enumerate(page["index"]) if int(index) in _row_acts.ticked_now()],
                take=lambda: _inspector.ticks(page, f"{key}-table"))


def rows(view: PoolRows, study: Study, store: Store, digest: str) -> None:
    """Filter, acts, map, table, inspector."""
    wanted, odd = _filter_bar.wanted()
    _filter_bar.bar(view, wanted)
    left_aside((*odd, *_row_acts.odd_ticks(), *view.odd(wanted), *view.marks.skipped), "the address or the marks")
    order = view.order(wanted)
    say_refused()
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.text(view.note(order))
        _filter_bar.more(view, wanted, study, store)
        about = _row_acts.choice(view, order)
    if _row_acts.bar(view, about, study, store):
        with guarded():
            _filter_bar.area(view, wanted, study, digest)
    if not len(order):
        st.info("No row is like this. Clear the filter, or loosen it.", icon=":material/filter_alt_off:")
        return
    left, right = st.columns([7, 4], gap="medium")
    with left:
        at = chosen(view, order)
        table(view, order, at, study)
    with right, guarded():
        _inspector.steps(view, order, at)
        _inspector.inspect(view, int(order[at]), wanted, study, store)


study, store = open_study("Rows")
bench, digest = open_bench(study, store)
with guarded():
    rows(view_of(bench, digest, study, store), study, store, digest)
