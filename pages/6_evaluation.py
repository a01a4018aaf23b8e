"""Evaluation: does the curriculum train better than random rows and than everything, and would we know? (METHOD §6)"""

import json

import streamlit as st

from cadc import jobs
from cadc.evaluation import (
    SELECTORS,
    EvaluationResult,
    EvaluationSettings,
    read_results,
    request_evaluation,
    summary,
    verdict,
)
from cadc.figures import evaluation as figures
from pages import _bench, _ui

HELD_OUT = {"held out": "Scored on target samples that no gradient has seen.",
            "means only": "Scored on target samples that entered unit means, but were never a single target question.",
            "same samples": "Scored on the samples whose gradients chose the curriculum: this favours it."}

st.title("Evaluation")
st.caption("The same base model is trained again on the curriculum, on as many random rows, and on the whole pool: "
           "same steps, same seeds, scored on the target.")
study, store = _ui.open_study()
bench = _bench.open_bench(study, store)
capabilities = bench.capabilities
group_of = {unit: capabilities.names[k] for unit, k in zip(capabilities.units, capabilities.of_unit, strict=True)
            if k >= 0}
results = read_results(study)


def ask() -> EvaluationSettings:
    """What to compare."""
    arms = st.multiselect("Arms", list(SELECTORS), default=EvaluationSettings().arms,
                          format_func=lambda a: f"{a}: {SELECTORS[a].describe}")
    columns = st.columns(4)
    seeds = columns[0].number_input("Seeds", 1, 20, 3, help="Each seed draws its own adapter, random rows and "
                                    "shuffling. Fewer than 3 say little about chance.")
    steps = columns[1].number_input("Steps of each arm", 1, 100_000, 150)
    batch = columns[2].number_input("Samples per step", 1, 512, 32)
    scored = columns[3].number_input("Scored samples per unit, at most", 1, 10_000, 32)
    return EvaluationSettings(arms=tuple(arms), seeds=tuple(range(seeds)), steps=steps, batch=batch,
                              samples_per_unit=scored)


def cost(settings: EvaluationSettings) -> None:
    """What the comparison will take, before it starts."""
    file = study.warmup_folder / "log.jsonl"
    log = file.read_text().splitlines() if file.exists() else []
    rate, source = figures.pace([r.table for r in results], [json.loads(line)["samples_per_s"] for line in log])
    work = figures.work(settings.to_json(), len(capabilities.units))
    st.text(f"{work['runs']} runs: {work['trained']:,} samples to train on and up to {work['scored']:,} to score. "
            f"About {_ui.duration(figures.cost(work, rate))} ({source}). Runs already there are not run again.")


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
    by_capability, arms = summary(result.table, group_of), list(dict.fromkeys(result.table["arm"]))
    st.subheader("Verdict")
    st.text(verdict(result.table))
    effort = figures.effort_table(result.table)
    st.text(f"{figures.equal_effort(effort)} {HELD_OUT[result.held_out]}")
    for note in result.notes:
        st.text(note)
    if not result.complete:
        st.warning(f"{result.done} of {result.total} runs are finished; the numbers will still move.",
                   icon=":material/hourglass_empty:")
    st.subheader("Accuracy by capability")
    groups = figures.capability_order(by_capability, capabilities.names)
    st.plotly_chart(figures.arm_bars(by_capability, arms, groups), key="bars")
    st.caption("Bars: mean over units, then over seeds. Whiskers: standard deviation over seeds.")
    st.text(f"drawn {result.table['unit'].nunique()} of {len(capabilities.units)} target units, "
            f"{result.done} of {result.total} runs")
    st.dataframe(figures.seed_table(result.table, by_capability, group_of, groups), hide_index=True)
    left, right = st.columns([3, 2], gap="large")
    left.subheader("Accuracy by target unit")
    left.plotly_chart(figures.unit_dots(summary(result.table, figures.by_unit(result.table)), arms), key="units")
    right.subheader("What each arm was trained on")
    right.dataframe(effort, hide_index=True, column_config={
        name: st.column_config.NumberColumn(width="small") for name in effort.columns[1:]})


start()
if results:
    chosen = st.selectbox("Comparison", range(len(results)), format_func=lambda i: (
        f"{results[i].created.replace('T', ' ')} · {', '.join(results[i].settings.arms)} · {results[i].done} of "
        f"{results[i].total} runs"))
    show(results[chosen])
else:
    st.info("Nothing was compared yet. A curriculum that was never trained on is a guess.", icon=":material/balance:")
