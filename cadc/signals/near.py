"""near(z, s) joined from several signals: each calibrated on its own, then their mean (METHOD §4, decision 0028).

Two jobs: `quick` joins the signals that need no gradient; `near` puts gradients beside them, once these are there.
Single columns stay as they are. N pool rows, S single target samples, M units, L best rows.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cadc.errors import JobError
from cadc.scores import columns
from cadc.scores.calibration import Scale, scale_of
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS
from cadc.signals.gradients import gradient_scale
from cadc.signals.rows import rows_without_gradients
from cadc.signals.similarity import Nearness, Similarity, nearness
from cadc.study import Study, write_json
from cadc.study.config import OF_GRADIENTS, joined_signals, signals_of
from cadc.study.progress import Progress

log = logging.getLogger(__name__)


# ---- without gradients -----------------------------------------------------------------------------------------------
def run_quick(study: Study, progress: Progress) -> None:
    """The job `quick`: near(z, s) by the signals of `nearness` that need no gradient. Idempotent.

    Raises JobError where no row or no target sample can be used, DataError for an unknown signal.
    """
    result = study.result("quick")
    if result.finished:
        progress.note("near(z, s) without gradients is there already")
        return
    names = joined_signals(study.config)
    if not names:
        raise JobError(f"study {study.name!r} has no signal without gradients (nearness={study.config.nearness}), so "
                       "there is nothing to join. Make a study whose nearness names one, such as `embedding`.")
    rows = rows_without_gradients(study)
    progress.start(len(rows.index))
    progress.note(f"near(z, s) by {' and '.join(names)}")
    found, _ = _joined(rows, opened(study, rows, names), study.config.near_q, study.config.best_rows)
    for name, values in (("rows", rows.index), ("samples", rows.sample_index), ("sample_units", rows.sample_unit)):
        columns.write(study, name, values)
    _write(study, "quick", found)
    write_json(result.folder / "quick.json", {"units": list(rows.units), "signals": list(names)})
    result.finish()
    progress.step(len(rows.index))
    log.info("near(z, s) of %d rows by %s", len(rows.index), ", ".join(names))


def opened(study: Study, rows: Scores, names: Sequence[str]) -> dict[str, Similarity]:
    """The similarities of these signals, by name."""
    return {name: SIGNALS[name].open(study, rows) for name in names}


def _joined(rows: Scores, similar: Mapping[str, Similarity], q: int, keep: int
            ) -> tuple[Nearness, dict[str, tuple[Similarity, Scale]]]:
    """near(z, s): mean of the calibrated columns; best rows and winners: by the mean of the calibrated similarities.
    With each signal's scale."""
    of, units = np.asarray(rows.sample_unit), len(rows.units)
    parts: dict[str, tuple[Similarity, Scale]] = {}
    near = np.zeros((units, len(rows.index)), np.float32)
    for name, one in similar.items():
        alone = nearness(one, of, units, q=q, keep=1)
        parts[name] = (one, scale_of(alone.near, one.samples, of, q))
        near += parts[name][1].of(alone.near) / len(similar)
    return replace(nearness(_mean(list(parts.values()), of), of, units, q=q, keep=keep), near=near), parts


def _mean(parts: Sequence[tuple[Similarity, Scale]], of: np.ndarray) -> Similarity:
    """The mean of several similarities, each calibrated."""
    def block(start: int, stop: int) -> np.ndarray:
        parts_of = [scale.of_samples(one.block(start, stop), of) for one, scale in parts]
        return np.mean(parts_of, 0).astype(np.float32)

    def among(rows: np.ndarray, sample: int) -> np.ndarray:
        return np.mean([scale.of_samples(one.among(rows, sample), of[sample]) for one, scale in parts], 0)

    return Similarity(parts[0][0].rows, block, among,
                      np.mean([scale.of_samples(one.samples, of) for one, scale in parts], 0))


# ---- with gradients --------------------------------------------------------------------------------------------------
def run_near(study: Study, progress: Progress) -> None:
    """The job `near`: near(z, s) by all signals of `nearness`. Idempotent. Raises JobError, and DataError for an
    unknown signal."""
    result = study.result("near")
    if result.finished:
        progress.note("near(z, s) is joined already")
        return
    names = signals_of(study.config)
    progress.note(f"near(z, s): {' and '.join(names)} together")
    scales = {name: gradient_scale(study, name) for name in columns.of_gradients(study)}
    for name, scale in scales.items():
        columns.write(study, f"scale.{name}", np.stack([scale.middle, scale.own]).astype(np.float32))
    own = {name: replace(Scores.load(study, near=name), middle=scales[name].middle, own=scales[name].own)
           for name in names if name in OF_GRADIENTS}
    rows = next(iter(own.values()), None) or Scores.load(study, near="gradients")
    progress.start(len(rows.index))
    others = [name for name in names if name not in OF_GRADIENTS]
    _write(study, "joined", join(rows, list(own.values()), opened(study, rows, others), q=study.config.near_q))
    result.finish()
    progress.step(len(rows.index))
    log.info("near(z, s) of %d rows: %s", len(rows.index), " + ".join(names))


def join(rows: Scores, gradients: Sequence[Scores], others: Mapping[str, Similarity], *, q: int) -> Nearness:
    """near(z, s) of gradients (scores with their scale) and other signals: the mean of the calibrated columns.

    Best rows of a target sample: of the L best of every signal those L with the largest mean calibrated similarity.
    Of a gradient's only the L best are known: a row outside that list counts as the last of it, which it cannot exceed.
    """
    of, units, keep = np.asarray(rows.sample_unit), len(rows.units), rows.best_index.shape[1]
    count = len(gradients) + len(others)
    near = np.zeros((units, len(rows.index)), np.float32)
    parts: list[tuple[Similarity, Scale]] = []
    lists = [np.asarray(one.best_index) for one in gradients]
    winner = None
    for one in gradients:
        near += Scale(middle=one.middle, own=one.own).of(one.near) / count
    if others:
        found, made = _joined(rows, others, q, keep)
        near += found.near * (len(others) / count)
        parts, winner = list(made.values()), found.winner
        lists.append(found.best_index)
    index = np.full((len(of), keep), -1, np.int32)
    value = np.zeros((len(of), keep), np.float32)
    for sample in range(len(of)):
        candidates = np.unique(np.concatenate([one[sample] for one in lists]))
        candidates = candidates[candidates >= 0]
        total = sum((scale.of_samples(one.among(candidates, sample), of[sample]) for one, scale in parts),
                    np.zeros(len(candidates), np.float32))
        for one in gradients:
            total = total + _listed(one, sample, candidates)
        order = np.argsort(-total, kind="stable")[:keep]
        index[sample, :len(order)], value[sample, :len(order)] = candidates[order], total[order] / count
    if gradients or winner is None:
        winner = np.asarray((gradients[0] if gradients else rows).winner)
    return Nearness(near=near, winner=winner, best_index=index, best_value=value)


def _listed(scores: Scores, sample: int, rows: np.ndarray) -> np.ndarray:
    """Calibrated similarity of some rows with one target sample, from the list of its best rows."""
    index, value = np.asarray(scores.best_index[sample]), np.asarray(scores.best_value[sample])
    index, value = index[index >= 0], value[index >= 0]
    order = np.argsort(index)
    place = np.minimum(np.searchsorted(index[order], rows), max(len(index) - 1, 0))
    there = index[order][place] == rows if len(index) else np.zeros(len(rows), bool)
    found = np.where(there, value[order][place], value.min()) if len(index) else np.zeros(len(rows))
    unit = int(scores.sample_unit[sample])
    return Scale(middle=scores.middle, own=scores.own).of_samples(found, unit)


def _write(study: Study, choice: str, found: Nearness) -> None:
    for name in ("near", "winner", "best_index", "best_value"):
        columns.write(study, f"{name}.{choice}", getattr(found, name))
