"""How many tokens the model's processor will make of a row, without opening a picture: the job `lengths`.

Words go through the model's own chat template and tokenizer, so they are counted, not estimated; what a picture becomes
follows from its size (`cadc.models.picture_tokens`).
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from cadc.data.lengths import UNKNOWN, Lengths, write_lengths
from cadc.data.reasons import UNFIT
from cadc.data.sample import Sample
from cadc.data.sizes import Size, picture_sizes
from cadc.errors import RowRefused
from cadc.models.load import load_encoder
from cadc.models.picture_tokens import PictureTokens
from cadc.models.refusal import refusing
from cadc.study import Study
from cadc.study.progress import Progress, Silent

BLOCK = 1024
"""Rows whose words are counted together."""


def run_lengths(study: Study, progress: Progress) -> None:
    """The job: estimated tokens of every accepted row of pool and target. Idempotent; raises ModelError when the
    model's processor cannot be loaded, Cancelled."""
    from cadc.data import read_samples
    from cadc.data.inventory import read_inventory

    result = study.result("lengths")
    if result.finished:
        progress.note("tokens are estimated already")
        return
    samples = {role: read_samples(study.samples_file(role)) for role in ("pool", "target")}
    progress.start(sum(map(len, samples.values())), unit="rows")
    progress.note("estimating tokens")
    estimator, found = Estimator(study.config.model), {}
    for role, rows in samples.items():
        inventory = read_inventory(study.require("ingest").intact(f"pictures-{role}.parquet"))
        sizes = picture_sizes(inventory, (name for sample in rows for name in sample.images), study.image_root(role),
                              study.ingest_images(role))
        found[role] = estimator.lengths(rows, sizes, progress)
    write_lengths(result, found)
    result.finish()


def estimated_tokens(model: str, samples: Sequence[Sample], sizes: Mapping[str, Size]) -> Lengths:
    """Tokens that a model (local folder or id) will make of samples whose pictures have these sizes (height, width).
    Only its processor and tokenizer are loaded. Raises ModelError when they cannot be."""
    return Estimator(model).lengths(samples, sizes, Silent())


class Estimator:
    """The words and pictures of one model, counted."""

    def __init__(self, model: str) -> None:
        """Raises ModelError when the model's processor cannot be loaded."""
        self._encoder, self._tokenizer, self._processor = load_encoder(model)
        self._bos = self._tokenizer.bos_token or ""

    def lengths(self, samples: Sequence[Sample], sizes: Mapping[str, Size], progress: Progress) -> Lengths:
        """Tokens of every sample; `sizes`: (height, width) of its pictures, by name. Raises Cancelled."""
        pictures = PictureTokens(self._encoder, self._tokenizer, self._processor, self.words)
        shown = [[sizes.get(name) for name in sample.images] for sample in samples]
        pictures.learn(shown)
        tokens, refused = np.full(len(samples), UNKNOWN, np.int32), {}
        rows = iter(enumerate(samples))
        while block := list(islice(rows, BLOCK)):
            texts: dict[int, str] = {}
            for row, sample in block:
                try:
                    with refusing(UNFIT):
                        texts[row] = self._encoder.template.render(sample).text
                        tokens[row] = pictures.tokens(shown[row])
                except RowRefused as error:
                    refused[row] = str(error)
            known = [row for row in texts if tokens[row] != UNKNOWN]
            tokens[known] += np.array(self.words([texts[row] for row in known]), np.int32)
            progress.step(len(block))
        return Lengths(tokens=tokens, refused=refused, how=pictures.how)

    def words(self, texts: Sequence[str]) -> list[int]:
        """Tokens of rendered conversations, each picture place as it stands in the text."""
        marked = [bool(self._bos) and text.startswith(self._bos) for text in texts]
        found = [0] * len(texts)
        backend = self._tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        for special in (True, False):
            chosen = [place for place, mark in enumerate(marked) if mark is not special]
            for place, made in zip(chosen, backend.encode_batch_fast([texts[place] for place in chosen],
                                                                     add_special_tokens=special), strict=True):
                found[place] = len(made)
        return found
