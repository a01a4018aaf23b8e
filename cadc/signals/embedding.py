"""What the untrained base makes of a sample: the mean of its last hidden states, by one forward pass, kept on disk
(METHOD §4).

The usual rival of gradients, and of little cost: one forward of the language model, no backward, no checkpoints. Shape
letters: n rows, B samples, L tokens, W hidden width.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.indices import FeedRow
from cadc.data.reasons import NOT_FINITE, Reason
from cadc.errors import DataError, JobError
from cadc.scores.left_out import report_name, write_report
from cadc.scores.scores import Scores
from cadc.signals.signal import Signal
from cadc.signals.similarity import Similarity, cosines, whitened
from cadc.study import Study, write_array
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    import torch

    from cadc.data.sample import Sample
    from cadc.models import Prefix, Vlm
    from cadc.models.encode import Batch

log = logging.getLogger(__name__)

LORA = ("lora_rank", "lora_alpha", "lora_layers", "lora_targets", "seed")


def run_embedding(study: Study, progress: Progress) -> None:
    """The embedding job: both roles, computed once; a role that is there stays. Raises Cancelled, and what opening the
    base raises."""
    result = study.result("embedding")
    if result.finished:
        progress.note("pool and target are embedded already")
        return
    for role in ("target", "pool"):  # the pool last: what the job has done is its rows
        if not all((result.folder / file_of(role, part)).exists() for part in parts_of(study)):
            _compute(study, role, progress)
        elif not (result.folder / report_name(role)).exists():  # lost, or of an earlier version that wrote none
            _report_again(study, role)
    result.finish()


def is_embedded(study: Study) -> bool:
    """Whether the embeddings of pool and target are there."""
    return study.finished("embedding")


def embedded_rows(study: Study, role: str) -> np.ndarray:
    """int64, ascending: positions in the pool or target file of the rows that have an embedding. Raises JobError before
    the job ran."""
    return np.load(study.require("embedding").intact(file_of(role, "index")), allow_pickle=False)


def embeddings(study: Study, role: str, index: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """float32 [n, W]: mean over all tokens (pictures, question, answer) of the base's last hidden states.

    index: positions in the pool or target file. Computed for both roles at the first call, then read. Raises JobError
    when a row was not encodable, ModelError when the base cannot be loaded.
    """
    return _read(study, role, "values", index, progress)


def answer_states(study: Study, role: str, index: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """float32 [n, W]: mean of the base's last hidden states over the positions that predict the answer's tokens.

    As `embeddings`. Raises JobError as well where the study was made without them.
    """
    if not study.config.answer_states:
        raise JobError(f"study {study.name!r} keeps no hidden states of answers. Make a study with answer_states=true.")
    return _read(study, role, "answers", index, progress)


def _read(study: Study, role: str, part: str, index: np.ndarray, progress: Progress | None) -> np.ndarray:
    if not is_embedded(study):
        run_embedding(study, progress or Silent())
    result = study.result("embedding")
    have, values = (np.load(result.intact(file_of(role, one)), mmap_mode="r", allow_pickle=False)
                    for one in ("index", part))
    place = np.searchsorted(have, index)
    if len(have) == 0 or (have[np.minimum(place, len(have) - 1)] != index).any():
        raise JobError(f"study {study.name!r} has {role} rows without an embedding: they could not be encoded. The log "
                       "of the job names them; take them out of the file, or set nearness=whitened.")
    return np.asarray(values[place])


def parts_of(study: Study) -> tuple[str, ...]:
    """What is kept of each role."""
    return ("index", "values", "answers") if study.config.answer_states else ("index", "values")


def file_of(role: str, part: str) -> str:
    """File of the positions (`index`), the embeddings (`values`) or the states of answers (`answers`) of 'pool' or
    'target'."""
    return f"{role}-{part}.npy"


def _compute(study: Study, role: str, progress: Progress) -> None:
    """One forward over the role, in the batches of the gradient passes; written whole or not at all."""
    from cadc.models import open_vlm
    from cadc.models.batching import run_batches
    from cadc.models.feed import Feed

    # Fresh adapters on the whole language model change nothing (B = 0), and the cut lies before its first layer; they
    # are the same whatever the study adapts, so that its LoRA settings are none of this job's.
    progress.note("loading the model")
    vlm = open_vlm(study.config.without(LORA))
    feed = Feed(study, role, vlm)
    order = feed.by_length()
    progress.start(len(order), unit="samples")
    progress.note(f"embedding the {role}: one forward of the untrained base")
    found: dict[FeedRow, np.ndarray] = {}
    failed: dict[FeedRow, str] = {}
    hidden = lambda items: last_hidden(vlm, vlm.collate([one for _, one in items]))  # noqa: E731
    for part, values in run_batches(feed, order, hidden, failed):
        found.update(zip(part, values, strict=True))
        progress.step(len(part))
    _write(study, role, feed.samples, found, failed)


def finish_embedding(study: Study, hidden: Mapping[str, Mapping[FeedRow, np.ndarray]],
                     failed: Mapping[str, Mapping[FeedRow, str]]) -> None:
    """Finish this job's result from a forward that another job made: per role ('pool', 'target') the averages [2, W]
    of each row (`averages`), and rows that cannot be encoded with their reasons. One that is finished stays."""
    from cadc.data import read_samples
    from cadc.study.files import alone

    result = study.result("embedding")
    with alone(result.folder.with_name(f"{result.key}.lock")):
        if result.finished:
            return
        for role in ("target", "pool"):
            _write(study, role, read_samples(study.samples_file(role)), hidden[role], failed[role])
        result.finish()


def _write(study: Study, role: str, samples: "Sequence[Sample]", states: Mapping[FeedRow, np.ndarray],
           failed: Mapping[FeedRow, str]) -> None:
    """Embeddings of a role and the report of rows without one. Raises JobError where none has one."""
    found = {row: value for row, value in states.items() if np.isfinite(value).all()}
    failed = {**failed, **{row: f"{NOT_FINITE}: hidden states" for row in states.keys() - found.keys()}}
    for row, reason in sorted(failed.items()):
        log.warning("%s row %d cannot be encoded and has no embedding: %s", role, samples[row].index, reason)
    if not found:
        raise JobError(f"no {role} sample can be encoded, so nothing can be embedded. See the Data page.")
    rows, folder = sorted(found), study.result("embedding").folder
    write_report(folder, role, [Reason(samples[row].index, samples[row].id, reason)
                                for row, reason in sorted(failed.items())])
    both = np.stack([found[row] for row in rows])  # [n, 2, W]
    write_array(folder / file_of(role, "values"), np.ascontiguousarray(both[:, 0]))
    if study.config.answer_states:
        write_array(folder / file_of(role, "answers"), np.ascontiguousarray(both[:, 1]))
    write_array(folder / file_of(role, "index"), np.array([samples[row].index for row in rows], np.int64))


def _report_again(study: Study, role: str) -> None:
    """Which rows have no embedding, and why, where the embeddings are there and the report is not."""
    from cadc.data import read_samples
    from cadc.models import open_vlm
    from cadc.models.feed import Feed

    folder = study.result("embedding").folder
    have = set(np.load(folder / file_of(role, "index"), allow_pickle=False).tolist())
    missing = [FeedRow(row) for row, sample in enumerate(read_samples(study.samples_file(role)))
               if sample.index not in have]
    found = []
    if missing:
        feed = Feed(study, role, open_vlm(study.config.without(LORA)))
        for row, outcome in feed.ahead(missing):
            sample = feed.samples[row]
            reason = str(outcome) if isinstance(outcome, DataError) else f"{NOT_FINITE}: hidden states"
            found.append(Reason(sample.index, sample.id, reason))
    write_report(folder, role, found)


def last_hidden(vlm: "Vlm", batch: "Batch") -> np.ndarray:
    """float32 [B, 2, W]: `averages` of a batch under the adapter that is switched in."""
    import torch

    from cadc.models import last_states, prefix

    with torch.no_grad():
        given = prefix(vlm, batch, whole=True)
        return averages(last_states(vlm, given), batch, given).cpu().numpy()


def averages(states: "torch.Tensor", batch: "Batch", given: "Prefix") -> "torch.Tensor":
    """float32 [B, 2, W] of last hidden states [B, L, W]: their mean over all tokens of a sample, padding left out, and
    over the positions that predict a token of its answer."""
    import torch

    hidden = states.float()
    real = batch.inputs["attention_mask"][:, :, None].to(hidden.dtype)
    answers = hidden.new_zeros(len(hidden), hidden.shape[2]).index_add(0, given.rows, hidden[given.rows, given.columns])
    return torch.stack([(hidden * real).sum(1) / real.sum(1), answers / given.tokens[:, None].to(hidden.dtype)], 1)


def centred(pool: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings minus the pool's mean, unit norm: raw ones all point the same way and their cosines say little."""
    mean = pool.mean(axis=0)
    one, other = ((rows - mean) / np.maximum(np.linalg.norm(rows - mean, axis=1, keepdims=True), 1e-12)
                  for rows in (pool, target))
    return one, other


def features(study: Study, scores: Scores, progress: Progress | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Centred embeddings of the scored rows and the single target samples, unit norm: float32 [N, W], [S, W]."""
    pool, target = (embeddings(study, role, np.asarray(index), progress)
                    for role, index in (("pool", scores.index), ("target", scores.sample_index)))
    return centred(pool, target)


RIDGE = 0.1
"""Of the metric of `embedding-whitened`; flat from .03 to 3 (decision 0028)."""


def _open(study: Study, scores: Scores) -> Similarity:
    return cosines(*features(study, scores))


def _open_whitened(study: Study, scores: Scores) -> Similarity:
    return whitened(*features(study, scores), RIDGE)


def _open_answers(study: Study, scores: Scores) -> Similarity:
    rows = (answer_states(study, role, np.asarray(index))
            for role, index in (("pool", scores.index), ("target", scores.sample_index)))
    return whitened(*centred(*rows), RIDGE)


SIGNAL = Signal(name="embedding", about="last hidden states, no gradient", open=_open, needs="embedding",
                reads="one forward of the untrained base")
ANSWERS = Signal(name="answers", about="hidden states where the answer is written, in that metric", needs="embedding",
                 open=_open_answers, reads="one forward of the untrained base")
WHITENED = Signal(name="embedding-whitened", about="last hidden states in the metric of the target's own samples",
                  open=_open_whitened, needs="embedding", reads="one forward of the untrained base")
