"""Influence: which data feeds which capability, and how hard the model still finds it (METHOD §4)."""

import hashlib

import streamlit as st

from cadc.scores.influence import assign, flows, own_influence, self_by_capability, served
from cadc.study import PRESETS
from cadc.views.figures import influence as figures
from pages import _bench, _rows, _ui

st.title("Influence")
st.caption("Which rows of the pool teach which capability. Click a source, a capability or a flow between them to see "
           "the rows behind it.")
study, store = _ui.open_study()
bench = _bench.open_bench(study, store)
scores, capabilities, columns = bench.scores, bench.capabilities, bench.influence_columns
names, colours = list(capabilities.names), _bench.colours(bench)


@st.cache_resource(max_entries=4, show_spinner=False)
def source_names(identity: str):
    """Display name of each row's source; the arguments are all it depends on."""
    return figures.source_labels(bench.table["source"])


def looks() -> tuple[str, str, str]:
    """Preset, signal and measure of this look."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        preset = st.segmented_control("Preset", PRESETS, default=bench.settings.preset, required=True, help=(
            "How a row's influence is measured. studio: against single target questions, the best of a capability's "
            "units. paper: against the mean gradient of each capability."))
        signal = "plain"
        if preset == "paper" and scores.has_grounded:
            signal = st.segmented_control("Target gradients", ["plain", "grounded"], default=bench.settings.signal,
                                          required=True, help="grounded: what the words alone teach is subtracted.")
        measure = st.segmented_control("Thickness", list(figures.MEASURES), default="influence", required=True,
                                       help="rows: how many rows flow. influence: the sum of their positive influence.")
    if preset != bench.settings.preset:
        st.caption(f"You are only looking: the curriculum is made with **{bench.settings.preset}**. Change that on the "
                   "Curriculum page.")
    return preset, signal, measure


preset, signal, measure = looks()
influence = columns.influence(capabilities.of_unit, preset=preset, signal=signal, scale=bench.settings.scale)
pool, sources = assign(influence, bench.settings.floor), source_names(study.identity)
hard = bench.self_influence
if note := figures.measured_note(scores.measured, bench.held_out(preset, signal), names):
    st.text(note)
table = flows(sources, pool, influence, names)
drawn = figures.links(table, measure)
chart_key = "flow-" + hashlib.sha1(repr((preset, signal, measure, drawn.values.tolist())).encode()).hexdigest()[:12]


def clicked() -> None:
    """A click on the chart sets the two boxes: they are the one choice that everything below follows."""
    pick = figures.picked(st.session_state[chart_key], drawn, names) or figures.Pick()
    st.session_state["from"], st.session_state["to"] = pick.source, pick.capability


def flow() -> figures.Pick:
    """The Sankey with its boxes; what is chosen."""
    left, right = st.columns([2, 1], gap="medium")
    with left:
        st.echarts_chart(figures.sankey(drawn, names, colours, theme=st.context.theme.type), key=chart_key,
                         on_select=clicked, renderer="svg", height=figures.height(drawn),
                         alt="Flow of pool rows from sources to capabilities")
        st.text(figures.flow_note(table, drawn, len(pool)))
    with right:
        options = list(dict.fromkeys(table["source"]))
        source = st.selectbox("From source", options, index=None, key="from", placeholder="all sources")
        target = st.selectbox("To capability", [*names, figures.UNATTRIBUTED], index=None, key="to",
                              placeholder="all capabilities")
        st.dataframe(figures.pool_table(pool, names), hide_index=True, column_config={
            "share": st.column_config.NumberColumn(format="%d %%", width="small"),
            "rows": st.column_config.NumberColumn(width="small")})
        st.caption("Unattributed rows have no influence above the floor on any capability; they are kept out of every "
                   "curriculum, not out of sight.")
    return figures.Pick(source=source, capability=target)


def rows_behind(pick: figures.Pick) -> None:
    """The paged table of rows and the card of the chosen one."""
    positions = figures.behind(pick, sources, pool, names, own_influence(influence, pool))
    st.subheader("Rows behind the choice")
    st.text(f"{pick.text}: {len(positions):,} of {len(pool):,} rows, strongest influence first")
    page = positions[_rows.page(len(positions), f"influence-{pick.text}")]
    reasons = served(columns, page, capabilities.of_unit, capability=pool[page])
    labels = [names[k] if k >= 0 else figures.UNATTRIBUTED for k in pool[page]]
    known = bench.table.iloc[page].assign(loss=scores.loss[page, -1], measured=scores.measured[page])
    rows = figures.row_table(known, labels, influence[page], names, figures.serves_table(reasons, bench.targets, page))
    chosen = _rows.table(study, rows.assign(position=page), "influence")
    if chosen is not None:
        one_row(chosen)


def one_row(row: dict) -> None:
    """Everything about one row: pictures, words, losses, influences, whom it serves."""
    position = int(row["position"])
    best = served(columns, [position], capabilities.of_unit, top=5)
    _rows.card(study, row, figures.served_words(best, bench.targets))
    left, right = st.columns(2)
    over_time = figures.sample_table(scores.loss[position], hard[position])
    left.plotly_chart(figures.sample_losses(over_time), key="one-loss")
    right.dataframe(figures.sample_influences(influence, names, position), hide_index=True, column_config={
        "influence": st.column_config.NumberColumn(format="%.3f"),
        "percentile": st.column_config.ProgressColumn("% of the pool below", min_value=0, max_value=100,
                                                      format="%.0f")})


rows_behind(flow())
store.save_influence(study, bench.flows)
st.subheader("Self-influence over the checkpoints")
st.caption("η·‖g‖² of a row's own answer: high is hard. It falls where the model learns the rows of a pool; where it "
           "stays or rises, they are too hard, wrong, or off topic.")
means = self_by_capability(hard, pool, len(names))
lines = figures.self_influence_table(means, pool, names)
left, right = st.columns(2)
left.plotly_chart(figures.self_influence_lines(lines, colours), key="self-lines")
right.plotly_chart(figures.self_influence_bars(figures.change_table(lines), colours), key="self-bars")
st.text(figures.drawn_note(pool))
st.subheader("Distribution of influence")
st.caption("Thin: all rows of the pool. Filled: the rows that the capability claims.")
st.plotly_chart(figures.influence_histogram(figures.histogram_table(influence, pool, names), colours), key="spread")
st.text(f"drawn {len(pool):,} of {len(pool):,} rows")
