"""Curriculum: how many rows each capability gets, in which order they are trained, and the file (METHOD §5)."""

import streamlit as st

from cadc.curation import CurationSettings, Curriculum, curate
from cadc.views.figures import curriculum as figures
from cadc.views.figures.influence import measured_note, row_table, served_words, serves_table, source_labels
from pages import _bench, _draft, _export, _rows, _ui

st.title("Curriculum")
st.caption("Shape the budget and the order, look at what is chosen and why, save, export. No gradient is computed "
           "again: every change is a new view of the same scores.")
study, store = _ui.open_study()
bench = _bench.open_bench(study, store)
names, colours = list(bench.capabilities.names), _bench.colours(bench)
if not bench.capabilities.k:
    st.info("There is no capability yet, so there is nothing to choose for. Find or make one on the **Capabilities** "
            "page.", icon=":material/hub:")
    st.stop()


@st.cache_resource(max_entries=16, show_spinner=False)
def made(key: str, capabilities: object, settings: CurationSettings) -> Curriculum:
    """The curriculum of these capabilities and settings; the arguments are all that it depends on."""
    return curate(bench.scores, bench.table, capabilities, settings, targets=bench.targets,
                  columns=bench.influence_columns)


def shape() -> None:
    """Everything that changes the draft, and what the draft gives; runs alone, without the rest of the page."""
    with _ui.guarded():
        _ui.show_refused()
        left, right = st.columns([5, 3], gap="large")
        with left:
            _draft.preset(bench)
            _draft.budget(bench)
            now = made(_ui.scores_key(study), bench.capabilities, _draft.current(bench))
            _draft.shares(bench, now)
            first, second = st.columns(2, gap="medium")
            with first:
                _draft.order(bench, now)
            with second:
                _draft.staging(bench)
                with st.popover("Filters", icon=":material/filter_alt:"):
                    _draft.filters(bench)
        with right:
            outcome(now)
            save()
        details(now)


def outcome(now: Curriculum) -> None:
    """What the draft gives, and what is different from the last saved one."""
    before = made(_ui.scores_key(study), bench.capabilities, bench.settings)
    st.plotly_chart(figures.stage_mixture(figures.mixture_table(now.rows), colours, names), key="stages")
    note = measured_note(bench.scores.measured, bench.held_out(_draft.current(bench).preset), names)
    for sentence in (*now.report["sentences"], *filter(None, [note])):
        st.text(sentence)
    st.markdown("**Against the last saved curriculum**")
    shared = figures.overlap(before.rows["position"], now.rows["position"])
    st.text(f"{shared['kept']:,} rows stay, {shared['added']:,} come in, {shared['dropped']:,} go out")
    st.dataframe(figures.budget_table(*(figures.rows_by_capability(c.budgets) for c in (before, now))), hide_index=True)


def save() -> None:
    """One decision for everything on this page."""
    fresh = _draft.changed(bench)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Save", icon=":material/save:", type="primary", disabled=not fresh):
            if _ui.decide(study, store, "curate", _draft.current(bench).to_dict()):
                _draft.forget()
            st.rerun()
        if st.button("Discard", icon=":material/undo:", disabled=not fresh, help="Back to what is saved"):
            _draft.forget()
            st.rerun()
        st.text("Not saved yet." if fresh else "Saved.")


def details(now: Curriculum) -> None:
    """Rows, composition or export: one of them at a time."""
    part = st.segmented_control("Show", ("Rows", "Composition", "Export"), default="Rows", required=True, key="details")
    if part == "Rows":
        preview(now)
    elif part == "Composition":
        composition(now)
    else:
        _export.panel(study, store, bench, saved=not _draft.changed(bench))


def preview(now: Curriculum) -> None:
    """The chosen rows in training order, each with the target question that it serves."""
    stage = st.selectbox("Stage", [None, *now.stages["stage"]], width=200,
                         format_func=lambda s: f"stage {s}" if s else "all stages")
    rows = now.rows if stage is None else now.rows[now.rows["stage"] == stage]
    part = rows.iloc[_rows.page(len(rows), f"curriculum-{stage}")]
    positions = part["position"].to_numpy()
    words = bench.table.iloc[positions].reset_index(drop=True)
    known = words.assign(**{c: part[c].to_numpy() for c in ("stage", "self_influence", "loss", "reason", "measured",
                                                           "position")})
    settings = _draft.current(bench)
    influence = bench.influence_columns.influence(bench.capabilities.of_unit, preset=settings.preset,
                                                  signal=settings.signal, scale=settings.scale)
    serves = serves_table(part.rename(columns={"target_value": "value"}), bench.targets, positions)
    chosen = _rows.table(study, row_table(known, part["name"], influence[positions], names, serves), "curriculum")
    if chosen is not None:
        _draft.tag(bench, int(chosen["index"]))
        _rows.card(study, chosen, served_words(bench.served([chosen["position"]], top=5), bench.targets))


def composition(now: Curriculum) -> None:
    """Sources, capabilities and answer formats of the chosen rows beside the pool's."""
    chosen = bench.table.iloc[now.rows["position"]]
    left, right = st.columns(2)
    table = figures.composition_table(source_labels(chosen["source"]), now.rows["name"])
    left.markdown("**Sources and capabilities**")
    left.plotly_chart(figures.composition(table, colours, names), key="composition")
    right.markdown("**Answer formats: pool and curriculum**")
    right.plotly_chart(figures.formats(figures.format_table(bench.table["answer_format"], chosen["answer_format"])),
                       key="formats")
    st.text(f"drawn {len(chosen):,} of {len(chosen):,} chosen rows, beside {len(bench.table):,} rows of the pool")


_ui.decision_buttons(study, store, "curation")
kept = made(_ui.scores_key(study), bench.capabilities, bench.settings)
store.save_budgets(study, figures.budgets_saved(kept.budgets, kept.report["order"]))
st.fragment(shape)()
