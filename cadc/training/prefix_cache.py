"""Rows that are seen often: everything below the adapters is computed once per sample and kept.

Evaluation and the intervention test train many short runs over the same rows from the same frozen parts. Shape
letters: B samples, L tokens, W hidden width.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from cadc.errors import DataError

if TYPE_CHECKING:
    import torch

    from cadc.models import Encoded, Prefix, Vlm

log = logging.getLogger(__name__)

R = TypeVar("R", bound=int)
"""How rows are numbered: by `FeedRow` where a bank reads one feed, by `CacheRow` where it joins several."""

LIMIT = 1 << 30
"""Bytes of kept prefixes; beyond it a sample's prefix is computed each time."""

PART, SHARE = 128, 16
"""A forward and backward more costs about as much as 128 tokens more, on a large batch a sixteenth of its tokens: a
batch is taken in parts of similar length where that pads so many tokens less."""


@dataclass(frozen=True)
class Piece:
    """One sample's share of a `Prefix`, without padding."""

    given: "Prefix"
    length: int
    nbytes: int


class PrefixCache(Generic[R]):
    """`Prefix` of any samples of one study and role, each computed once while it fits the limit.

    Families whose language model is called with anything but [B, L, …] tensors (Qwen's [3, B, L] positions, Gemma's
    ready-made masks), and models with adapters on connector or vision tower, are not kept but computed each time;
    `note` says so.
    """

    def __init__(self, vlm: "Vlm", encode: Callable[[R], "Encoded"], limit: int = LIMIT) -> None:
        self._vlm, self._encode, self._limit = vlm, encode, limit
        self._pieces: dict[R, Piece] = {}
        self._bytes = 0
        self._keeps = True
        self._checked = False
        self.failed: dict[R, str] = {}
        """Rows that cannot be encoded, with the reason."""
        self.note = ""

    def usable(self, rows: Iterable[R]) -> list[R]:
        """Rows that can be encoded, in the order given; the others are remembered in `failed`. Fills the bank."""
        found: list[R] = []
        for chunk in _chunks(list(rows), 32):
            self._fill([row for row in dict.fromkeys(chunk) if row not in self._pieces])
            found += [row for row in chunk if row not in self.failed]
        return found

    def get(self, rows: Sequence[R]) -> "Prefix":
        """Prefix of a batch of usable rows (a row may occur twice). Raises DataError for one that cannot be encoded."""
        wanted = list(dict.fromkeys(rows))
        fresh = self._fill([row for row in wanted if row not in self._pieces])
        if bad := next((row for row in wanted if row in self.failed), None):
            raise DataError(self.failed[bad])
        if self._keeps:
            return join([self._pieces.get(row) or fresh[row] for row in rows])
        from cadc.models import prefix

        return prefix(self._vlm, self._vlm.collate([self._encode(row) for row in rows]), whole=True)

    def parts(self, rows: Sequence[R]) -> "list[tuple[list[int], Prefix]]":
        """`get` in parts of similar length (`by_length`), each with its positions in `rows`. One part where all are
        about as long, or none is kept."""
        wanted = list(dict.fromkeys(rows))
        fresh = self._fill([row for row in wanted if row not in self._pieces])
        pieces = {row: piece for row in wanted if (piece := self._pieces.get(row) or fresh.get(row))}
        if not self._keeps or len(pieces) < len(wanted):
            return [(list(range(len(rows))), self.get(rows))]
        cuts = by_length([pieces[row].length for row in rows])
        return [(places, join([pieces[rows[place]] for place in places])) for places in cuts]

    def _fill(self, rows: list[R]) -> dict[R, Piece]:
        """Compute what is missing; returns the pieces of these rows, kept or not."""
        from cadc.models import prefix

        encoded: dict[R, Encoded] = {}
        for row in rows:
            if row in self.failed:
                continue
            try:
                encoded[row] = self._encode(row)
            except DataError as error:
                self.failed[row] = str(error)
        if not encoded or not self._keeps:
            return {}
        whole = prefix(self._vlm, self._vlm.collate(list(encoded.values())), whole=True)
        length = max(e.length for e in encoded.values())
        if not _plain(whole, length) or not (self._checked or _same(self._vlm, whole, length)):
            self._keeps, self._pieces = False, {}
            self.note = "features below the adapters cannot be kept for this model family: computed at every step"
            log.warning(self.note)
            return {}
        self._checked |= len(encoded) > 1
        pieces = {row: cut(whole, place, one.length) for place, (row, one) in enumerate(encoded.items())}
        for row, piece in pieces.items():
            if self._bytes + piece.nbytes <= self._limit:
                self._pieces[row] = piece
                self._bytes += piece.nbytes
        return pieces


def by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Positions 0 … n-1 in groups of neighbours in length, so that padded tokens and parts (`PART`, `SHARE`) cost least
    together; one group in the order given where no other division costs less."""
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    part = max(PART, sum(lengths) // SHARE)
    size = np.arange(len(order), 0, -1)
    least, begin = np.zeros(len(order) + 1), [0] * (len(order) + 1)  # of the first so many in `order`
    for end, last in enumerate(order, 1):
        costs = least[:end] + size[-end:] * lengths[last] + part
        begin[end] = int(costs.argmin())
        least[end] = costs[begin[end]]
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.insert(0, order[begin[end]:end])
        end = begin[end]
    return groups if len(groups) > 1 else [list(range(len(lengths)))]


def _chunks(rows: list[R], size: int) -> Iterator[list[R]]:
    for start in range(0, len(rows), size):
        yield rows[start:start + size]


def _tensors(given: "Prefix") -> list["torch.Tensor"]:
    """Tensors that the rest of the forward is called with."""
    import torch

    values = [*given.args, *given.kwargs.values(), given.hidden]
    return [value for value in values if isinstance(value, torch.Tensor)]


def _plain(given: "Prefix", length: int) -> bool:
    """Whether every tensor is [B, L, …] (or [1, L, …] for all) and nothing else can belong to a sample."""
    import torch

    if given.inputs is not None:  # adapters on connector or tower: little lies below them, pixels would be kept with it
        return False
    batch = int(given.tokens.shape[0])
    others = [v for v in (*given.args, *given.kwargs.values()) if not isinstance(v, torch.Tensor)]
    return (all(v.dim() >= 2 and v.shape[0] in (1, batch) and v.shape[1] == length for v in _tensors(given))
            and all(v is None or isinstance(v, bool | int | float | str) for v in others))


def _same(vlm: "Vlm", given: "Prefix", length: int) -> bool:
    """Whether a prefix put together from pieces, in another order, gives the same losses."""
    import torch

    from cadc.models import answer_losses

    again = join([cut(given, place, length) for place in reversed(range(int(given.tokens.shape[0])))])
    with torch.no_grad():
        return bool(torch.allclose(answer_losses(vlm, given), answer_losses(vlm, again).flip(0), rtol=1e-3, atol=1e-4))


def cut(given: "Prefix", place: int, length: int) -> Piece:
    """One sample of a batch, its first `length` positions: tensors [B, L, …] → [length, …], copied."""
    import torch

    from cadc.models import Prefix

    def own(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return value[place if value.shape[0] > 1 else 0, :length].clone()

    mine = given.rows == place
    rows = torch.zeros(int(mine.sum()), dtype=given.rows.dtype, device=given.rows.device)
    piece = Prefix(tuple(own(v) for v in given.args), {key: own(v) for key, v in given.kwargs.items()},
                   own(given.hidden), given.first_layer, given.tuples, rows, given.columns[mine], given.labels[mine],
                   given.tokens[place:place + 1])
    return Piece(piece, length, sum(value.nbytes for value in _tensors(piece)))


def join(pieces: Sequence[Piece]) -> "Prefix":
    """Samples back into one batch, right-padded with zeros (attention masks: unseen) to the longest."""
    import torch

    from cadc.models import Prefix

    length = max(piece.length for piece in pieces)
    first = pieces[0].given

    def stacked(values: list[Any]) -> Any:
        if not isinstance(values[0], torch.Tensor):
            return values[0]
        out = values[0].new_zeros((len(values), length, *values[0].shape[1:]))
        for place, value in enumerate(values):
            out[place, :value.shape[0]] = value
        return out

    given = [piece.given for piece in pieces]
    rows = torch.cat([one.rows + place for place, one in enumerate(given)])
    return Prefix(tuple(stacked(list(values)) for values in zip(*(one.args for one in given), strict=True)),
                  {key: stacked([one.kwargs[key] for one in given]) for key in first.kwargs},
                  stacked([one.hidden for one in given]), first.first_layer, first.tuples, rows,
                  torch.cat([one.columns for one in given]), torch.cat([one.labels for one in given]),
                  torch.cat([one.tokens for one in given]))
