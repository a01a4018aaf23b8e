"""Gradients as signals: what attribution kept of them for every pool row, plain and whitened (METHOD §4).

N pool rows, S single target samples, M units, T checkpoints.
"""

import numpy as np

from cadc.scores.calibration import Scale, scale_of
from cadc.scores.scores import Scores
from cadc.signals.signal import Signal
from cadc.signals.similarity import Similarity
from cadc.study import Study


def samples(study: Study, name: str, eta: np.ndarray) -> np.ndarray:
    """float64 [S, S]: similarity of each single target sample (rows) with every other as if it were a pool row, by
    `gradients` or `whitened`, from the Gram matrices of the target. eta: [T]. Raises JobError before there are any."""
    from safetensors.torch import load_file

    from cadc.gradients.whitening import Whitening

    grams = load_file(study.require("targets").intact("gram.safetensors"))
    weight = np.asarray(eta, np.float64) / np.asarray(eta, np.float64).sum()
    total = np.zeros(grams["sample"].shape[1:])
    for t, share in enumerate(weight):
        if name == "whitened":
            found = Whitening(grams["balanced"][t], study.config.ridge).left_out()
        elif "balanced" in grams:  # ⟨Γ_j, g_i⟩ = ⟨h_j, h_i⟩
            norm, feature = grams["balanced_norm"][t].double(), grams["feature_norm"][t].double()
            found = grams["balanced"][t].double() * norm[:, None] * norm / feature.clamp_min(1e-30)[:, None]
        else:  # targets of an earlier version, or features=less: cosines of the plain gradients stand in
            found = grams["sample"][t].double()
        total += share * found.numpy()
    return total


def gradient_scale(study: Study, name: str) -> Scale:
    """The scale of `gradients` or `whitened`. Raises JobError before there are scores."""
    scores = Scores.load(study, near=name)
    return scale_of(np.asarray(scores.near), samples(study, name, scores.eta), scores.sample_unit, study.config.near_q)


def _open(study: Study, name: str) -> Similarity:
    """near(z, s) for every target sample of s: a target sample's own similarity is kept for its best rows only, so all
    samples of a unit share its column."""
    scores = Scores.load(study, near=name)
    of = np.asarray(scores.sample_unit)
    return Similarity(scores.near.shape[1], lambda start, stop: np.asarray(scores.near[:, start:stop]).T[:, of],
                      lambda rows, sample: np.asarray(scores.near[of[sample], rows]),
                      samples(study, name, scores.eta))


PLAIN = Signal(name="gradients", about="gradients alone", open=lambda study, scores: _open(study, "gradients"),
               needs="scores", reads="gradients of every row")
WHITENED = Signal(name="whitened", about="whitened gradients alone",
                  open=lambda study, scores: _open(study, "whitened"),
                  needs="scores", reads="gradients of every row, in the metric of the target's own samples")
