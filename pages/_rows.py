"""A paged table of pool rows with pictures and reasons, and the card of the row that is chosen. Widgets only.

Dataset text reaches the browser through dataframe cells and `st.text` alone: nothing in it is ever read as markup.
"""

import base64
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.study import Study
from pages import _ui

log = logging.getLogger(__name__)
PAGE = 20
"""Rows on one page: enough to compare, few enough that their pictures arrive at once."""


@st.cache_data(max_entries=4096, show_spinner=False)
def _miniature(name: str, root: Path, embedded: Path) -> str:
    """A picture as a small data: URL, which is what a table cell can show; '' when it cannot be opened."""
    from cadc.data import open_images

    try:
        picture = open_images(Sample(index=-1, id=name, images=(name,), turns=()), root, embedded)[0]
    except DataError as error:
        log.warning("no miniature: %s", error)
        return ""
    picture.thumbnail((96, 96))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def miniatures(study: Study, role: str, images: Sequence[Sequence[str]]) -> list[str]:
    """First picture of each row as a data: URL."""
    root, embedded = study.image_root(role), study.ingest_images(role)
    return [_miniature(str(own[0]), root, embedded) if len(own) else "" for own in images]


def page(total: int, key: str) -> slice:
    """Widgets that choose one page out of `total` rows."""
    offset = _ui.pager(total, PAGE, key)
    return slice(offset, offset + PAGE)


def table(study: Study, rows: pd.DataFrame, key: str) -> dict[str, Any] | None:
    """One page of `views.figures.influence.row_table`; returns the chosen row (or the first), None without rows."""
    shown = rows.assign(picture=miniatures(study, "pool", rows["images"]))
    front = ["picture", "question", "answer", "capability", "serves", "of_unit"]
    influences = [c for c in shown.columns if c.startswith("→ ")]
    last = ("stage", "self_influence", "loss", "reason", "measured", "source", "id", "index")
    behind = [c for c in last if c in shown.columns]
    config: dict[str, Any] = {c: st.column_config.NumberColumn(format="%.2f") for c in (*influences, "loss")}
    config |= {"picture": st.column_config.ImageColumn(width="small"),
               "question": st.column_config.TextColumn(width="medium"),
               "self_influence": st.column_config.NumberColumn("self-influence", format="%.3g"),
               "serves": st.column_config.TextColumn("serves this target question", width="medium"),
               "of_unit": st.column_config.TextColumn("of unit")}
    event = st.dataframe(shown[[*front, *influences, *behind]], hide_index=True, row_height=52, key=f"{key}-table",
                         on_select="rerun", selection_mode="single-row", column_config=config)
    if shown.empty:
        return None
    chosen = [i for i in event["selection"]["rows"] if i < len(shown)]
    return shown.iloc[chosen[0] if chosen else 0].to_dict()


def card(study: Study, row: dict[str, Any], served: pd.DataFrame) -> None:
    """A row beside the target questions that it serves best (columns unit, question, answer, value)."""
    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown("**Pool row**")
        _ui.sample_card(study, "pool", row)
    with right.container(border=True):
        st.markdown("**Target questions that it serves best**")
        st.dataframe(served, hide_index=True, row_height=40, column_config={
            "question": st.column_config.TextColumn(width="medium"),
            "value": st.column_config.NumberColumn("influence", format="%.3f")})
