"""near(z, s) from two signals: gradients read words, answer and picture a little each, the embedding of the untrained
base sees what a picture shows but not what is asked; their sum chooses better than either (docs/decisions/0015).

Runs at the end of the attribute job and replaces `near`, `winner` and the best rows of the scores; what gradients alone
say stays beside them. N pool rows, S single target samples, M units.
"""

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from cadc.embedding import embeddings
from cadc.gradients.scores import Scores
from cadc.progress import Progress
from cadc.signals import centred, cosine_signal, gradient_signal, standardised, summed, with_signal
from cadc.study import Study, write_json

log = logging.getLogger(__name__)

ARRAYS = ("near", "winner", "best_index", "best_value")
"""What a signal decides in `Scores`."""


def run_attribute(study: Study, progress: Progress, **options) -> None:  # noqa: ANN003
    """The attribute job: gradients over the pool, then near(z, s) as the study's `nearness` says.

    Idempotent; options go to `cadc.gradients.attribute.run_attribute`. Raises what it raises, and Cancelled.
    """
    from cadc.gradients import attribute

    attribute.run_attribute(study, progress, **options)
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
    """Sum of both signals, each target sample's column standardised over the pool, in place of gradients' near.

    For gradients every row has its near(z, s) on the unit of a target sample (all that is kept of them for every row),
    for the embedding its cosine with that sample itself.
    """
    scores = Scores.load(study)
    if not _has(study.nearness_folder / "kept.json", study):  # else a stop in between: the originals are kept already
        for name in ARRAYS:
            _save(_kept(study, name), np.asarray(getattr(scores, name)))
        write_json(study.nearness_folder / "kept.json", {"identity": study.identity, "scores": _stamp(study)})
    own = replace(scores, **{name: np.load(_kept(study, name), allow_pickle=False) for name in ARRAYS})
    pool, target = (embeddings(study, role, np.asarray(index), progress)
                    for role, index in (("pool", own.index), ("target", own.sample_index)))
    progress.note("near(z, s): gradients and embedding together")
    signal = summed(standardised(gradient_signal(own)), standardised(cosine_signal(*centred(pool, target))))
    found = with_signal(own, signal, q=study.config.near_q)
    for name in ARRAYS:
        _save(study.scores_folder / f"{name}.npy", getattr(found, name))
    write_json(_about(study), {"identity": study.identity, "nearness": "gradients+embedding", "scores": _stamp(study)})
    log.info("near(z, s) of %d rows: gradients and embedding", len(own.index))


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


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npy")
    np.save(temporary, values, allow_pickle=False)
    os.replace(temporary, path)
