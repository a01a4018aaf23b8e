"""Curriculum: how many rows each capability gets, in which order they are trained, and the file (METHOD §5)."""

import streamlit as st

from cadc.curation import CurationSettings, Curriculum
from cadc.curation.workbench import Workbench
from cadc.discovery import Capabilities
from cadc.store import Store
from cadc.study import Study
from cadc.views import gain
from cadc.views.curriculum import CurriculumView, curriculum_of, curriculum_view
from cadc.views.opened import scores_digest
from pages import _budget, _composition, _draft, _export, _left_out, _outcome, _saved
from pages._parts.bench import open_bench
from pages._parts.history import decision_buttons, say_refused
from pages._parts.rows import one_page, row_card, row_table
from pages._parts.scroll import bring_into_view
from pages._parts.shell import guarded, open_study


@st.cache_resource(max_entries=16, show_spinner=False)
def made(digest: str, capabilities: Capabilities, settings: CurationSettings, _bench: Workbench) -> Curriculum:
    """The curriculum of these capabilities and settings over these scores."""
    return curriculum_of(_bench, settings)


def view_of(bench: Workbench, digest: str) -> CurriculumView:
    """The draft as it stands, beside what is saved."""
    draft = _draft.current(bench)
    now, saved = (made(digest, bench.capabilities, settings, bench) for settings in (draft, bench.settings))
    return curriculum_view(bench, draft, now, saved)


@st.cache_resource(max_entries=3, show_spinner=False)
def known_gains(digest: str, stamp: str, _study: Study) -> list[gain.Measured]:
    """What comparisons of this study have measured so far."""
    return gain.measured(_study)


def gain_of(study: Study, digest: str, view: CurriculumView) -> gain.Gain:
    """What is known of the draft's gain."""
    return gain.gain(known_gains(digest, gain.stamp(study), study), view.now.rows["index"].to_numpy())


def shape(bench: Workbench, digest: str, study: Study, store: Store) -> None:
    """Everything that changes the draft, and what the draft gives; runs alone, without the rest of the page."""
    if scores_digest(study) != digest:
        st.rerun()  # the scores changed since the page was drawn
    with guarded():
        say_refused()
        view = view_of(bench, digest)
        left, right = st.columns([5, 3], gap="large")
        with left:
            _draft.preset(view)
            _budget.budget(view)
            _draft.shares(view)
            first, second = st.columns(2, gap="medium")
            with first:
                _draft.order(view)
            with second:
                _draft.staging(view)
                with st.popover("Filters", icon=":material/filter_alt:"):
                    _draft.filters(view)
        with right:
            _outcome.save(view, study, store)
            _outcome.outcome(view)
        _outcome.facts(view, gain_of(study, digest, view))
        details(view, study, store, digest)


def details(view: CurriculumView, study: Study, store: Store, digest: str) -> None:
    """Rows, what is left out, composition, saved curricula or export: one of them at a time."""
    with st.container(key="curriculum-details"):
        part = st.segmented_control("Show", ("Rows", "Left out", "Composition", "Saved", "Export"), default="Rows",
                                    required=True, key="details")
        if part == "Rows":
            preview(view, study)
        elif part == "Left out":
            _left_out.panel(view, study)
        elif part == "Composition":
            _composition.panel(view)
        elif part == "Saved":
            bench = view.bench
            _saved.panel(view, study, store, lambda settings: made(digest, bench.capabilities, settings, bench))
        else:
            _export.panel(study, store, view.bench, saved=not view.changed)
    bring_into_view("curriculum-details")


def preview(view: CurriculumView, study: Study) -> None:
    """The chosen rows in training order, each with the target question that it serves."""
    stages = list(view.now.stages["stage"])
    stage = st.selectbox("Stage", [None, *stages], width=200, format_func=lambda s: f"stage {s}" if s else "all stages"
                         ) if len(stages) > 1 else None
    rows = view.chosen(stage)
    part = rows.iloc[one_page(len(rows), f"curriculum-{stage}")]
    chosen = row_table(study, view.row_page(part), "curriculum")
    if chosen is not None:
        _draft.tag(view, int(chosen["index"]))
        row_card(study, chosen, view.served(int(chosen["position"])))


study, store = open_study("Curriculum")
bench, digest = open_bench(study, store)
if not bench.capabilities.k:
    st.info("There is no capability yet, so there is nothing to choose for. Find or make one on the **Capabilities** "
            "page.", icon=":material/hub:")
    st.stop()
decision_buttons(study, store, "curation")
st.fragment(shape)(bench, digest, study, store)
