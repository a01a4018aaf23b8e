"""Rows page, part: acts on rows that are seen: on the ticked ones, on all of a filter, on all but the ticked.

Each is a decision, in force at once and undone by one button. Widgets only.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import streamlit as st

from cadc.arrays import numbers_of, spans
from cadc.curation.marks import check_payload, note_payload, tag_payload
from cadc.errors import DataError
from cadc.store import Store
from cadc.study import Study
from cadc.views.curating import tagged
from cadc.views.curriculum import draft_mark
from cadc.views.pool_rows import PoolRows, acted_on
from pages._filter_bar import map_button
from pages._parts.history import decide, take_back
from pages._parts.tab import shown, tab

LONGEST = 1500
"""Characters of ticks in an address; browsers and mail programs cut longer ones."""
MOST_TICKS = 100_000
"""Nobody ticks more by hand."""
WAYS = ("ticked", "all", "but")


def choice(view: PoolRows, order: np.ndarray) -> np.ndarray:
    """int64: positions that an act is about."""
    ticked = [place for place in map(view.place, sorted(ticked_now())) if place >= 0]
    left = len(order) - int(np.isin(ticked, order).sum())
    named = {"ticked": f"{len(ticked):,} ticked", "all": f"all {len(order):,}", "but": f"{left:,} not ticked"}
    way = st.segmented_control("Act on", WAYS, default="ticked", required=True, format_func=named.__getitem__,
                               key="rows-way", label_visibility="collapsed")
    st.button("", icon=":material/remove_done:", disabled=not ticked, on_click=untick, key="rows-untick",
              help="Untick all")
    return acted_on(order, ticked, way)


def bar(view: PoolRows, about: np.ndarray, study: Study, store: Store) -> bool:
    """Acts on these rows, the way back, and whether the map is shown."""
    rows, none = view.index[about], not len(about)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        for word, icon, label in (("always", "push_pin", "Always take"), ("never", "block", "Never take"),
                                  ("free", "lock_open", "Let go")):
            st.button(label, icon=f":material/{icon}:", disabled=none, on_click=take, key=f"rows-take-{word}",
                      args=(view, study, store, rows, word), help=HELP[word])
        st.button("Checked", icon=":material/check:", disabled=none, key="rows-check",
                  help="You looked at these rows. The filter of marks finds them, and those that nobody looked at.",
                  on_click=decide, args=(study, store, "check", lambda: check_payload(rows)))
        with st.popover("Tag", icon=":material/label:", disabled=none):
            tag(view, study, store, rows)
        st.download_button("", lambda: view.records(about), f"{study.name}-rows.jsonl", "application/jsonl",
                           icon=":material/download:", disabled=none, on_click="ignore", key="rows-download",
                           help="Download these rows as they came, one JSON line each, in the order shown.")
        take_back(study, store, "rows", "curation", brief=True)
        return map_button()


HELP = {"always": "In every curriculum of this study, whatever speaks against them.",
        "never": "In no curriculum of this study.", "free": "Neither always nor never: the filters decide again."}


def tag(view: PoolRows, study: Study, store: Store, rows: np.ndarray) -> None:
    """Put a tag on rows, or take it off."""
    known = list(view.marks.tags)
    name = st.selectbox("Tag", known, index=None, key="rows-tag", placeholder="one that is there") if known else None
    name = st.text_input("New tag", key="rows-tag-new", max_chars=40).strip() or name
    with st.container(horizontal=True):
        for label, on in (("Put it on", True), ("Take it off", False)):
            st.button(label, disabled=not name, key=f"rows-tag-{on}", on_click=decide,
                      args=(study, store, "tag", lambda on=on: tag_payload(name or "", rows, on=on)))
    st.text(f"{len(rows):,} rows")


def take(view: PoolRows, study: Study, store: Store, rows: np.ndarray, word: str) -> None:
    """Take these pool rows always, never, or as the filters say (`always`, `never`, `free`); what is being shaped on
    Curriculum goes on from there. For callbacks."""
    bench, held = view.bench, tab()
    said: dict[str, Any] = {word: rows.tolist()}
    draft = held.draft if held.draft and held.draft_of == draft_mark(bench) else None
    if decide(study, store, "curate", lambda: tagged(bench, bench.settings, **said).to_dict()) and draft:
        held.draft = tagged(bench, draft, **said)
        held.draft_of = draft_mark(bench.under(tagged(bench, bench.settings, **said)))


def ticked_now() -> frozenset[int]:
    """Pool rows that are ticked: the address keeps them over a reload, as long as it can hold them."""
    held, asked = tab(), st.query_params.get("ticked", "")
    if asked and not held.ticked and not odd_ticks():
        held.ticked = frozenset(numbers_of(asked, MOST_TICKS).tolist())
    return held.ticked


def odd_ticks() -> list[str]:
    """What of the ticks in the address is not understood."""
    try:
        numbers_of(st.query_params.get("ticked", ""), MOST_TICKS)
    except DataError as error:
        return [f"Ticks in the address are left aside: {error}"]
    return []


def put_ticks(rows: Iterable[int]) -> None:
    """For callbacks."""
    tab().ticked = frozenset(rows)
    text = spans(tab().ticked)
    if text and len(text) <= LONGEST:
        st.query_params["ticked"] = text
    elif "ticked" in st.query_params:
        del st.query_params["ticked"]


def untick() -> None:
    """For callbacks."""
    put_ticks(())
    tab().ticks += 1


def note(view: PoolRows, index: int, study: Study, store: Store) -> None:
    """A note on one pool row, kept as it is typed."""
    key = f"rows-note-{index}"
    st.text_area("Note", value=view.marks.notes.get(index, ""), key=key, height=70, max_chars=4000,
                 placeholder="what you saw in this row", on_change=decide,
                 args=(study, store, "note", lambda: note_payload(index, shown(key))))

