"""Jobs on a page: live lines for some of them, while a worker is at work."""

from collections.abc import Sequence

import streamlit as st

from cadc.jobs import control
from cadc.study import Study
from cadc.views.jobs import NOT_ASKED, JobLine, job_lines
from cadc.views.words import numbers_whole
from pages._parts.shell import guarded

STATES = {"waiting": ":material/hourglass_empty:", "queued": ":material/schedule:", "running": ":material/play_arrow:",
          "done": ":material/check_circle:", "failed": ":material/error:", "cancelled": ":material/cancel:",
          "interrupted": ":material/link_off:", NOT_ASKED: ":material/remove:"}
QUIET = ("waiting", "queued", "done", NOT_ASKED)


def job_panel(study: Study, names: Sequence[str] = ()) -> None:
    """Live state of some jobs, read from their status files every two seconds while a worker lives."""
    running = control.is_running(study)
    st.fragment(job_rows, run_every="2s" if running else None)(study, tuple(names), running)


def job_rows(study: Study, names: Sequence[str], was_running: bool) -> None:
    """One row per job; runs the page again when the worker has ended since the fragment began."""
    with guarded():
        for line in job_lines(study, names):
            _row(line)
    if was_running and not control.is_running(study):
        st.rerun()


def _row(line: JobLine) -> None:
    """One job. Where nothing moves two lines do; else its bar, numbers, and the end of its log."""
    if line.state in QUIET:
        _quiet(line)
        return
    with st.container(border=True):
        left, right = st.columns([1, 3])
        said = "getting ready" if line.preparing else line.state
        left.markdown(f"{STATES['queued' if line.preparing else line.state]} **{line.job}** · {said}")
        if not line.preparing:  # a bar at 0 for minutes looks stuck
            right.progress(line.share)
        right.text(numbers_whole(line.facts))
        right.caption(line.about)
        if line.note:
            right.text(line.note)
        if line.message:
            right.code(line.message, language=None, wrap_lines=True)
        if line.log:
            with right.expander("Log"):
                st.code(line.log, language=None)


def _quiet(line: JobLine) -> None:
    """A job that is done, or that nobody waits for."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{STATES[line.state]} **{line.job}**", width=130)
        with st.container(gap=None):
            st.text(line.about)
            st.caption(numbers_whole(line.facts if line.state == NOT_ASKED else f"{line.state} · {line.facts}"))
        if line.log and line.state == "done":
            with st.popover("Log"):
                st.code(line.log, language=None)
