"""Samples of a study, opened and encoded: what warm-up, targets and attribution walk over."""

from collections.abc import Iterable, Sequence

from cadc.data.sample import Sample
from cadc.study import Study
from cadc.vlm.encode import Encoded
from cadc.vlm.load import Vlm


class Feed:
    """The pool or the target of a study, in the order of its samples file."""

    def __init__(self, study: Study, role: str, vlm: Vlm) -> None:
        from cadc.data import read_samples

        self.samples: list[Sample] = read_samples(study.samples_file(role))
        self._vlm = vlm
        self._root = study.image_root(role)
        self._embedded = study.ingest_images(role)

    def __len__(self) -> int:
        return len(self.samples)

    def encode(self, row: int, pictures_of: int | None = None) -> Encoded:
        """Encode a row, with its own pictures or those of another row (METHOD §2, grounded). Raises DataError."""
        from cadc.data import open_images

        donor = self.samples[row if pictures_of is None else pictures_of]
        return self._vlm.encode(self.samples[row], open_images(donor, self._root, self._embedded))

    def by_length(self, rows: Iterable[int]) -> list[int]:
        """`by_length` of this feed's samples."""
        return by_length(self.samples, rows)


def by_length(samples: Sequence[Sample], rows: Iterable[int]) -> list[int]:
    """Rows sorted so that neighbours have about the same number of tokens, judged before anything is opened.

    Pictures first, then characters; ties by position, so that the order is always the same.
    """

    def key(row: int) -> tuple[int, int, int]:
        sample = samples[row]
        words = sum(len(part) for turn in sample.turns for part in turn.parts if isinstance(part, str))
        return len(sample.images), words, row

    return sorted(rows, key=key)
