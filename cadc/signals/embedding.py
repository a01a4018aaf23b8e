"""What the untrained base makes of a sample: the mean of its last hidden states, by one forward pass, kept on disk
(METHOD §4).

The usual rival of gradients, and of little cost: one forward of the language model, no backward, no checkpoints. Shape
letters: n rows, B samples, L tokens, W hidden width.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadc.errors import JobError
from cadc.study import Study, write_array, write_json
from cadc.study.progress import Progress, Silent

if TYPE_CHECKING:
    from cadc.models import Vlm
    from cadc.models.encode import Batch

log = logging.getLogger(__name__)


def is_embedded(study: Study, role: str) -> bool:
    """Whether the embeddings of 'pool' or 'target' are there."""
    return _about(study, role).exists()


def embeddings(study: Study, role: str, index: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """float32 [n, W]: mean over all tokens (pictures, question, answer) of the base's last hidden states.

    index: positions in the pool or target file. Computed for the whole role at the first call, then read. Raises
    JobError when a row was not encodable, ModelError when the base cannot be loaded.
    """
    if not is_embedded(study, role):
        _compute(study, role, progress or Silent())
    about = json.loads(_about(study, role).read_text())
    if about["identity"] != study.identity:
        raise JobError(f"embeddings of study {study.name!r} belong to another question. Delete {_about(study, role)}.")
    have, values = (np.load(_file(study, role, name), mmap_mode="r") for name in ("index", "values"))
    place = np.searchsorted(have, index)
    if len(have) == 0 or (have[np.minimum(place, len(have) - 1)] != index).any():
        raise JobError(f"study {study.name!r} has {role} rows without an embedding: they could not be encoded.")
    return np.asarray(values[place])


def _about(study: Study, role: str) -> Path:
    return study.embedding_folder / f"{role}.json"


def _file(study: Study, role: str, name: str) -> Path:
    return study.embedding_folder / f"{role}-{name}.npy"


def _compute(study: Study, role: str, progress: Progress) -> None:
    """One forward over the role, in the batches of the gradient passes; written whole or not at all."""
    from cadc.models import open_vlm
    from cadc.models.batching import encoded_rows, halving, packed
    from cadc.models.feed import Feed

    # Fresh adapters on the whole language model change nothing (B = 0), and the cut lies before its first layer.
    vlm = open_vlm(replace(study.config, lora_layers="all", lora_targets="language"))
    feed = Feed(study, role, vlm)
    order = feed.by_length(range(len(feed)))
    progress.start(len(order), unit="samples")
    progress.note(f"embedding the {role}: one forward of the untrained base")
    found: dict[int, np.ndarray] = {}
    failed: dict[int, str] = {}
    for batch in packed(encoded_rows(feed, order, failed)):
        for part, values in halving(lambda items: last_hidden(vlm, vlm.collate([one for _, one in items])), batch):
            found.update(zip((row for row, _ in part), values, strict=True))
            progress.step(len(part))
    if failed:
        log.warning("%d of %d %s rows cannot be encoded and have no embedding", len(failed), len(order), role)
    if not found:
        raise JobError(f"no {role} sample can be encoded, so nothing can be embedded. See the Data page.")
    rows = sorted(found)
    write_array(_file(study, role, "index"), np.array([feed.samples[row].index for row in rows], np.int64))
    write_array(_file(study, role, "values"), np.stack([found[row] for row in rows]))
    write_json(_about(study, role), {"identity": study.identity, "rows": len(rows), "model": study.config.model,
                                     "what": "mean of the last hidden states over all tokens, untrained base"})


def last_hidden(vlm: "Vlm", batch: "Batch") -> np.ndarray:
    """float32 [B, W]: mean of the last hidden states over the tokens of each sample, padding left out."""
    import torch

    from cadc.models import prefix

    given = prefix(vlm, batch)
    with torch.no_grad():
        hidden = vlm.decoder(*given.args, **given.kwargs)[0].float()  # [B, L, W]
    real = batch.inputs["attention_mask"][:, :, None].to(hidden.dtype)
    return ((hidden * real).sum(1) / real.sum(1)).cpu().numpy()
