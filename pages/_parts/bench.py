"""The workbench of a study as several pages share it: heavy parts kept between reruns, keyed by the scores' digest."""

import json

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.store import Store
from cadc.study import Study
from cadc.study.decisions import Decision
from cadc.study.jobs import usual_jobs
from cadc.views import opened
from pages._parts.jobs import job_panel


@st.cache_resource(max_entries=3, show_spinner="Opening scores, pool and target…")
def _opened(digest: str, _study: Study) -> opened.Opened:
    return opened.open_study(_study)


@st.cache_resource(max_entries=12, show_spinner=False)
def _bench(digest: str, decided: str, _study: Study, _decisions: list[Decision]) -> Workbench:
    return opened.workbench(_study, _opened(digest, _study), _decisions)


def open_bench(study: Study, store: Store) -> tuple[Workbench, str]:
    """What the decisions in force make of a study, and the digest of its scores: the key of whatever a page remembers.

    Stops the page when the scores are not there yet. The same decisions over the same scores give the same object, so
    that what it has computed is not computed again on a rerun.
    """
    digest = opened.scores_digest(study)
    if not digest:
        st.info("This page needs the study's scores, and they are not computed yet. Start the study on the "
                "**Trajectories** page; this page fills itself when the jobs are done.",
                icon=":material/hourglass_empty:")
        job_panel(study, usual_jobs(study.config))
        st.stop()
    # What is said of rows changes neither capabilities nor curriculum.
    decisions = [d for d in store.decisions(study) if not d.undone and d.scope != "rows"]
    # A map may be drawn from measured transfer, which comes and goes while the scores stay.
    decided = json.dumps([study.finished("transfer"), *((d.seq, d.kind, d.payload) for d in decisions)])
    return _bench(digest, decided, study, decisions), digest
