"""Influence: which data feeds which capability, and how hard the model still finds it (METHOD §4)."""

import numpy as np
import streamlit as st

from cadc.curation import PRESETS
from cadc.curation.workbench import Workbench
from cadc.study import Study
from cadc.views import influence as views
from cadc.views.adding import presets_of
from cadc.views.figures import influence as figures
from cadc.views.glossary import told
from cadc.views.rows import source_labels
from cadc.views.settings import preset_help
from pages._parts import point_map
from pages._parts.bench import open_bench
from pages._parts.links import rows_link
from pages._parts.rows import one_page, row_card, row_table
from pages._parts.shell import guarded, open_study
from pages._parts.tab import show, shown
from pages._spread import picked, put, spread


@st.cache_resource(max_entries=4, show_spinner=False)
def source_names(digest: str, _bench: Workbench) -> np.ndarray:
    """Display name of each row's source."""
    return source_labels(_bench.table["source"])


def looks(bench: Workbench) -> views.Look:
    """Preset, signal and measure of this look."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ready, missing = presets_of(bench.study)
        preset = st.segmented_control("Preset", ready, required=True,
                                      default=bench.settings.preset if bench.settings.preset in ready else ready[0],
                                      help=preset_help(lambda one: one.measures, "How a row's influence is measured."))
        signal = "plain"
        if len(PRESETS[preset].signals) > 1 and bench.scores.has_grounded:
            signal = st.segmented_control("Target gradients", PRESETS[preset].signals, default=bench.settings.signal,
                                          required=True, help="grounded: what the words alone teach is subtracted.")
        measure = st.segmented_control("Thickness", list(views.MEASURES), default="influence", required=True,
                                       help="rows: how many rows flow. influence: the sum of their positive influence.")
    if missing:
        st.caption(missing)
    if preset != bench.settings.preset:
        st.caption(f"You are only looking: the curriculum is made with **{bench.settings.preset}**. Change that on the "
                   "Curriculum page.")
    if stands_in := views.stands_in(bench, preset):
        st.caption(stands_in)
    if PRESETS[preset].value:
        st.caption(f"What a number of influence says here: {PRESETS[preset].value}.")
    return views.Look(preset=preset, signal=signal, measure=measure)


def clicked(view: views.InfluenceView) -> None:
    """A click on the chart sets the two boxes: they are the one choice that everything below follows."""
    pick = view.picked(shown(view.chart_key))
    put(view, source=pick.source, capability=pick.capability)


def flow(view: views.InfluenceView, pick: views.Pick) -> None:
    """The Sankey with its boxes."""
    left, right = st.columns([2, 1], gap="medium")
    with left:
        st.echarts_chart(figures.sankey(view.drawn, *view.ends, view.colours, theme=st.context.theme.type),
                         key=view.chart_key, on_select=lambda: clicked(view), renderer="svg",
                         height=views.sankey_height(view.drawn), alt="Flow of pool rows from sources to capabilities")
        st.text(view.flow_note)
    with right:
        sources, capabilities = view.choices
        show("from", pick.source)
        st.selectbox("From source", sources, index=None, key="from", placeholder="all sources",
                     on_change=lambda: put(view, source=shown("from")))
        show("to", pick.capability)
        st.selectbox("To capability", capabilities, index=None, key="to", placeholder="all capabilities",
                     on_change=lambda: put(view, capability=shown("to")))
        st.dataframe(views.pool_table(view.assignment, view.names), hide_index=True, column_config={
            "share": st.column_config.NumberColumn(format="%d %%", width="small"),
            "rows": st.column_config.NumberColumn(width="small")})
        st.caption(view.floor_note + " They are kept out of every curriculum, not out of sight. The floor is set on "
                   "the Curriculum page.")


def rows_behind(view: views.InfluenceView, study: Study, pick: views.Pick) -> None:
    """The paged table of rows and the card of the chosen one."""
    positions = view.behind(pick)
    st.header("Rows behind the choice", help=told("influence", "unattributed"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{pick.text}: {len(positions):,} of {len(view.assignment):,} rows, strongest influence first")
        rows_link(study, view.filter_of(pick), "Look through them on Rows")
    if not view.in_force:
        st.caption(f"Rows follows the curriculum: there, influence is what **{view.bench.settings.preset}** says.")
    page = positions[one_page(len(positions), f"influence-{pick.text}")]
    chosen = row_table(study, view.row_page(page), "influence")
    if chosen is not None:
        one_row(view, study, chosen)


def one_row(view: views.InfluenceView, study: Study, row: dict) -> None:
    """Everything about one row: pictures, words, losses, influences, whom it serves."""
    position = int(row["position"])
    row_card(study, row, view.served(position))
    left, right = st.columns(2)
    if view.has_gradients:
        left.plotly_chart(figures.sample_losses(view.over_time(position)), key="one-loss")
    (right if view.has_gradients else left).dataframe(view.influences(position), hide_index=True, column_config={
        "influence": st.column_config.NumberColumn(format="%.3f"),
        "percentile": st.column_config.ProgressColumn("% of the pool below", min_value=0, max_value=100,
                                                      format="%.0f")})


def self_influence(view: views.InfluenceView) -> None:
    """How hard the rows of each capability are over the checkpoints."""
    st.header("Self-influence over the checkpoints", help=told("self-influence", "checkpoint"))
    if view.without:
        st.text(view.without)
        return
    st.caption("η·‖g‖² of a row's own answer: high is hard. It falls where the model learns the rows of a pool; where "
               "it stays or rises, they are too hard, wrong, or off topic.")
    lines = view.self_influence()
    left, right = st.columns(2)
    left.plotly_chart(figures.self_influence_lines(lines, view.colours), key="self-lines")
    right.plotly_chart(figures.self_influence_bars(views.change_table(lines), view.colours), key="self-bars")
    st.text(view.drawn_note)


@st.fragment  # nothing above follows what is selected here
def map_of_the_pool(view: views.InfluenceView, study: Study, digest: str) -> None:
    """All rows as points; a page of those that are selected."""
    st.header("Map of the pool")
    with guarded():
        positions = point_map.show(study, view.bench, digest)
        if positions is not None and len(positions):
            row_table(study, view.row_page(positions[one_page(len(positions), "map")]), "map")


study, store = open_study("Influence")
bench, digest = open_bench(study, store)
view = views.influence_view(bench, source_names(digest, bench), looks(bench))
if view.note:
    st.text(view.note)
pick = picked(view)
flow(view, pick)
spread(view, pick)
rows_behind(view, study, pick)
self_influence(view)
map_of_the_pool(view, study, digest)
