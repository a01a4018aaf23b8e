"""What a picture becomes in tokens, from its size alone.

The family's own arithmetic counts where its processor has it (transformers: `_get_num_multimodal_tokens`, which serving
engines use) and agrees with what the processor does to a few blank pictures; else a blank picture of every size is
tried, or of every class of similar sizes where there are many. Rows with one picture and rows with several are learnt
apart: some families cut a picture into tiles only where it stands alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2
from typing import TYPE_CHECKING, Any

from cadc.data.indices import FileIndex
from cadc.data.lengths import UNKNOWN
from cadc.data.reasons import PROCESSOR
from cadc.data.sample import Sample, Turn
from cadc.data.sizes import Size
from cadc.errors import RowRefused
from cadc.models.encode import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

log = logging.getLogger(__name__)

PROBES = 256
"""Sizes that are tried at most where a family has no arithmetic: more of them fall into classes."""
STEP = 0.125
"""Width of a class of sizes in doublings: those of one class differ by 9 % at most."""
CHECKED = 6
"""Sizes at which arithmetic is checked."""
_FAILS = (AttributeError, TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, NotImplementedError)
_WORDS = "words are counted by the model's tokenizer"


@dataclass
class _Law:
    """Tokens that pictures add to the words of a row."""

    row: int = 0
    """Once."""
    own: dict[Size, int] = field(default_factory=dict)
    """For each picture."""
    refused: dict[Size, str] = field(default_factory=dict)
    """Sizes that the processor does not take, and what it says."""

    def tokens(self, sizes: Sequence[Size]) -> int:
        """Raises RowRefused for a size that the processor does not take."""
        if bad := next((size for size in sizes if size in self.refused), None):
            raise RowRefused(PROCESSOR, self.refused[bad])
        return self.row + sum(self.own[size] for size in sizes)


class PictureTokens:
    """Learns what pictures of some sizes become, then says it."""

    def __init__(self, encoder: Encoder, tokenizer: "PreTrainedTokenizerBase", processor: "ProcessorMixin | None",
                 words: Callable[[Sequence[str]], list[int]]) -> None:
        """`words`: tokens of rendered texts, each picture place as it stands in them."""
        self._encoder, self._tokenizer, self._processor, self._words = encoder, tokenizer, processor, words
        self._laws: dict[bool, _Law] = {}
        self._none = 0
        self.how = _WORDS

    def learn(self, rows: Sequence[Sequence[Size | None]]) -> None:
        """Sizes of the pictures of every row; rows with an unknown one are left aside."""
        self._none = self._probe(())
        if self._processor is None:
            return
        how: list[str] = []
        known = [row for row in rows if row and None not in row]
        for several in (False, True):
            sizes = sorted({size for row in known if (len(row) > 1) is several for size in row if size})
            if sizes:
                self._laws[several], said = self._law(sizes, several)
                how.append(said)
        self.how = "; ".join([_WORDS, *dict.fromkeys(how)])

    def tokens(self, sizes: Sequence[Size | None]) -> int:
        """Tokens that a row's pictures add to its words; `UNKNOWN` where a size is not known. Raises RowRefused."""
        if not sizes:
            return self._none
        known = [size for size in sizes if size is not None]
        law = self._laws.get(len(sizes) > 1)
        return UNKNOWN if law is None or len(known) < len(sizes) else law.tokens(known)

    def _law(self, sizes: Sequence[Size], several: bool) -> tuple[_Law, str]:
        """What these sizes become, and how that was found out, in words."""
        arithmetic = self._arithmetic(sizes)
        made = self._fitted(arithmetic, several) if arithmetic else None
        if made is not None:
            for size in set(sizes) - set(arithmetic):
                self._try(made, size, several)
            return made, "pictures by the family's own arithmetic, checked on blank ones"
        if len(sizes) <= PROBES:
            return self._tried({size: size for size in sizes}, several), "pictures by trying a blank one of every size"
        tiles = self._tiles(sizes)
        if tiles and (made := self._tried(tiles, several)):
            if all(made.own.get(size) == self._tried({size: size}, several).own.get(size) for size in _spread(sizes)):
                return made, "pictures by trying a blank one for every number of tiles"
        like = _similar(sizes)
        return self._tried(like, several), (f"pictures by trying {len(set(like.values()))} blank ones, "
                                            f"{2 ** STEP - 1:.0%} larger or smaller at most, for {len(sizes):,} sizes")

    def _tried(self, like: Mapping[Size, Size], several: bool) -> _Law:
        """What sizes become, by trying for each the one that it is like."""
        made = _Law()
        for size, tried in like.items():
            if tried not in made.own and tried not in made.refused:
                self._try(made, tried, several)
            if tried in made.own:
                made.own[size] = made.own[tried]
            else:
                made.refused[size] = made.refused[tried]
        return made

    def _tiles(self, sizes: Sequence[Size]) -> dict[Size, Size]:
        """Size → the first that the image processor cuts into as many tiles, rows and columns; {} where it does not
        say."""
        count = getattr(getattr(self._processor, "image_processor", None), "get_number_of_image_patches", None)
        first: dict[object, Size] = {}
        try:
            return {size: first.setdefault(count(*size, {}), size) for size in sizes} if count else {}
        except _FAILS as error:
            log.debug("no number of tiles (%s)", error)
            return {}

    def _arithmetic(self, sizes: Sequence[Size]) -> dict[Size, int]:
        """Tokens of each size as the processor's own arithmetic has them; {} where it has none."""
        count = getattr(self._processor, "_get_num_multimodal_tokens", None)
        if count is None:
            return {}
        processor: Any = self._processor
        recorder, processor.tokenizer = processor.tokenizer, self._tokenizer  # that of the encoder takes batches only
        try:
            return dict(zip(sizes, count(image_sizes=[list(size) for size in sizes])["num_image_tokens"], strict=True))
        except _FAILS:
            found = {}
            for size in sizes:  # one that the processor refuses spoils it for the others
                try:
                    found[size] = int(count(image_sizes=[list(size)])["num_image_tokens"][0])
                except _FAILS as error:
                    log.debug("no arithmetic for %s (%s)", size, error)
            return found
        finally:
            processor.tokenizer = recorder

    def _fitted(self, arithmetic: Mapping[Size, int], several: bool) -> _Law | None:
        """The arithmetic with what the processor writes around pictures; None where it is not what the processor does
        at the sizes that are checked."""
        sizes = _spread(list(arithmetic))
        try:
            if not several:
                rests = {self._probe((size,)) - arithmetic[size] for size in sizes}
                return _Law(row=rests.pop(), own=dict(arithmetic)) if len(rests) == 1 else None
            two, three = (self._probe([sizes[0]] * n) - n * arithmetic[sizes[0]] for n in (2, 3))
            each, row = three - two, two - 2 * (three - two)
            made = _Law(row=row, own={size: tokens + each for size, tokens in arithmetic.items()})
            pairs = [(size, sizes[-1 - place]) for place, size in enumerate(sizes)]
            return made if all(self._probe(pair) == made.tokens(pair) for pair in pairs) else None
        except RowRefused as error:
            log.info("arithmetic of pictures could not be checked: %s", error)
            return None

    def _try(self, law: _Law, size: Size, several: bool) -> None:
        """Put one size into a law by trying a blank picture of it."""
        try:
            if several:
                two, three = self._probe([size] * 2), self._probe([size] * 3)
                law.own[size] = three - two
                law.row = law.row or two - 2 * (three - two)
            else:
                law.own[size] = self._probe((size,)) - law.row
        except RowRefused as error:
            law.refused[size] = error.detail

    def _probe(self, sizes: Sequence[Size]) -> int:
        """Tokens that blank pictures of these sizes add to the words of a row. Raises RowRefused."""
        from PIL import Image

        turns = (Turn(role="user", parts=(*range(len(sizes)), "what?")), Turn(role="assistant", parts=("this",)))
        sample = Sample(index=FileIndex(0), id="blank", turns=turns, images=tuple(map(str, range(len(sizes)))))
        pictures = [Image.new("RGB", (width, height), (200, 30, 30)) for height, width in sizes]
        words, = self._words([self._encoder.template.render(sample).text])
        return self._encoder.encode(sample, pictures).length - words


def _spread(sizes: Sequence[Size]) -> list[Size]:
    """A few of the sizes: from the smallest to the largest, with the flattest and the steepest."""
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    by_shape = sorted(sizes, key=lambda size: (size[0] / size[1], size))
    steps = max(1, CHECKED - 3)
    chosen = [by_area[place * (len(sizes) - 1) // steps] for place in range(steps + 1)]
    return list(dict.fromkeys([*chosen, by_shape[0], by_shape[-1]]))


def _similar(sizes: Sequence[Size]) -> dict[Size, Size]:
    """Size → the one of its class that is tried."""
    first: dict[tuple[int, int], Size] = {}
    return {size: first.setdefault((round(log2(size[0]) / STEP), round(log2(size[1]) / STEP)), size) for size in sizes}
