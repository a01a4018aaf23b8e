"""Accuracy and answer loss per target unit under the adapter that is switched in (METHOD §6).

n scored samples.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

from cadc.data.indices import FeedRow
from cadc.data.sample import Sample
from cadc.evaluation.answers import is_right

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from cadc.models import Vlm
    from cadc.training.prefix_cache import PrefixCache

BATCH = 32


class UnitScore(TypedDict):
    """How one unit of the target was answered."""

    unit: str
    accuracy: float
    """Share of its samples that was answered rightly."""
    loss: float
    """Mean of ℓ(z; θ)."""
    n: int
    """Samples."""


def score(vlm: "Vlm", prefixes: "PrefixCache[FeedRow]", samples: Sequence[Sample], rows: Sequence[FeedRow], *,
          pictures: "Callable[[Sample], list[Image]]", max_new_tokens: int,
          seen: Callable[[int], None]) -> list[UnitScore]:
    """One {unit, accuracy, loss, n} per unit, in order of first appearance.

    rows: rows of `prefixes` and positions in `samples`. An answer is right when greedy generation gives it
    (`is_right`); generation is skipped where every answer token is already the likeliest after the expected ones
    before it, for then greedy decoding writes exactly the expected answer. `seen(n)` is called after every batch and
    may raise Cancelled.
    """
    from cadc.models.folding import folded

    right: dict[FeedRow, bool] = {}
    loss: dict[FeedRow, float] = {}
    with folded(vlm):
        for start in range(0, len(rows), BATCH):
            chunk = list(rows[start:start + BATCH])
            each, certain = teacher_forced(vlm, prefixes, chunk)
            loss.update(zip(chunk, each, strict=True))
            right.update(zip(chunk, certain, strict=True))
            open_ones = [row for row in chunk if not right[row]]
            right.update(_generated(vlm, samples, open_ones, pictures, max_new_tokens))
            seen(len(chunk))
    units: dict[str, list[FeedRow]] = {}
    for row in rows:
        units.setdefault(samples[row].unit or samples[row].id, []).append(row)
    return [{"unit": unit, "accuracy": sum(right[r] for r in own) / len(own),
             "loss": sum(loss[r] for r in own) / len(own), "n": len(own)} for unit, own in units.items()]


def teacher_forced(vlm: "Vlm", prefixes: "PrefixCache[FeedRow]", rows: list[FeedRow]
                   ) -> tuple[list[float], list[bool]]:
    """(ℓ(z; θ), whether every answer token is the likeliest) of each row, from one forward."""
    import torch
    from torch.nn import functional as F

    from cadc.models.forward import answer_logits

    given = prefixes.get(rows)
    with torch.no_grad():
        logits = answer_logits(vlm, given)  # [answer tokens, vocabulary]
    each = F.cross_entropy(logits, given.labels, reduction="none")
    missed = (logits.argmax(-1) != given.labels).to(each.dtype)
    return (_per_sample(each, given.rows, len(rows)) / given.tokens.to(each.dtype)).tolist(), \
        (_per_sample(missed, given.rows, len(rows)) == 0).tolist()


def _per_sample(values: "torch.Tensor", owner: "torch.Tensor", size: int) -> "torch.Tensor":
    """Sum of the values of each sample: [size]."""
    return values.new_zeros(size).index_add(0, owner, values)


def _generated(vlm: "Vlm", samples: Sequence[Sample], rows: list[FeedRow],
               pictures: "Callable[[Sample], list[Image]]", max_new_tokens: int) -> dict[FeedRow, bool]:
    """Whether greedy generation answers each of these rows rightly."""
    from cadc.data import answer_format
    from cadc.models import generate

    if not rows:
        return {}
    asked = [samples[row] for row in rows]
    texts = generate(vlm, asked, [pictures(sample) for sample in asked], max_new_tokens)
    return {row: is_right(text, sample.answer, answer_format(sample))
            for row, sample, text in zip(rows, asked, texts, strict=True)}
