"""Capabilities page, second half: what speaks for and against the map. Widgets and calls; results are remembered."""

import logging
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.data import open_images
from cadc.data.sample import Sample
from cadc.discovery import hdbscan_umap, leiden, rivals, stability, sweep
from cadc.discovery.partition import Partition
from cadc.errors import DataError
from cadc.views.figures import capabilities as figures
from pages import _ui

log = logging.getLogger(__name__)

FEATURES = 216
"""Length of `rivals.picture_features`."""
GAMMAS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
ROUNDS = 20
RIVALS = {"answer format": "units whose answers have one form", "question words": "units that use the same words",
          "pictures": "units whose pictures look alike"}


def _again(part: Partition):
    """The method that made a partition, for another similarity."""
    if part.method == "hdbscan":
        return partial(hdbscan_umap, min_size=part.min_size, seed=part.seed)
    return partial(leiden, tau=part.tau, gamma=part.gamma, seed=part.seed)


@st.cache_data(max_entries=8, show_spinner="Clustering over the grid…")
def _grid(identity: str, signal: str, _similar: np.ndarray) -> pd.DataFrame:
    return sweep(_similar, figures.taus(_similar), np.array(GAMMAS))


@st.cache_data(max_entries=16, show_spinner="Drawing target samples again and clustering…")
def _stability(identity: str, settings: tuple, _bench: Workbench):
    scores = _bench.scores
    return stability(scores.sample_gram, scores.sample_unit, scores.eta, _again(_bench.partition), rounds=ROUNDS)


@st.cache_data(max_entries=4, show_spinner="Grouping units by words and pictures…")
def _rivals(identity: str, _bench: Workbench) -> dict[str, np.ndarray]:
    """Labels of each rival explanation."""
    units, targets = _bench.scores.units, _bench.targets[_bench.targets["unit"].isin(_bench.scores.units)]
    unit = pd.Categorical(targets["unit"], categories=units).codes
    features, study = [], _bench.study
    for index, images in zip(targets["index"], targets["images"], strict=True):
        sample = Sample(index=int(index), id="", images=tuple(images[:1]), turns=())
        try:
            loaded = open_images(sample, study.image_root("target"), study.ingest_images("target"))
        except DataError:
            log.warning("target row %d: picture gone, counted as a row without one", index)
            loaded = []
        features.append(rivals.picture_features(loaded[0]) if loaded else np.full(FEATURES, np.nan))
    found = (rivals.by_format(targets["answer_format"].tolist(), unit, len(units)),
             rivals.by_words(targets["question"].tolist(), unit, len(units)),
             rivals.by_pictures(np.stack(features), unit, len(units)))
    return {name: part.labels for name, part in zip(RIVALS, found, strict=True)}


def similarity(bench: Workbench, table: pd.DataFrame) -> None:
    """Heat map of S, ordered by capability."""
    st.text("Cosine of the units' learning trajectories. Blocks along the diagonal are capabilities; bright cells "
            "outside them are units that could also belong elsewhere.")
    st.plotly_chart(figures.similarity_map(table, bench.similarity), key="similarity")
    st.text(f"drawn {len(table):,} of {len(table):,} units")


def choice_of_k(bench: Workbench) -> None:
    """K and modularity over τ and γ: the choice is seen, not assumed."""
    if len(bench.scores.units) > 60 and not st.toggle("Compute the grid (some seconds for this many units)"):
        return
    found = _grid(bench.study.identity, bench.discovery.signal, bench.similarity)
    part = bench.partition
    st.text("A wide area of one K means that the number of capabilities does not hang on the threshold. The ring is "
            "nearest to the setting in force.")
    left, right = st.columns(2)
    left.markdown("**K**, the number of capabilities")
    left.plotly_chart(figures.grid(found, "k", part.tau, part.gamma), key="grid-k")
    right.markdown("**Modularity**, how clear-cut they are")
    right.plotly_chart(figures.grid(found, "modularity", part.tau, part.gamma), key="grid-modularity")
    with st.expander("Numbers"):
        st.dataframe(found, hide_index=True)


def bootstrap(bench: Workbench) -> None:
    """Would other target samples have given the same capabilities?"""
    st.text(f"Draws the target samples of every unit again ({ROUNDS} times, with replacement), clusters with the same "
            "settings and compares. 1: always the same grouping; 0: no more alike than chance. A stable map is not "
            "yet a true one: look at the rival explanations too.")
    part = bench.partition
    settings = (part.method, part.tau, part.gamma, part.min_size, bench.discovery.signal)
    done = st.session_state.setdefault("bootstrapped", set())
    if st.button("Test the stability", icon=":material/shuffle:"):
        done.add(settings)
    if settings in done:
        found = _stability(bench.study.identity, settings, bench)
        with st.container(horizontal=True):
            st.metric("mean adjusted Rand index", f"{found.mean_ari:.2f}")
            st.metric("lowest … highest", f"{min(found.aris):.2f} … {max(found.aris):.2f}")
            st.metric("K over the rounds", f"{min(found.ks)} … {max(found.ks)}")
        if bench.discovery.signal == "grounded":
            st.text("Computed from plain gradients of single samples: grounded ones exist for units only.")


def rival_explanations(bench: Workbench) -> None:
    """What else would have given this map."""
    st.text("How far groupings that know nothing of gradients agree with the capabilities above (adjusted Rand index; "
            "1 is the same grouping, 0 is chance). If one of them explains the map, it may show that and not a skill.")
    labels = np.array(bench.capabilities.of_unit)
    table = rivals.agreement(labels, _rivals(bench.study.identity, bench))
    table["what it groups"] = [RIVALS[name] for name in table["rival"]]
    st.dataframe(table, hide_index=True, column_config={
        "rival": "rival explanation", "k": "groups",
        "ari": st.column_config.ProgressColumn("agreement with the map", min_value=0, max_value=1, format="%.2f")})


def tabs(bench: Workbench, table: pd.DataFrame) -> None:
    """All evidence, one tab each; a tab computes when it is opened."""
    names = {"Similarity": lambda: similarity(bench, table), "Choice of K": lambda: choice_of_k(bench),
             "Stability": lambda: bootstrap(bench), "Rival explanations": lambda: rival_explanations(bench)}
    shown = st.segmented_control("Evidence", list(names), default="Similarity", required=True,
                                 label_visibility="collapsed", key="evidence")
    with _ui.guarded():
        names[shown]()
