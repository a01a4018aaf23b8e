"""near(z, s) from two signals: gradients read words, answer and picture a little each; the embedding of the untrained
base sees what a picture shows, and finds junk and look-alikes that gradients miss (METHOD §4,
docs/decisions/0019).

The job `near` writes the joined columns beside those of gradients, which stay as they are. N pool rows, S single target
samples, M units, L best rows.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cadc.arrays import standardise
from cadc.scores import columns
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS
from cadc.signals.similarity import Similarity, with_similarity
from cadc.study import Study
from cadc.study.config import joined_signals
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

JOINED = ("near", "best_index", "best_value")
"""What other signals change in `Scores`."""
WEIGHT = 0.5
"""Of another signal's rank in the list of a target sample, beside the gradient's."""


def run_near(study: Study, progress: Progress) -> None:
    """The job `near`: joined columns from those of gradients and the signals of `nearness`. Idempotent.

    Raises JobError, and DataError for an unknown signal.
    """
    result = study.result("near")
    if result.finished:
        progress.note("near(z, s) is joined already")
        return
    own = Scores.load(study, near="gradients")
    progress.start(len(own.index))
    others = [SIGNALS[name] for name in joined_signals(study.config)]
    progress.note(f"near(z, s): gradients and {' and '.join(signal.name for signal in others)} together")
    found = join(own, [signal.open(study, own) for signal in others], q=study.config.near_q)
    for name in JOINED:
        columns.write(study, f"{name}.joined", getattr(found, name))
    result.finish()
    progress.step(len(own.index))
    log.info("near(z, s) of %d rows: %s", len(own.index), study.config.nearness)


def join(scores: Scores, others: Sequence[Similarity], *, q: int) -> Scores:
    """Gradients' scores with near(z, s) and the order of best rows by all signals.

    near(z, s): the sum of all signals' columns, each standardised over the pool; it decides pools and filters. Best
    rows of a target sample: the L of the gradients, by the sum of their ranks among them, those of the other signals
    counted with `WEIGHT`; `best_value` stays Inf(z, z'). Only single gradients keep a selection diverse: rows chosen by
    the sum of near(z, s) itself share their answers (decision 0015).
    """
    near = standardise(scores.near, 1)
    for other in others:
        near = near + standardise(with_similarity(scores, other, q=q).near, 1)
    place, value = np.asarray(scores.best_index), np.asarray(scores.best_value)
    there = place >= 0
    ranks = np.zeros(place.shape)
    for sample in range(len(place)):  # padding (-1) stays last
        rows = place[sample, there[sample]]
        ranks[sample, there[sample]] = np.arange(len(rows)) + sum(
            WEIGHT * _rank(-other.among(rows, sample)) for other in others)
    order = np.argsort(np.where(there, ranks, np.inf), axis=1, kind="stable")
    return replace(scores, choice="joined", near=near.astype(np.float32),
                   best_index=np.take_along_axis(place, order, 1),
                   best_value=np.take_along_axis(value, order, 1))


def _rank(values: np.ndarray) -> np.ndarray:
    """Places from 0, smallest first; ties in order."""
    out = np.empty(len(values))
    out[np.argsort(values, kind="stable")] = np.arange(len(values))
    return out
