"""near(z, s) from two signals: gradients read words, answer and picture a little each; the embedding of the untrained
base sees what a picture shows, and finds junk and look-alikes that gradients miss (METHOD §4,
docs/decisions/0019).

Runs at the end of the attribute job and replaces `near` and the order of the best rows in the scores; what gradients
alone say stays beside them. N pool rows, S single target samples, M units, L best rows.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from cadc.arrays import standardise
from cadc.scores.scores import Scores
from cadc.signals.embedding import embeddings
from cadc.signals.similarity import centred, cosine_signal, with_signal
from cadc.study import Study, write_array, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

ARRAYS = ("near", "best_index", "best_value")
"""What the second signal changes in `Scores`."""
WEIGHT = 0.5
"""Of the embedding's rank in the list of a target sample, beside the gradient's."""


def run_attribute(study: Study, progress: Progress, **options) -> None:  # noqa: ANN003
    """The attribute job: gradients over the pool, then near(z, s) as the study's `nearness` says.

    Idempotent; options go to `cadc.gradients.attribute.run_attribute`. Raises what it raises, and Cancelled.
    """
    from cadc.gradients import attribute
    from cadc.scores import compaction

    attribute.run_attribute(study, progress, **options)
    compaction.run_scores(study, progress)
    if study.config.nearness == "gradients+embedding" and not is_combined(study):
        combine(study, progress)


def is_combined(study: Study) -> bool:
    """Whether the scores hold the sum (made from the scores that are there now)."""
    return _has(_about(study), study)


def gradients_alone(study: Study) -> Scores:
    """The scores with near(z, s) and best rows of gradients, whatever the study's `nearness` is."""
    scores = Scores.load(study)
    if not is_combined(study):
        return scores
    return replace(scores, **{name: np.load(_kept(study, name), mmap_mode="r", allow_pickle=False) for name in ARRAYS})


def combine(study: Study, progress: Progress) -> None:
    """Put `both` in place of what gradients alone say. After a stop in between it begins with the kept originals."""
    scores = Scores.load(study)
    if not _has(study.nearness_folder / "kept.json", study):  # else a stop in between: the originals are kept already
        for name in ARRAYS:
            write_array(_kept(study, name), np.asarray(getattr(scores, name)))
        write_json(study.nearness_folder / "kept.json", {"identity": study.identity, "scores": _stamp(study)})
    own = replace(scores, **{name: np.load(_kept(study, name), allow_pickle=False) for name in ARRAYS})
    pool, target = (embeddings(study, role, np.asarray(index), progress)
                    for role, index in (("pool", own.index), ("target", own.sample_index)))
    progress.note("near(z, s): gradients and embedding together")
    found = both(own, *centred(pool, target), q=study.config.near_q)
    for name in ARRAYS:
        write_array(study.scores_folder / f"{name}.npy", getattr(found, name))
    write_json(_about(study), {"identity": study.identity, "nearness": "gradients+embedding", "scores": _stamp(study)})
    progress.start(len(own.index), done=len(own.index))  # what the job has done is its rows, not the embedding's
    log.info("near(z, s) of %d rows: gradients and embedding", len(own.index))


def both(scores: Scores, pool: np.ndarray, target: np.ndarray, *, q: int) -> Scores:
    """Gradients' scores with near(z, s) and the order of best rows by both signals.

    pool [N, W], target [S, W]: unit norm. near(z, s): the sum of both signals' columns, each standardised over the
    pool; it decides pools and filters. Best rows of a target sample: the L of the gradients, by the sum of their ranks
    among them in both signals; `best_value` stays Inf(z, z'). Only single gradients keep a selection diverse: rows
    chosen by the sum of near(z, s) itself share their answers (decision 0015).
    """
    embedded = with_signal(scores, cosine_signal(pool, target), q=q).near
    near = standardise(scores.near, 1) + standardise(embedded, 1)
    place, value = np.asarray(scores.best_index), np.asarray(scores.best_value)
    there = place >= 0
    ranks = np.zeros(place.shape)
    for sample in range(len(place)):  # padding (-1) stays last
        rows = place[sample, there[sample]]
        ranks[sample, there[sample]] = np.arange(len(rows)) + WEIGHT * _rank(-(pool[rows] @ target[sample]))
    order = np.argsort(np.where(there, ranks, np.inf), axis=1, kind="stable")
    return replace(scores, near=near.astype(np.float32), best_index=np.take_along_axis(place, order, 1),
                   best_value=np.take_along_axis(value, order, 1))


def _rank(values: np.ndarray) -> np.ndarray:
    """Places from 0, smallest first; ties in order."""
    out = np.empty(len(values))
    out[np.argsort(values, kind="stable")] = np.arange(len(values))
    return out


def _stamp(study: Study) -> str:
    """Changes when the scores are compacted anew."""
    about = (study.scores_folder / "scores.json").stat()
    return f"{about.st_mtime_ns} {about.st_size}"


def _has(path: Path, study: Study) -> bool:
    """Whether this file was written for the scores that are there now."""
    try:
        return json.loads(path.read_text())["scores"] == _stamp(study)
    except FileNotFoundError:
        return False


def _about(study: Study) -> Path:
    return study.nearness_folder / "nearness.json"


def _kept(study: Study, name: str) -> Path:
    return study.nearness_folder / f"gradients-{name}.npy"
