"""The few parts that several pages share: study picker, job panel, sample card, undo. Widgets only, no computing."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from cadc.data import open_images
from cadc.data.sample import Sample
from cadc.discovery import replay
from cadc.errors import CadcError, DataError
from cadc.jobs import control as jobs
from cadc.scores.scores import Scores
from cadc.store import Store
from cadc.study import Study, cache_root
from cadc.study.decisions import SCOPES, Decision, describe

log = logging.getLogger(__name__)

STATES = {"waiting": ":material/hourglass_empty:", "queued": ":material/schedule:", "running": ":material/play_arrow:",
          "done": ":material/check_circle:", "failed": ":material/error:", "cancelled": ":material/cancel:",
          "interrupted": ":material/link_off:"}


@contextmanager
def guarded():
    """Show what cadc says went wrong as one message; the log keeps the traceback. Fragments guard themselves."""
    try:
        yield
    except CadcError as error:
        log.exception("shown to the person")
        st.error("This could not be done:", icon=":material/error:")
        st.code(str(error), language=None, wrap_lines=True)


@st.cache_resource(show_spinner=False)
def _store(root: str) -> Store:
    return Store(root)


def open_store() -> Store:
    """The process's one database. Raises BusyError when another process holds it."""
    return _store(str(cache_root()))


def pick_study() -> Study | None:
    """Study picker in the sidebar; the choice is in the address, so a reload and a shared link keep it."""
    names = Study.names()[::-1]
    if not names:
        return None
    asked = st.query_params.get("study", st.session_state.get("study"))
    chosen = st.sidebar.selectbox("Study", names, index=names.index(asked) if asked in names else 0,
                                  help="Newest first. A study is one pool, one target, one model, one set of settings.")
    st.session_state["study"] = st.query_params["study"] = chosen
    study = Study.open(chosen)
    st.sidebar.caption(f"preset **{study.config.preset}** · made {study.created.replace('T', ' ')}")
    if Path(study.config.pool).parent == cache_root() / "demo":
        st.sidebar.info("This is the embedded example: drawn pictures, generated questions, a tiny model. It is "
                        "synthetic; its numbers say nothing about real data.", icon=":material/science:")
    elif Path(study.config.model).parts[-3:] == ("cadc", "demo", "model"):
        st.sidebar.info("The model of this study is the tiny embedded one: good for trying the workflow, not for "
                        "conclusions about this data.", icon=":material/science:")
    if study.config.model == "synthetic-scores":
        st.sidebar.warning("The scores of this study are random numbers, made to try the pages.",
                           icon=":material/science:")
    return study


def open_study() -> tuple[Study, Store]:
    """The chosen study and the database, with all that its jobs have finished; stops the page when there is none."""
    store, study = open_store(), pick_study()
    if study is None:
        st.info("There is no study yet. Make one on the **Data** page: the embedded example is one click.",
                icon=":material/lightbulb:")
        st.stop()
    store.load_study(study)
    return study, store


def scores_key(study: Study) -> str:
    """Names the scores as they are now: the cross-fitted loss comes later than the others."""
    return f"{study.folder}{' with crossfit' if (study.scores_folder / 'crossfit_loss.npy').exists() else ''}"


@st.cache_resource(max_entries=4, show_spinner="Opening the scores…")
def _scores(key: str, _study: Study) -> Scores:
    return Scores.load(_study)


def require_scores(study: Study) -> Scores:
    """The scores of a finished study, memory-mapped and shared; otherwise says what is missing and stops the page."""
    if not (study.scores_folder / "scores.json").exists():
        st.info("This page needs the study's scores, and they are not computed yet. Start the study on the "
                "**Trajectories** page; this page fills itself when the jobs are done.",
                icon=":material/hourglass_empty:")
        job_panel(study, jobs.CORE_JOBS)
        st.stop()
    return _scores(scores_key(study), study)


def duration(seconds: float | None) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`; a dash when unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def job_panel(study: Study, names: Sequence[str] = jobs.CORE_JOBS) -> None:
    """Live state of some jobs, read from their status files once a second while a worker lives."""
    running = jobs.is_running(study)
    st.fragment(job_rows, run_every="1s" if running else None)(study, tuple(names), running)


def job_rows(study: Study, names: Sequence[str], was_running: bool) -> None:
    """One row per job; runs the page again when the worker has ended since the fragment began."""
    with guarded():
        for name in names:
            _job_row(study, jobs.status(study, name))
    if was_running and not jobs.is_running(study):
        st.rerun()


ABOUT = {
    "ingest": "reads pool and target",
    "warmup": "trains a short while, keeps checkpoints",
    "targets": "gradients of the target samples",
    "attribute": "gradients of every pool row, then its embedding",
    "crossfit": "finds rows that look wrong",
    "evaluate": "retrains and compares",
}
"""What each job does, in a line."""


def _job_row(study: Study, status: jobs.JobStatus) -> None:
    """One job: its bar, numbers, and the end of its log."""
    active = status.state == "running"
    with st.container(border=True):
        left, right = st.columns([1, 3])
        left.markdown(f"{STATES[status.state]} **{status.job}** · {status.state}")
        share = min(1.0, status.done / status.total) if status.total else float(status.state == "done")
        facts = [f"{status.done:,} of {status.total:,} {status.unit}"] if status.total else []
        facts += [f"{status.rate:,.1f} {status.unit}/s", f"{duration(status.eta_s)} to go"] if active else []
        facts += [f"{name} {value:.4g}" for name, value in status.readings.items()]
        facts += [f"took {duration(status.seconds)}"] if status.state == "done" else []
        right.progress(share)
        right.text(" · ".join(facts) or "not started")
        right.caption(ABOUT[status.job])
        if status.note and active:
            right.text(status.note)
        if status.message and status.state in ("failed", "cancelled"):
            right.code(status.message, language=None, wrap_lines=True)
        tail = jobs.log_tail(study, status.job)
        if tail:
            with left.popover("Log") if status.state == "done" else right.expander("Log"):
                st.code(tail, language=None)


def pager(total: int, size: int, key: str) -> int:
    """Which page of `size` rows of `total`; returns the offset of its first row."""
    pages = max(1, -(-total // size))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        page = st.number_input(f"Page (of {pages:,})", 1, pages, 1, key=f"page-{key}", width=160)
        st.text(f"{min(total, (page - 1) * size + 1):,}–{min(total, page * size):,} of {total:,}")
    return (page - 1) * size


def sample_card(study: Study, role: str, row: Mapping[str, Any]) -> None:
    """One sample as the model sees it: pictures and words. `row` has `images`, `id`, `source`, `question`, `answer`."""
    pictures = tuple(row["images"])
    if pictures:
        sample = Sample(index=int(row["index"]), id=str(row["id"]), images=pictures, turns=())
        with guarded():
            loaded = open_images(sample, study.image_root(role), study.ingest_images(role))
            width, height = loaded[0].size
            st.image(loaded, width=min(260, max(128, width), max(40, 320 * width // height)))  # at most 320 high
    long = len(row["question"]) + len(row["answer"]) > 700
    with st.container(height=260 if long else "content", border=False):
        st.text(row["question"], width="stretch")
        st.text(f"→ {row['answer']}", width="stretch")
    facts = [f"row {row['index']}", str(row["id"]), *(str(row[k]) for k in ("source", "unit") if row.get(k))]
    st.code(" · ".join(facts), language=None, wrap_lines=True)


def decide(study: Study, store: Store, kind: str, *payloads: dict[str, Any]) -> bool:
    """Write the decisions of one act, unless they do not apply; then says why on the next run. For callbacks."""
    from pages._bench import open_bench  # it builds on this module

    try:
        if SCOPES.get(kind) == "capabilities" and kind != "discover":
            now = open_bench(study, store).capabilities
            after = replay(now, [Decision(seq=0, at="", scope="", kind=kind, payload=p) for p in payloads])
            if len(after.skipped) > len(now.skipped):
                raise DataError(after.skipped[-1])
        store.decide_together(study, kind, list(payloads))
        _follow(study, store)
    except CadcError as error:
        log.warning("%s refused: %s", kind, error)
        st.session_state["refused"] = str(error)
        return False
    return True


def _follow(study: Study, store: Store) -> None:
    """Let the database's tables of capabilities and labels say what the decisions now make of the study."""
    from pages._bench import open_bench

    found = open_bench(study, store).capabilities
    store.save_capabilities(study, dict(zip(found.ids, found.names, strict=True)), {
        unit: found.ids[k] if k >= 0 else None for unit, k in zip(found.units, found.of_unit, strict=True)})


def _take_back(study: Study, store: Store, scope: str, again: bool) -> None:
    (store.redo if again else store.undo)(study, scope)
    if scope == "capabilities":
        _follow(study, store)


def show_refused() -> None:
    """What a callback could not do."""
    if refused := st.session_state.pop("refused", None):
        st.warning("That was not done:", icon=":material/block:")
        st.code(refused, language=None, wrap_lines=True)


def decision_buttons(study: Study, store: Store, scope: str) -> None:
    """Undo and redo for one scope, with the history beside them."""
    decisions = store.decisions(study, scope)
    show_refused()
    in_force, waiting = [d for d in decisions if not d.undone], store.redoable(study, scope)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Undo", icon=":material/undo:", disabled=not in_force, key=f"undo-{scope}",
                  on_click=_take_back, args=(study, store, scope, False),
                  help=f"Takes back the last {in_force[-1].kind}" if in_force else "Nothing to take back")
        st.button("Redo", icon=":material/redo:", disabled=waiting is None, key=f"redo-{scope}",
                  on_click=_take_back, args=(study, store, scope, True),
                  help=f"Puts back the {waiting.kind}" if waiting else "Nothing to put back")
        with st.popover(f"History ({len({d.batch for d in in_force})})", icon=":material/history:"):
            st.dataframe(pd.DataFrame([
                {"when": d.at.replace("T", " "), "what": describe(d), "": "taken back" if d.undone else ""}
                for d in decisions[::-1][:200]], columns=["when", "what", ""]), hide_index=True, width=640,
                column_config={"what": st.column_config.TextColumn(width="large")})
