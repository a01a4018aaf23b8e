"""The workbench of a study as pages 3–6 share it: one per list of decisions, heavy parts kept between reruns."""

import json

import pandas as pd
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.data import read_table
from cadc.scores.influence import InfluenceColumns
from cadc.store import Store
from cadc.study import Study
from cadc.views.figures.palette import colour
from pages import _ui


@st.cache_resource(max_entries=3, show_spinner="Opening pool and target…")
def _opened(key: str, _study: Study) -> tuple[InfluenceColumns, pd.DataFrame, pd.DataFrame]:
    """Influence columns, pool rows (those with scores, in their order) and target rows of a finished study."""
    scores = _ui.require_scores(_study)
    pool = read_table(_study.samples_file("pool"))
    place = pd.Index(pool["index"]).get_indexer(pd.Index(scores.index))
    return InfluenceColumns(scores), pool.iloc[place].reset_index(drop=True), read_table(_study.samples_file("target"))


@st.cache_resource(max_entries=12, show_spinner=False)
def _bench(key: str, decided: str, _study: Study, _decisions: list) -> Workbench:
    columns, pool, targets = _opened(key, _study)
    return Workbench(_study, columns.scores, pool, targets, _decisions, columns)


def open_bench(study: Study, store: Store) -> Workbench:
    """What the decisions in force make of a study; stops the page when its scores are not there yet.

    The same decisions give the same object, so that what it has computed is not computed again on a rerun.
    """
    _ui.require_scores(study)
    decisions = [d for d in store.decisions(study) if not d.undone]
    decided = json.dumps([(d.seq, d.kind, d.payload) for d in decisions])
    return _bench(_ui.scores_key(study), decided, study, decisions)


def colours(bench: Workbench) -> dict[str, str]:
    """The colour of each capability, by name."""
    return {name: colour(i) for i, name in zip(bench.capabilities.ids, bench.capabilities.names, strict=True)}
