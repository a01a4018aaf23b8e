"""Evaluation: does the curriculum train better than random rows and than everything, and would we know? (METHOD §6)"""

import json

import streamlit as st

from cadc.curation import read_budget
from cadc.evaluation import (
    ARMS,
    EvaluationResult,
    EvaluationSettings,
    against,
    at_budget,
    headline,
    read_results,
    request_evaluation,
    summary,
    verdict,
)
from cadc.jobs import control as jobs
from cadc.views.figures import evaluation as figures
from pages import _bench, _comparison, _ui

HELD_OUT = {"held out": "Scored on target samples that no gradient has seen.",
            "means only": "Scored on target samples that entered unit means, but were never a single target question.",
            "same samples": "Scored on the samples whose gradients chose the curriculum: this favours it."}

SAME = {"steps": "Same steps: 5 % of the data for as many steps as all of it",
        "epochs": "Same passes: every arm goes over its own rows equally often, 5 % of the data for 5 % of the steps"}

st.title("Evaluation")
st.caption("The same base model is trained again on the curriculum and on its rivals: random rows, the whole pool, "
           "other ways to select. Same seeds, scored on the target.")
study, store = _ui.open_study()
bench = _bench.open_bench(study, store)
capabilities = bench.capabilities
group_of = {unit: capabilities.names[k] for unit, k in zip(capabilities.units, capabilities.of_unit, strict=True)
            if k >= 0}
results = read_results(study)


def ask() -> EvaluationSettings:
    """What to compare."""
    arms = st.multiselect("Arms", list(ARMS), default=EvaluationSettings().arms,
                          format_func=lambda a: f"{a}: {ARMS[a].describe}")
    columns = st.columns(4)
    seeds = columns[0].number_input("Seeds", 1, 20, 3, help="Each seed draws its own adapter, random rows and "
                                    "shuffling. Fewer than 3 say little about chance.")
    steps = columns[1].number_input("Steps of each arm", 1, 100_000, 150)
    batch = columns[2].number_input("Samples per step", 1, 512, 32)
    scored = columns[3].number_input("Scored samples per unit, at most", 1, 10_000, 32)
    left, middle, right = st.columns([2, 1, 1])
    equal = left.selectbox("What all arms have in common", list(SAME), format_func=SAME.get)
    epochs = middle.number_input("Passes over its rows", 0.1, 1000.0, 2.0, disabled=equal == "steps")
    budgets = right.text_input("Budgets", placeholder="as on Curriculum", help="Several give a budget curve: "
                               "1%, 2%, 5%, 10%, 20%. Every arm is trained once for each.")
    return EvaluationSettings(arms=tuple(arms), seeds=tuple(range(seeds)), steps=steps, batch=batch, equal=equal,
                              epochs=epochs if equal == "epochs" else 0.0, samples_per_unit=scored,
                              budgets=tuple(read_budget(text) for text in budgets.split(",") if text.strip()))


def cost(settings: EvaluationSettings) -> None:
    """What the comparison will take, before it starts."""
    file = study.warmup_folder / "log.jsonl"
    log = file.read_text().splitlines() if file.exists() else []
    rate, source = figures.pace([r.table for r in results], [json.loads(line)["samples_per_s"] for line in log])
    work = figures.work(settings.to_json(), len(capabilities.units), len(bench.table), bench.settings.budget)
    st.text(f"{work['runs']} runs: {work['trained']:,} samples to train on and up to {work['scored']:,} to score. "
            f"About {_ui.duration(figures.cost(work, rate))} ({source}). Runs already there are not run again.")
    if waiting := [arm for arm in settings.arms if ARMS[arm].needs == "embedding"]:
        st.text(f"{', '.join(waiting)}: the first time, one forward of the base over the pool comes on top.")


def start() -> None:
    """Ask, see the cost, start; or watch and cancel."""
    running = jobs.is_running(study)
    with _ui.guarded():
        settings = ask()
        cost(settings)
        with st.container(horizontal=True, vertical_alignment="center"):
            if running:
                st.button("Cancel", icon=":material/stop:", on_click=jobs.cancel, args=(study,),
                          help="Stops at the next batch; finished runs stay.")
                st.text("You may close this tab: the job goes on, and this page shows it when you come back.")
            elif st.button("Start the comparison", icon=":material/play_arrow:", type="primary"):
                with st.spinner("Writing down which rows every arm trains on…"):
                    request_evaluation(study, settings, bench=bench)
                    jobs.start(study, "evaluate")
                st.rerun()
    if running or jobs.status(study, "evaluate").state != "waiting":
        _ui.job_panel(study, ("evaluate",))


def show(result: EvaluationResult) -> None:
    """One comparison: the verdict, the bars, every number."""
    if result.table.empty:
        st.info("No run of this comparison is finished yet.", icon=":material/hourglass_empty:")
        return
    budgets = sorted(set(result.table["budget"]))
    budget = st.segmented_control("Budget", budgets, default=budgets[0], format_func=lambda b: f"{100 * b:g} %",
                                  required=True) if len(budgets) > 1 else budgets[0]
    table = at_budget(result.table, budget)
    by_capability = summary(table, group_of)
    st.subheader("Verdict")
    st.text(headline(table))
    effort = figures.effort_table(table)
    st.text(f"{figures.equal_effort(effort)} {HELD_OUT[result.held_out]}")
    for note in result.notes:
        st.text(note)
    if not result.complete:
        st.warning(f"{result.done} of {result.total} runs are finished; the numbers will still move.",
                   icon=":material/hourglass_empty:")
    with st.expander("Every comparison in words"):
        st.text(verdict(table))
    groups = figures.capability_order(by_capability, capabilities.names)
    seeds = figures.seed_table(table, by_capability, group_of, groups)
    _comparison.charts(result, table, by_capability, groups, len(capabilities.units))
    st.subheader("Against random rows")
    st.dataframe(figures.chance_table(against(table)), hide_index=True)
    st.subheader("What each arm was trained on")
    st.dataframe(effort, hide_index=True)
    st.subheader("Every seed")
    st.dataframe(seeds, hide_index=True)
    tables = {"Against random rows": figures.chance_table(against(table)), "What each arm was trained on": effort,
              "Every seed, accuracy in %": seeds}
    about = {"study": f"{study.name} ({study.identity})", "model": study.config.model, "asked": result.created,
             "budget": f"{100 * budget:g} % of {len(bench.table):,} scored pool rows",
             "scored": HELD_OUT[result.held_out], "runs": f"{result.done} of {result.total}"}
    _comparison.download(result, table, tables, about, by_capability, groups)


start()
if results:
    chosen = st.selectbox("Comparison", range(len(results)), format_func=lambda i: (
        f"{results[i].created.replace('T', ' ')} · {', '.join(results[i].settings.arms)} · {results[i].done} of "
        f"{results[i].total} runs"))
    show(results[chosen])
else:
    st.info("Nothing was compared yet. A curriculum that was never trained on is a guess.", icon=":material/balance:")
