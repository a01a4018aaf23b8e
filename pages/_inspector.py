"""Rows page, part: everything about one pool row, beside the table. Widgets only."""

import numpy as np
import pandas as pd
import streamlit as st

from cadc.store import Store
from cadc.study import Study
from cadc.views.figures import influence as figures
from cadc.views.pool_rows import PoolRows, with_target
from cadc.views.row_filter import RowFilter
from pages import _filter_bar, _row_acts
from pages._parts.rows import sample_card
from pages._parts.tab import shown


def go_to(index: int) -> None:
    """Look at this pool row from the next run on. For callbacks."""
    st.query_params["row"] = str(index)


def steps(view: PoolRows, order: np.ndarray, at: int) -> None:
    """Previous and next row, by button or by key. at: place in `order`."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, key, by, icon in (("Previous", "K", -1, "arrow_upward"), ("Next", "J", 1, "arrow_downward")):
            other = at + by
            there = 0 <= other < len(order)
            st.button(label, icon=f":material/{icon}:", shortcut=key, disabled=not there, key=f"rows-{label}",
                      on_click=go_to, args=(int(view.index[order[other]]) if there else 0,))
        st.text(f"{at + 1:,} of {len(order):,}")


def inspect(view: PoolRows, position: int, wanted: RowFilter, study: Study, store: Store) -> None:
    """The row as the model sees it, what is known of it, whom it serves."""
    row = view.page(np.array([position])).iloc[0].to_dict()
    with st.container(border=True):
        sample_card(study, "pool", row)
        st.text(view.why(position))
        if row["marks"]:
            st.text(row["marks"])
        _row_acts.note(view, int(row["index"]), study, store)
    if (alike := view.repeats(position)) > 1:
        st.button(f"Its {alike} near-duplicates", icon=":material/content_copy:", on_click=_filter_bar.put,
                  args=(RowFilter(group=int(row["index"]), sort="file", down=False),))
    served(study, view, position, wanted)
    st.markdown("**Influence on each capability**")
    st.dataframe(view.influences(position), hide_index=True, column_config={
        "influence": st.column_config.NumberColumn(format="%.3f", width="small"),
        "percentile": st.column_config.ProgressColumn("% below", help="% of the pool below it", min_value=0,
                                                      max_value=100, format="%.0f", width="small")})
    if view.bench.scores.has_gradients:
        st.markdown("**Over the checkpoints**")
        st.plotly_chart(figures.sample_losses(view.over_time(position)), key="rows-losses")


def served(study: Study, view: PoolRows, position: int, wanted: RowFilter) -> None:
    """The target questions that a row serves best, one of them as the model sees it, and the rows nearest to it."""
    table = view.served(position)
    st.markdown("**Target questions that it serves best**")
    if table.empty:
        st.text("None: no unit is in a capability.")
        return
    event = st.dataframe(table[["question", "answer", "unit", "value"]], hide_index=True, row_height=40,
                         key=f"rows-served-{position}", on_select="rerun", selection_mode="single-row",
                         column_config={"question": st.column_config.TextColumn(width="medium"),
                                        "value": st.column_config.NumberColumn("influence", format="%.2f")})
    picked = event["selection"]["rows"] or [0]
    target = int(table["target"].iloc[picked[0]])
    with st.expander("The question that is ticked, or the first", expanded=False, icon=":material/quiz:"):
        sample_card(study, "target", of_target(view, target))
        st.button("Rows nearest to this question", icon=":material/manage_search:", on_click=_filter_bar.put,
                  args=(with_target(wanted, target),))


def of_target(view: PoolRows, target: int) -> dict:
    """A row of the target file, as `sample_card` wants it."""
    table: pd.DataFrame = view.bench.targets
    return table[table["index"] == target].iloc[0].to_dict()


def ticks(page: pd.DataFrame, key: str) -> None:
    """Take over what was ticked or clicked in the table. For its callback."""
    selection = (shown(key) or {}).get("selection") or {}
    of_page = [int(i) for i in page["index"]]
    now = {of_page[i] for i in selection.get("rows", []) if i < len(of_page)}
    _row_acts.put_ticks((_row_acts.ticked_now() - set(of_page)) | now)
    if cells := selection.get("cells"):
        go_to(of_page[cells[0][0]])
