"""The rows of a study without gradients: what is known of them before any signal is looked at."""

import numpy as np

from cadc.data import read_samples
from cadc.data.sample import Sample
from cadc.errors import JobError
from cadc.gradients.choice import choose
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.config import OF_STATES, joined_signals


def rows_without_gradients(study: Study) -> Scores:
    """Every accepted pool row and the single target samples, those left out that the embedding has none of, where it
    takes part. Raises JobError where nothing is left."""
    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    chosen = choose(study.config, target)
    singles = [target[row] for rows in chosen.singles for row in rows]
    index = np.array([sample.index for sample in pool], np.int64)
    sample_index = np.array([sample.index for sample in singles], np.int64)
    if set(OF_STATES) & set(joined_signals(study.config)):
        from cadc.signals.embedding import embedded_rows

        index, sample_index = (own[np.isin(own, embedded_rows(study, role))]
                               for role, own in (("pool", index), ("target", sample_index)))
    if not len(index) or not len(sample_index):
        raise JobError(f"study {study.name!r} has no {'pool row' if not len(index) else 'target sample'} that can be "
                       "compared. See the Data page.")
    names = _units(singles, sample_index)
    number = {name: u for u, name in enumerate(dict.fromkeys(names))}
    return Scores.bare(index=np.sort(index), sample_index=sample_index, units=tuple(number),
                       sample_unit=np.array([number[name] for name in names], np.int32))


def _units(singles: list[Sample], kept: np.ndarray) -> list[str]:
    """Unit of each kept sample, in the order of `kept`."""
    of = {sample.index: sample.unit or sample.id for sample in singles}
    return [of[index] for index in kept.tolist()]
