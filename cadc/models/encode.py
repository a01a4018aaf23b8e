"""Samples → tokens, pixels and answer masks, one sample at a time; then batches of them.

Shape letters: B samples in a batch, L tokens.
"""

import inspect
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from cadc.data.reasons import PROCESSOR, TOO_LONG
from cadc.data.sample import Sample
from cadc.errors import DataError, ModelError, RowRefused
from cadc.models.refusal import unsupported
from cadc.models.template import ChatTemplate, Rendered

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import BatchEncoding, BatchFeature, PreTrainedTokenizerBase, ProcessorMixin


@dataclass(frozen=True)
class Encoded:
    """One sample, ready for `collate`."""

    inputs: dict[str, torch.Tensor]
    """The processor's own output. `input_ids` and the like: [L]; pictures as the family shapes them."""
    answer: torch.Tensor
    """bool [L]: tokens of the answers with their end-of-turn tokens; no prompt, picture or padding token."""
    id: str = ""

    @property
    def length(self) -> int:
        """L, pictures included."""
        return int(self.inputs["input_ids"].shape[0])

    @property
    def tokens(self) -> int:
        """Number of answer tokens."""
        return int(self.answer.sum())


@dataclass(frozen=True)
class Batch:
    """Several samples, right-padded (left-padded for generation)."""

    inputs: dict[str, torch.Tensor]
    """What the model's forward takes."""
    answer: torch.Tensor
    """bool [B, L]."""
    units: tuple[int, ...] = ()
    """Per sample: how many tiles, pictures or patches (whatever the family lists) it brings to the vision tower."""

    def __len__(self) -> int:
        return int(self.answer.shape[0])

    def until(self, end: int) -> "Batch":
        """The first `end` positions; pictures stay."""
        inputs = {key: value[:, :end] if value.shape == self.answer.shape and not value.is_floating_point() else value
                  for key, value in self.inputs.items()}
        return Batch(inputs, self.answer[:, :end], self.units)

    def to(self, device: str, dtype: torch.dtype) -> "Batch":
        """On a device, floating inputs in `dtype`."""
        moved = {key: value.to(device, dtype if value.is_floating_point() else None)
                 for key, value in self.inputs.items()}
        return Batch(moved, self.answer.to(device), self.units)


class _Recorder(threading.local):
    """Stands in for a processor's tokenizer and keeps the text it is called with and each token's place in it.

    Several threads encode at once: each sees its own text and offsets, and they take turns at the tokenizer, which
    refuses to be used while another thread changes its settings.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", turn: threading.Lock) -> None:
        self._tokenizer, self._turn = tokenizer, turn
        self.text = ""
        self.offsets: list[tuple[int, int]] = []
        self.second: list[int] = []
        """1 for tokens of the second of two texts, else 0."""

    def __call__(self, text: str | list[str], text_pair: str | list[str] | None = None, **options: Any
                 ) -> "BatchEncoding":
        with self._turn:
            output = self._tokenizer(text, text_pair, **options, return_offsets_mapping=True)
        offsets = output.pop("offset_mapping")[0]
        first, second = (t if isinstance(t, str) else t[0] for t in (text, text_pair or ""))
        self.text = first + second
        self.second = [int(number == 1) for number in output.sequence_ids(0)]
        self.offsets = [(int(a) + part * len(first), int(b) + part * len(first))
                        for (a, b), part in zip(offsets, self.second, strict=True)]
        return output

    def drop_last(self) -> None:
        """Forget the last token and its text."""
        self.text = self.text[: self.offsets.pop()[0]]
        self.second.pop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __len__(self) -> int:
        return len(self._tokenizer)


class Encoder:
    """Turns samples into `Encoded`; knows how the family shapes its pictures."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", processor: "ProcessorMixin | None",
                 image_token: str | None, max_tokens: int) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError("the model's tokenizer cannot say where its tokens lie in the text. Use a model with a "
                             "fast tokenizer (tokenizer.json).")
        source = getattr(processor, "chat_template", None) or tokenizer.chat_template
        self._prefix_lm = processor is not None and "suffix" in inspect.signature(processor.__call__).parameters
        self.template = ChatTemplate(tokenizer, source, image_token, pictures_first=self._prefix_lm)
        self.max_tokens = max_tokens
        self._recorder = _Recorder(tokenizer, threading.Lock())
        self._bos, self._eos = tokenizer.bos_token, tokenizer.eos_token or ""
        self._processor = processor
        if processor is not None:
            processor.tokenizer = self._recorder
        self._stacked = _stacked_pictures(processor, image_token) if processor is not None else False
        self.picture_id = tokenizer.convert_tokens_to_ids(image_token) if image_token is not None else None
        """Of the token that stands for a picture."""
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0

    def encode(self, sample: Sample, images: "Sequence[Image]") -> Encoded:
        """Tokens, pixels and answer mask of a sample; `images` are the opened `Sample.images`. Raises DataError."""
        rendered = self.template.render(sample)
        inputs, length = self._run(sample, rendered, images)
        answer = torch.zeros(length, dtype=torch.bool)
        for start, end in _moved(rendered, self._recorder.text, self.template.image_token):
            for position, (a, b) in enumerate(self._recorder.offsets):
                if a < end and b > start and b > a:
                    answer[position] = True
        answer[0] = False  # nothing predicts the first token
        if not answer.any():
            raise DataError(f"sample {sample.id}: its answer has no tokens. Give it an answer.")
        return Encoded(inputs, answer, sample.id)

    def encode_prompt(self, sample: Sample, images: "Sequence[Image]") -> Encoded:
        """Tokens and pixels of everything before the last answer, for generation."""
        inputs, length = self._run(sample, self.template.prompt(sample), images)
        return Encoded(inputs, torch.zeros(length, dtype=torch.bool), sample.id)

    def _run(self, sample: Sample, rendered: Rendered, images: "Sequence[Image]"
             ) -> tuple[dict[str, torch.Tensor], int]:
        pictures = [images[p] for p in rendered.pictures]
        output: Mapping[str, Any]
        try:
            if self._prefix_lm:
                output = self._run_prefix_lm(rendered, pictures)
            else:
                special = not (self._bos and rendered.text.startswith(self._bos))
                output = self._call(rendered.text, pictures, add_special_tokens=special)
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            raise RowRefused(PROCESSOR, f"{str(error).rstrip('.')}. Check its pictures.") from error
        length = int(output["input_ids"].shape[1])
        if length != len(self._recorder.offsets):
            raise unsupported("the model's processor changes the tokens after its tokenizer, so that answers cannot be "
                              "found")
        if length > self.max_tokens:
            raise RowRefused(TOO_LONG, f"{length} tokens, at most max_tokens={self.max_tokens}")
        inputs = {key: value[0] if value.shape[:2] == (1, length) else value
                  for key, value in output.items() if isinstance(value, torch.Tensor) and key != "labels"}
        return inputs, length

    def _call(self, text: str, pictures: "list[Image]", **options: Any) -> "BatchEncoding | BatchFeature":
        """The processor, or its tokenizer where there are no pictures: some processors refuse text on its own."""
        if self._processor is None or not pictures:
            return self._recorder([text], **options, return_tensors="pt")
        return self._processor(text=[text], images=[pictures], return_tensors="pt", **options)

    def _run_prefix_lm(self, rendered: Rendered, pictures: "list[Image]") -> dict[str, torch.Tensor]:
        """For a model that reads its prompt in both directions and its answer as usual (PaliGemma): its processor is
        told where the one ends and the other begins, and writes its own marks around them.

        Prompt is what stands before the first answer, type 0; the rest of a conversation is type 1 and sees the past
        only, so that no answer sees what follows it.
        """
        head, tail = rendered.text[:rendered.first_answer], rendered.text[rendered.first_answer:]
        added = bool(tail) and not tail.endswith(self._eos)  # the processor ends every answer, also an unfinished one
        body = tail.removesuffix(self._eos)
        options: dict[str, Any] = {"add_special_tokens": False}
        if pictures:
            options |= {"suffix": [body]} if tail else {}
            output = self._call(head.removesuffix("\n"), pictures, **options)
        else:
            options |= {"text_pair": [body + self._eos]} if tail else {}
            output = self._call((self._bos or "") + head, [], **options)
        inputs = {key: value for key, value in output.items() if isinstance(value, torch.Tensor)}
        inputs["token_type_ids"] = torch.tensor([self._recorder.second])
        if added:
            length = len(self._recorder.offsets)
            self._recorder.drop_last()
            inputs = {key: value[:, :-1] if value.shape == (1, length) else value for key, value in inputs.items()}
        return inputs

    def collate(self, batch: Sequence[Encoded], *, left: bool = False) -> Batch:
        """Pad and join. Sequence inputs become [B, L]; pictures follow the family: stacked per sample or one flat list.

        Text-only samples mix with any others: they bring no pictures, or an all-zero row that the model drops.
        """
        length = max(e.length for e in batch)
        inputs: dict[str, torch.Tensor] = {}
        for key in dict.fromkeys(key for e in batch for key in e.inputs):
            present = next(e for e in batch if key in e.inputs)
            if present.inputs[key].shape[:1] == (present.length,) and present.inputs[key].dim() == 1:
                rows = [e.inputs.get(key, torch.zeros(e.length, dtype=present.inputs[key].dtype)) for e in batch]
                fill = self._pad if key == "input_ids" else 0
                inputs[key] = torch.stack([_pad_row(row, length, fill, left) for row in rows])
            else:
                values = [e.inputs.get(key) for e in batch]
                inputs[key] = _stack(values) if self._stacked else _concatenate(values)
        answer = torch.stack([_pad_row(e.answer, length, False, left) for e in batch])
        return Batch(inputs, answer, tuple(_units(e.inputs.get("pixel_values")) for e in batch))


def _moved(rendered: Rendered, expanded: str, image_token: str | None) -> list[tuple[int, int]]:
    """Answer spans in the text after the processor has written out its picture tokens.

    Text between two picture places is left as it is, so each piece is looked for after the one before it.
    """
    if not rendered.pictures or not image_token:
        pieces = [rendered.text]
    else:
        pieces = rendered.text.split(image_token)
    shifts, old, new = [], 0, 0
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        found = len(expanded) - len(piece) if last and number else expanded.find(piece, new)
        if found < new or not expanded.startswith(piece, found):
            raise unsupported("the model's processor rewrites the text around pictures, so that answers cannot be "
                              "found")
        shifts.append((old, old + len(piece), found - old))
        old += len(piece) + len(image_token or "")
        new = found + len(piece)
    spans = []
    for start, end in rendered.answers:
        shift = next(s for a, b, s in shifts if a <= start and end <= b)
        spans.append((start + shift, end + shift))
    return spans


def _units(pixels: torch.Tensor | None) -> int:
    """Entries of a sample's pixels that reach the vision tower: tiles [n, m, 3, H, W] but for all-zero padding, which
    models drop; else the first dimension (pictures or tiles [n, 3, H, W], patches [n, d])."""
    if pixels is None:
        return 0
    return int(pixels.flatten(2).any(-1).sum()) if pixels.dim() == 5 else pixels.shape[0]


def _pad_row(row: torch.Tensor, length: int, fill: int | bool, left: bool) -> torch.Tensor:
    missing = length - row.shape[0]
    return torch.nn.functional.pad(row, (missing, 0) if left else (0, missing), value=fill)


def _grow(value: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Zero-pad at the end of every dimension."""
    pads = [p for have, want in zip(reversed(value.shape), reversed(shape), strict=True) for p in (0, want - have)]
    return torch.nn.functional.pad(value, pads) if any(pads) else value


def _stack(values: list[torch.Tensor | None]) -> torch.Tensor:
    """[1, n, …] per sample → [B, max n, …]; a sample without pictures becomes zeros, which the model drops."""
    known = [v for v in values if v is not None]
    shape = [max(v.shape[d] for v in known) for d in range(known[0].dim())]
    empty = known[0].new_zeros([1, *[1] * (known[0].dim() - 1)])
    return torch.cat([_grow(empty if v is None else v, shape) for v in values])


def _concatenate(values: list[torch.Tensor | None]) -> torch.Tensor:
    """[n, …] per sample → [Σ n, …]."""
    known = [v for v in values if v is not None]
    shape = [max(v.shape[d] for v in known) for d in range(1, known[0].dim())]
    return torch.cat([_grow(v, [v.shape[0], *shape]) for v in known])


def _stacked_pictures(processor: "ProcessorMixin", image_token: str | None) -> bool:
    """Whether the family keeps pictures per sample ([1, n, …], Idefics3) or as one flat list ([Σ n, …]); found by
    trying."""
    from PIL import Image

    if not image_token:
        return False
    picture = Image.new("RGB", (64, 64), (200, 30, 30))
    try:
        output = processor(text=[f"{image_token}{image_token}"], images=[[picture, picture]], return_tensors="pt")
    except (ValueError, TypeError, IndexError):
        return False
    pixels = output.get("pixel_values")
    return pixels is not None and pixels.dim() == 5 and pixels.shape[0] == 1
