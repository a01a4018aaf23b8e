"""Render a sample with the model's own chat template and find where its answers lie in the text.

Works for every template without knowing it: the conversation is rendered a second time with a marker in place of each
answer; what stands between the markers is the template's own text, so each answer's place in the real rendering
follows, and the real rendering must equal the marked one with the answers put back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cadc.data.sample import Sample, Turn
from cadc.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] }}{{ eos_token }}"
    "{% else %}{{ m['content'] }}\n{% endif %}{% endfor %}"
)
"""For models that ship without a chat template (PaliGemma, base language models): question, line break, answer, end."""

_MARK = "QZXanswer{}ZXQ"


@dataclass(frozen=True)
class Rendered:
    """A conversation as text."""

    text: str
    answers: tuple[tuple[int, int], ...]
    """Character spans [start, end) of the answers that are learnt, each with the end-of-turn token the template writes
    after it."""
    pictures: tuple[int, ...]
    """Positions in `Sample.images`, in the order in which the text shows them."""
    first_answer: int
    """Where the first answer begins, or the text's length: what stands before it is question only."""


class ChatTemplate:
    """The chat template of one model.

    `pictures_first`: without a template, all pictures of a conversation stand before its words (PaliGemma).
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", template: str | None, image_token: str | None, *,
                 pictures_first: bool = False) -> None:
        self.plain = template is None
        self._pictures_first = pictures_first and self.plain
        self.image_token = image_token
        self._tokenizer = tokenizer
        self._template = template or PLAIN_TEMPLATE
        special = {str(t) for t in tokenizer.all_special_tokens}
        special |= {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
        special -= {image_token, ""}
        choices = "|".join(re.escape(t) for t in sorted(special, key=len, reverse=True))
        self._end_of_turn = re.compile(rf"\s*(?:{choices})") if choices else re.compile(r"(?!)")
        self._blocks = not self.plain and self._takes_blocks()

    def render(self, sample: Sample) -> Rendered:
        """Text of the whole conversation and where its answers are. Raises DataError when they cannot be told apart."""
        answers = [self._answer(sample, turn) for turn in sample.turns if turn.role == "assistant"]
        if not answers:
            raise DataError(f"sample {sample.id}: no assistant turn, so there is nothing to learn from. Add an answer.")
        text = self._text(sample, answers)
        marks = [_MARK.format(i) for i in range(len(answers))]
        pieces = _split(self._text(sample, marks), marks)
        bare = [answer.strip() for answer in answers]
        spans = pieces and (self._spans(text, pieces, answers) or self._spans(text, pieces, bare))
        if not spans:
            raise DataError(f"sample {sample.id}: the model's chat template changes the answer text, so that its "
                            "tokens cannot be told from the prompt. Use another chat template.")
        learnt = [turn.learnt for turn in sample.turns if turn.role == "assistant"]
        return Rendered(text, tuple(span for span, mark in zip(spans, learnt, strict=True) if mark),
                        self._pictures(sample, text), spans[0][0])

    def prompt(self, sample: Sample) -> Rendered:
        """Everything before the last answer, ready for generation."""
        last = max((i for i, turn in enumerate(sample.turns) if turn.role == "assistant"), default=len(sample.turns))
        turns = sample.turns[:last]
        text = self._open(sample, turns)
        first = next((i for i, turn in enumerate(turns) if turn.role == "assistant"), len(turns))
        before = len(self._front(turns)) + len(self._open(sample, turns[:first]))
        pictures = tuple(p for turn in turns for p in turn.parts if isinstance(p, int))
        return Rendered(self._front(turns) + text, (), pictures, before)

    def _open(self, sample: Sample, turns: Sequence[Turn]) -> str:
        """Turns as text that asks for an answer."""
        return self._apply([self._message(turn.role, list(turn.parts)) for turn in turns], sample.id,
                           add_generation_prompt=True)

    def _front(self, turns: Sequence[Turn]) -> str:
        """The picture tokens that stand before all words."""
        shown = sum(isinstance(part, int) for turn in turns for part in turn.parts)
        return (self.image_token or "") * shown if self._pictures_first else ""

    def _answer(self, sample: Sample, turn: Turn) -> str:
        if any(isinstance(part, int) for part in turn.parts):
            raise DataError(f"sample {sample.id}: an answer holds a picture; only text can be learnt from. Move it to "
                            "a user turn.")
        return "".join(part for part in turn.parts if isinstance(part, str))

    def _text(self, sample: Sample, answers: list[str]) -> str:
        left = iter(answers)
        messages = [self._message(turn.role, [next(left)] if turn.role == "assistant" else list(turn.parts))
                    for turn in sample.turns]
        return self._front(sample.turns) + self._apply(messages, sample.id)

    def _message(self, role: str, parts: list[str | int]) -> dict[str, Any]:
        if self._blocks:
            return {"role": role, "content": [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"}
                                              for p in parts]}
        picture = "" if self._pictures_first else self.image_token or ""
        return {"role": role, "content": "".join(p if isinstance(p, str) else picture for p in parts)}

    def _apply(self, messages: list[dict[str, Any]], name: str, add_generation_prompt: bool = False) -> str:
        from jinja2 import TemplateError

        try:
            return cast(str, self._tokenizer.apply_chat_template(
                messages, chat_template=self._template, tokenize=False, add_generation_prompt=add_generation_prompt))
        except (TemplateError, TypeError, ValueError) as error:
            raise DataError(f"sample {name}: the model's chat template refuses this conversation ({error}). Check the "
                            "order of its turns.") from error

    def _takes_blocks(self) -> bool:
        """Whether the template reads content as a list of blocks (most VLMs) or as one string."""
        word = "QZXprobeZXQ"
        try:
            text = self._apply([{"role": "user", "content": [{"type": "text", "text": word}]}], "probe")
        except DataError:
            return False
        return word in text and "'type'" not in text and '"type"' not in text

    def _spans(self, text: str, pieces: list[str], answers: list[str]) -> list[tuple[int, int]]:
        """Spans of the answers, or [] when text is not `pieces` with the answers between them."""
        whole = pieces[0] + "".join(a + piece for a, piece in zip(answers, pieces[1:], strict=True))
        if whole != text:
            return []
        after = self._end_of_turn.match(pieces[-1])
        ending = after.group(0) if after else ""
        spans, at = [], len(pieces[0])
        for answer, piece in zip(answers, pieces[1:], strict=True):
            end = at + len(answer) + (len(ending) if ending and piece.startswith(ending) else 0)
            spans.append((at, end))
            at += len(answer) + len(piece)
        return spans

    def _pictures(self, sample: Sample, text: str) -> tuple[int, ...]:
        order = tuple(p for turn in sample.turns for p in turn.parts if isinstance(p, int))
        if any(not 0 <= p < len(sample.images) for p in order):
            raise DataError(f"sample {sample.id}: a turn shows a picture that the sample does not list. Fix its "
                            "images.")
        if order and not self.image_token:
            raise DataError(f"sample {sample.id}: it has pictures, but the model reads text only. Choose a "
                            "vision-language model.")
        shown = text.count(self.image_token) if self.image_token else 0
        if shown != len(order):
            raise DataError(f"sample {sample.id}: its text shows {shown} picture places for {len(order)} pictures. "
                            f"Take the literal {self.image_token} out of the text.")
        return order


def _split(text: str, marks: list[str]) -> list[str]:
    """Cut `text` at each mark in turn; [] unless every mark stands in it exactly once and in order."""
    pieces, rest = [], text
    for mark in marks:
        if text.count(mark) != 1 or mark not in rest:
            return []
        piece, rest = rest.split(mark, 1)
        pieces.append(piece)
    return [*pieces, rest]
