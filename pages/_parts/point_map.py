"""The map of the pool on a page: all rows as points, an area drawn on it, the rows inside.

One line in a page, `point_map.show(study, bench, digest)`, gives the positions that were chosen. The browser is sent
5 bytes a point when the colours change, and nothing on other reruns; it sends back the corners of an area alone.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.jobs import control
from cadc.study import Study
from cadc.views import pool_map as views
from cadc.views.rows import source_labels
from pages._parts.jobs import job_panel
from pages._parts.tab import shown

_FILES = Path(__file__).parent
_MAP = st.components.v2.component(
    "pool_map", html=(_FILES / "point_map.html").read_text(encoding="utf-8"),
    css=(_FILES / "point_map.css").read_text(encoding="utf-8"),
    js="\n".join((_FILES / f"{name}.js").read_text(encoding="utf-8") for name in ("point_map_draw", "point_map")))


@st.cache_resource(max_entries=3, show_spinner="Opening the map of the pool…")
def _opened(layout: str, digest: str, _study: Study, _index: np.ndarray) -> views.PoolMap:
    return views.pool_map(_study, _index)


def opened(study: Study, bench: Workbench, digest: str) -> views.PoolMap | None:
    """Where the rows lie; None before somebody asked for it. Raises JobError where a file of the layout is damaged."""
    if not study.finished(views.layout_job(study.config)):
        return None
    return _opened(views.layout_digest(study), digest, study, bench.scores.index)


@st.cache_resource(max_entries=4, show_spinner=False)
def _sources(digest: str, _bench: Workbench) -> np.ndarray:
    return source_labels(_bench.table["source"])


def show(study: Study, bench: Workbench, digest: str, *, among: np.ndarray | None = None, key: str = "pool-map",
         take: Callable[[object], None] = lambda polygon: None) -> np.ndarray | None:
    """The map, with what its points are coloured by and how many are selected; where it was never asked for, the offer
    to make it. Returns int64 positions (0 … N-1, ascending) of the rows selected, None where nothing is.

    digest: of the scores (`open_bench`); among: bool [N], the rows in force, all others are grey and never selected;
    take: what to do with the corners of a new area (None: it was taken away), before the page is drawn again.
    Raises JobError where a file of the layout is damaged, DataError where the preset needs gradients that are not
    there.
    """
    offer = views.offer(study, len(bench.scores.index))
    if offer is not None:
        _ask(study, offer)
        return None
    found = _opened(views.layout_digest(study), digest, study, bench.scores.index)
    name = st.selectbox("Colour by", views.colourings(bench), key=f"{key}-colour", width=320)
    message = found.message(views.colouring(bench, _sources(digest, bench), name), among)
    own = f"{key}-{found.key}"
    sent = _MAP(key=own, data=message, on_polygon_change=lambda: take((shown(own) or {}).get("polygon")))
    selected = found.chosen(sent.get("polygon"), among)
    st.text(views.selection_note(selected, views.chosen_rows(bench), among))
    st.caption("Like rows lie together; how far apart groups lie means little. A click on a line of the legend shows "
               "its rows alone.")
    return selected


def _ask(study: Study, offer: views.Offer) -> None:
    st.text(offer.text)
    if offer.running:
        st.button("Cancel", icon=":material/stop:", on_click=control.cancel, args=(study,), key="pool-map-cancel")
    elif st.button("Lay out the pool", icon=":material/scatter_plot:", type="primary"):
        control.start(study, offer.job)
        st.rerun()
    if offer.running or offer.begun:
        job_panel(study, (offer.job,))
