"""Rows and samples on a page: pager, table with pictures and reasons, cards.

Dataset text reaches the browser through dataframe cells and `st.text` alone: nothing in it is ever read as markup.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cadc.data import PictureLimits
from cadc.study import Study
from cadc.views.pictures import first_pictures, miniature, opened_pictures, stamp
from cadc.views.rows import with_turns
from pages._parts.shell import guarded

PAGE = 20
"""Rows on one page: enough to compare, few enough that their pictures arrive at once."""
SMALL = 0.1
"""Influences below this need more than two digits behind the point: cosines, not near(z, s)."""


@st.cache_data(max_entries=4096, show_spinner=False)
def _miniature(stamp: str, name: str, root: Path, embedded: Path, limits: PictureLimits) -> str:
    return miniature(name, root, embedded, limits)


def pager(total: int, size: int, key: str) -> int:
    """Which page of `size` rows of `total`; returns the offset of its first row."""
    pages = max(1, -(-total // size))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        page = st.number_input(f"Page (of {pages:,})", 1, pages, 1, key=f"page-{key}", width=160)
        st.text(f"{min(total, (page - 1) * size + 1):,}–{min(total, page * size):,} of {total:,}")
    return (page - 1) * size


def one_page(total: int, key: str) -> slice:
    """Widgets that choose one page out of `total` rows."""
    offset = pager(total, PAGE, key)
    return slice(offset, offset + PAGE)


def row_table(study: Study, rows: pd.DataFrame, key: str) -> dict[str, Any] | None:
    """One page of `views.rows.row_table`; returns the chosen row (or the first), None without rows."""
    chosen = _table(study, rows, key, "single-row")
    return next(iter(chosen or rows.head(1).to_dict("records")), None)


def several_rows(study: Study, rows: pd.DataFrame, key: str) -> list[dict[str, Any]]:
    """One page of `views.rows.row_table` in which several rows can be ticked; those."""
    return _table(study, rows, key, "multi-row")


def ticked_rows(study: Study, rows: pd.DataFrame, key: str, *, current: int, ticked: list[int],
                take: Callable[[], None]) -> None:
    """One page of rows in which several can be ticked and one is looked at (`current`, marked). ticked: places that are
    ticked when the table is new; take: what to do when something was ticked or clicked."""
    looked = ["▸" if place == current else "" for place in range(len(rows))]
    _table(study, rows.assign(at=looked), key, ["multi-row", "single-cell"], on_select=take,
           selection_default={"selection": {"rows": ticked}})


def _table(study: Study, rows: pd.DataFrame, key: str, mode: str | list[str], **options: Any) -> list[dict[str, Any]]:
    shown = rows.assign(picture=[_miniature(stamp(*first), *first)
                                 for first in first_pictures(study, "pool", rows["images"])])
    first = ("at", "picture", "question", "answer", "status", "marks", "against", "strength", "capability", "serves",
             "of_unit")
    front = [c for c in first if c in shown.columns and (c != "marks" or shown[c].any())]
    influences = [c for c in shown.columns if c.startswith("→ ")]
    last = ("stage", "self_influence", "loss", "reason", "measured", "source", "id", "index")
    behind = [c for c in last if c in shown.columns]
    small = bool(influences) and np.abs(shown[influences].to_numpy(float)).max(initial=0) < SMALL
    config: dict[str, Any] = {c: st.column_config.NumberColumn(format="%.2g", width=84) if small else
                              st.column_config.NumberColumn(format="%.2f") for c in influences}
    config |= {"strength": st.column_config.NumberColumn("influence", format="%.2g" if small else "%.2f", help="On its "
                                                         "own capability: what the rows are sorted by.")}
    config |= {"loss": st.column_config.NumberColumn(format="%.2f")}
    config |= {"picture": st.column_config.ImageColumn(width="small"),
               "question": st.column_config.TextColumn(width="medium"),
               "self_influence": st.column_config.NumberColumn("self-influence", format="%.3g"),
               "serves": st.column_config.TextColumn("serves this target question", width="medium"),
               "of_unit": st.column_config.TextColumn("of unit"),
               "against": st.column_config.TextColumn("what speaks against it", width="medium")}
    config |= {"at": st.column_config.TextColumn("", width=28), "status": st.column_config.TextColumn(width=96),
               "marks": st.column_config.TextColumn(width=110)}
    event = st.dataframe(shown[[*front, *influences, *behind]], hide_index=True, row_height=52, key=f"{key}-table",
                         selection_mode=mode, column_config=config, **({"on_select": "rerun"} | options))
    return [shown.iloc[i].to_dict() for i in event["selection"]["rows"] if i < len(shown)]


def row_card(study: Study, row: Mapping[str, Any], served: pd.DataFrame) -> None:
    """A row beside the target questions that it serves best (columns unit, question, answer, value)."""
    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown("**Pool row**")
        sample_card(study, "pool", row)
    with right.container(border=True):
        st.markdown("**Target questions that it serves best**")
        st.dataframe(served, hide_index=True, row_height=40, column_config={
            "question": st.column_config.TextColumn(width="medium"),
            "value": st.column_config.NumberColumn("influence", format="%.3f")})


def sample_card(study: Study, role: str, row: Mapping[str, Any]) -> None:
    """One sample as the model sees it: pictures and every turn. `row` has `images`, `id`, `source`, and either `turns`
    or what `with_turns` reads them by."""
    if len(row["images"]):
        with guarded():
            loaded = opened_pictures(study, role, row)
            width, height = loaded[0].size
            st.image(loaded, alt=[f"Picture {n} of {role} row {row['index']}" for n in range(1, len(loaded) + 1)],
                     width=min(260, max(128, width), max(40, 320 * width // height)))  # at most 320 high
    with guarded():
        _turns(row["turns"] if "turns" in row else with_turns(study, role, [row])[0]["turns"])
    facts = [f"row {row['index']}", str(row["id"]), *(str(row[k]) for k in ("source", "unit") if row.get(k))]
    st.code(" · ".join(facts), language=None, wrap_lines=True)


def _turns(turns: Sequence[tuple[str, str]]) -> None:
    """A question and its answer stand as they are; longer conversations say who speaks."""
    plain = [who for who, _ in turns] == ["question", "answer"]
    long = sum(len(words) for _, words in turns) > 700 or len(turns) > 6
    with st.container(height=260 if long else "content", border=False):
        for who, words in turns:
            if not plain:
                st.caption(who)
            st.text(f"→ {words}" if who.startswith("answer") else words, width="stretch")
