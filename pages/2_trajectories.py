"""Trajectories: run the warm-up and the gradient pass, and watch them."""

import json

import pandas as pd
import streamlit as st

from cadc.estimate import ledger
from cadc.estimate.devices import DEVICES, EFFICIENCY
from cadc.gradients import modes
from cadc.jobs import control as jobs
from cadc.study import Study
from cadc.views.figures import trajectories as figures
from cadc.views.figures.palette import colour
from pages import _bench, _ui

SHOWN = {"lora_rank": "LoRA rank r", "lora_layers": "adapted layers",
         "warmup_share": "share of the pool for the warm-up", "warmup_epochs": "warm-up passes",
         "learning_rate": "peak learning rate", "checkpoints": "checkpoints T", "features": "training-side feature Γ",
         "mode": "products with target vectors",
         "grounded": "grounded target gradients", "samples_per_unit": "target samples per unit, at most",
         "near_samples": "single target samples per unit", "nearness": "nearness to the target by",
         "crossfit": "rounds of the held-out loss", "seed": "seed"}
BEGUN = ("done", "cancelled", "failed", "interrupted")


HERE_LABEL = "This machine (measured)"


def costs(study: Study) -> None:
    """What the jobs should cost, here or on a named device, beside what they took."""
    st.subheader("What it costs")
    known = ledger.kept(study)
    names = [ledger.HERE, *DEVICES]
    latest = next(reversed(known), ledger.HERE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Predict for", names, index=names.index(latest), width=320, help="This machine is "
                              "measured. For a device that is not here, operations are counted instead.",
                              format_func=lambda n: HERE_LABEL if n == ledger.HERE else DEVICES[n].name)
        named = chosen != ledger.HERE
        efficiency = st.number_input("Share of its peak speed", 0.05, 1.0, EFFICIENCY, 0.05, width=200) if named else 0
        busy = jobs.is_running(study) or not jobs.finished(study, "ingest")
        asked = st.button("Predict the cost", icon=":material/timer:", disabled=busy, help="Possible once pool and "
                          "target are read, and while no job is at work. On this machine every job runs for a moment "
                          "on a few rows.")
    if asked:
        with st.spinner("Running every job on a few rows…" if not named else "Counting operations…"):
            _predict(study, chosen, efficiency)
        st.rerun()
    found = known.get(chosen)
    st.table(figures.cost_table(ledger.beside(study, found), _ui.duration))
    if found:
        st.text(f"Predicted in all: {_ui.duration(found['total']['seconds'])}, {found['basis']}")
    st.text(figures.taken(ledger.beside(study, found)))


def _predict(study: Study, device: str, efficiency: float) -> None:
    from cadc.estimate.estimate import estimate, estimate_for

    if device == ledger.HERE:
        estimate(study)
    else:
        estimate_for(study, device, efficiency=efficiency)


def settings(study: Study) -> None:
    """The model and the settings of the study."""
    st.subheader("What runs")
    st.code(study.config.model, language=None, wrap_lines=True)
    st.dataframe([{"setting": text, "value": str(getattr(study.config, key))} for key, text in SHOWN.items()],
                 hide_index=True, height="content")
    if products := modes.recorded(study):
        st.text(modes.sentence(products) + ".")
    st.text("Changed settings are another question: make another study on the Data page.")


def controls(study: Study) -> None:
    """Start, resume or cancel."""
    states = {s.job: s.state for s in jobs.statuses(study) if s.job in jobs.CORE_JOBS}
    if jobs.is_running(study):
        st.button("Cancel", icon=":material/stop:", on_click=jobs.cancel, args=(study,),
                  help="Stops at the next batch. What is finished is kept, and Resume goes on from there.")
        st.text("You may close this tab: the jobs go on, and this page shows them when you come back.")
    elif set(states.values()) != {"done"}:
        begun = any(states[job] in BEGUN for job in jobs.CORE_JOBS[1:])
        if st.button("Resume" if begun else "Start", icon=":material/play_arrow:", type="primary"):
            jobs.start(study)
            st.rerun()
    else:
        st.text("All jobs are done. Go on to Capabilities.")


def loss_curve(study: Study) -> None:
    """The warm-up's loss so far."""
    path = study.warmup_folder / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    log = pd.DataFrame([json.loads(line) for line in lines if line.endswith("}")])
    if len(log):
        st.subheader("Warm-up loss")
        done = jobs.finished(study, "warmup")
        ends = figures.checkpoint_ends(int(log["step"].max()), study.config.checkpoints) if done else ()
        st.plotly_chart(figures.loss(log, ends), key="loss")
        st.text(f"drawn {len(log):,} of {len(log):,} steps; dotted lines: checkpoints")


def warnings(study: Study) -> None:
    """What the start-up checks of the gradient jobs found."""
    files = [study.batch_file(job) for job in ("targets", "attribute")]
    found = dict.fromkeys(text for path in files if path.exists() for text in json.loads(path.read_text())["warnings"])
    if found:
        st.warning("The gradient jobs started with a warning:", icon=":material/warning:")
        for text in found:
            st.code(text, language=None, wrap_lines=True)


def live(study: Study, was_running: bool) -> None:
    """Everything that changes while a worker lives."""
    _ui.job_rows(study, jobs.CORE_JOBS, was_running)
    with _ui.guarded():
        loss_curve(study)


def trajectories(study: Study) -> None:
    """How the mean gradient of each target unit changes over the checkpoints."""
    bench = _bench.open_bench(study, store)
    scores, found = bench.scores, bench.capabilities
    st.subheader("Gradient norm of each target unit")
    st.text("A falling line: what the unit asks pulls less and less on the model. Colours are capabilities.")
    ids = (*found.ids, None)  # -1, unassigned, is the last
    colours = {unit: colour(ids[k]) for unit, k in zip(found.units, found.of_unit, strict=True)}
    table = figures.norm_table(scores.gram, scores.units)
    st.plotly_chart(figures.norms(table, colours), key="norms")
    st.text(f"drawn {len(scores.units):,} of {len(scores.units):,} units")
    with st.expander("Numbers"):
        st.dataframe(table.pivot(index="unit", columns="checkpoint", values="norm"))


st.title("Trajectories")
study, store = _ui.open_study()
running = jobs.is_running(study)
wide, narrow = st.columns([3, 2], gap="large")
with wide, _ui.guarded():
    st.subheader("Jobs")
    controls(study)
    warnings(study)
    st.fragment(live, run_every="1s" if running else None)(study, running)
with narrow, _ui.guarded():
    settings(study)
with _ui.guarded():
    costs(study)
if (study.scores_folder / "scores.json").exists():
    trajectories(study)
