"""Gradients as a signal: what attribution kept of them for every pool row (METHOD §4)."""

import numpy as np

from cadc.scores.scores import Scores
from cadc.signals.signal import Signal
from cadc.signals.similarity import Similarity
from cadc.study import Study


def similarity(scores: Scores) -> Similarity:
    """near(z, s) for every target sample of s: a target sample's own Inf(z, z') is kept for its best rows only, so all
    samples of a unit share its column."""
    of = np.asarray(scores.sample_unit)
    return Similarity(scores.near.shape[1], lambda start, stop: np.asarray(scores.near[:, start:stop]).T[:, of],
                      lambda rows, sample: np.asarray(scores.near[of[sample], rows]))


def _open(study: Study, scores: Scores) -> Similarity:
    return similarity(Scores.load(study, near="gradients"))


SIGNAL = Signal(name="gradients", about="gradients alone", open=_open)
