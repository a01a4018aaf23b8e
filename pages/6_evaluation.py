"""Evaluation: does the curriculum train better than random rows and than everything, and would we know? (METHOD §6)"""

import streamlit as st

from cadc.evaluation import EvaluationSettings
from cadc.jobs import control
from cadc.study import Study
from cadc.views import evaluation as views
from cadc.views.glossary import told
from cadc.views.jobs import was_begun
from pages import _comparison
from pages._parts.bench import open_bench
from pages._parts.jobs import job_panel
from pages._parts.shell import guarded, open_study


def ask(view: views.EvaluationView) -> EvaluationSettings:
    """What to compare."""
    lines, missing = views.arm_lines(view.bench)
    arms = st.multiselect("Arms", list(lines), default=view.usual_arms, format_func=lines.get,
                          help="Type to search the list. An arm is one way to choose rows. Presets and signals come "
                          "first, each once more at the end without the filter of rows that look wrong.")
    if missing:
        st.caption(missing)
    columns = st.columns(4, vertical_alignment="bottom")
    seeds = columns[0].number_input("Seeds", 1, 20, 3, help="Each seed draws its own adapter, random rows and "
                                    "shuffling. Fewer than 3 say little about chance.")
    steps = columns[1].number_input("Steps of each arm", 1, 100_000, 150)
    batch = columns[2].number_input("Samples per step", 1, 512, 32)
    scored = columns[3].number_input("Scored samples per unit, at most", 1, 10_000, 32)
    left, middle, right = st.columns([2, 1, 1])
    equal = left.selectbox("What all arms have in common", list(views.SAME), format_func=views.SAME.get)
    epochs = middle.number_input("Passes over its rows", 0.1, 1000.0, 2.0, disabled=equal == "steps")
    budgets = right.text_input("Budgets", placeholder="as on Curriculum", help="Several give a budget curve: "
                               "1%, 2%, 5%, 10%, 20%. Every arm is trained once for each.")
    return views.asked(arms=arms, seeds=range(seeds), steps=steps, batch=batch, equal=equal, epochs=epochs,
                       samples_per_unit=scored, budgets=budgets)


def cost(view: views.EvaluationView, settings: EvaluationSettings) -> None:
    """What the comparison will take, before it starts."""
    st.text(view.cost_note(settings))
    if note := views.forward_note(settings):
        st.text(note)


def watch(study: Study) -> None:
    """A comparison at work: watch it, cancel it."""
    with guarded(), st.container(horizontal=True, vertical_alignment="center"):
        st.button("Cancel", icon=":material/stop:", on_click=control.cancel, args=(study,),
                  help="Stops at the next batch; finished runs stay.")
        st.text("You may close this tab: the job goes on, and this page shows it when you come back.")


def start(view: views.EvaluationView, study: Study) -> None:
    """Ask, see the cost, start."""
    with guarded():
        settings = ask(view)
        cost(view, settings)
        if st.button("Start the comparison", icon=":material/play_arrow:", type="primary"):
            views.begin(study, settings, view.bench)
            st.rerun()


def verdict(view: views.EvaluationView) -> views.ComparisonView | None:
    """Choose a comparison; its answer in a sentence, and how far it can be trusted. None: no run of it is finished."""
    place = st.selectbox("Comparison", range(len(view.results)), format_func=view.labels().__getitem__)
    result = view.results[place]
    if result.table.empty:
        st.info("No run of this comparison is finished yet.", icon=":material/hourglass_empty:")
        return None
    budgets = views.budgets_of(result)
    budget = st.segmented_control("Budget", budgets, default=budgets[0], format_func=lambda b: f"{100 * b:g} %",
                                  required=True) if len(budgets) > 1 else budgets[0]
    found = views.comparison_view(view, result, budget)
    with st.container(border=True):
        st.header("Verdict", help=told("gap closed", "arm"))
        st.text(found.headline)
    if found.open_note:
        st.warning(found.open_note, icon=":material/hourglass_empty:")
    return found


def numbers(found: views.ComparisonView) -> None:
    """What the verdict rests on: the differences, the dots, every number."""
    st.text(found.effort_note)
    for note in found.result.notes:
        st.text(note)
    with st.expander("Every comparison in words"):
        st.text(found.verdict)
    _comparison.differences(found)
    _comparison.charts(found)
    st.header("What each arm was trained on")
    st.dataframe(found.effort, hide_index=True)
    st.header("Every seed")
    st.dataframe(found.seeds, hide_index=True)
    _comparison.download(found)


study, store = open_study("Evaluation")
view = views.evaluation_view(study, open_bench(study, store)[0])
running = control.is_running(study)
if running:
    watch(study)
if running or was_begun(study, "evaluate"):
    job_panel(study, ("evaluate",))
if not view.results:
    st.info("Nothing was compared yet. A curriculum that was never trained on is a guess.", icon=":material/balance:")
compared = verdict(view) if view.results else None
if not running:
    with st.expander("A new comparison: what to compare, and what it costs", expanded=not view.results,
                     icon=":material/balance:"):
        start(view, study)
if compared:
    numbers(compared)
