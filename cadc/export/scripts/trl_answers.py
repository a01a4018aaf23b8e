"""Pictures and labels of a batch, for the TRL run of this folder (train.py). Written by CADC Studio.

TRL's own collator labels a whole `completion`: with several turns the later questions and their pictures, too. This one
labels exactly the answers that are to be learnt from, each with its end-of-turn token, whatever the chat template is.
"""

import re
from io import BytesIO

import torch
from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = None  # the study had a limit of its own: Pillow would refuse pictures above 179 million pixels
MARK = "QZXanswer{}ZXQ"
PLAIN = ("{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] }}{{ eos_token }}"
         "{% else %}{{ m['content'] }}\n{% endif %}{% endfor %}")  # for models that have no template


def picture(given: object) -> Image.Image:
    """Upright, RGB, transparent parts on white: as the study saw it."""
    if isinstance(given, dict):
        given = BytesIO(given["bytes"])
    image = ImageOps.exif_transpose(given if isinstance(given, Image.Image) else Image.open(given))
    if "A" in image.getbands() or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("RGB")


class Recorder:
    """Stands in for the processor's tokenizer and remembers its text and where each token lies in it."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer

    def __call__(self, text, *more, **options):
        found = self.tokenizer(text, *more, **options, return_offsets_mapping=True)
        self.texts = [text] if isinstance(text, str) else list(text)
        self.offsets = torch.as_tensor(found.pop("offset_mapping"))  # [rows, tokens, 2]
        return found

    def __getattr__(self, name: str):
        return getattr(self.tokenizer, name)

    def __len__(self) -> int:
        return len(self.tokenizer)


class Answers:
    """Collates rows. The conversation is rendered a second time with a mark in place of each answer; what stands
    between the marks is the template's own text, so each answer's place in the real one follows."""

    def __init__(self, processor) -> None:
        tokenizer = getattr(processor, "tokenizer", processor)
        self.sees = tokenizer is not processor
        self.tokens, self.image = Recorder(tokenizer), getattr(processor, "image_token", None)
        self.processor = processor
        if self.sees:
            processor.tokenizer = self.tokens
        tokenizer.padding_side = "right"
        self.template = getattr(processor, "chat_template", None) or tokenizer.chat_template or PLAIN
        special = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
        special = sorted({*special, *tokenizer.all_special_tokens} - {self.image, ""}, key=len, reverse=True)
        self.end = re.compile(r"\s*(?:" + "|".join(map(re.escape, special)) + ")") if special else re.compile("(?!)")
        probe = self.text([{"role": "user", "content": [{"type": "text", "text": "QZX"}]}], blocks=True)
        self.blocks = "QZX" in probe and "'type'" not in probe

    def text(self, messages: list[dict], blocks: bool | None = None) -> str:
        """The conversation as text, by the model's own template."""
        if not (self.blocks if blocks is None else blocks):
            messages = [{"role": m["role"], "content": "".join(
                part["text"] if part["type"] == "text" else self.image for part in m["content"])} for m in messages]
        return self.tokens.apply_chat_template(messages, chat_template=self.template, tokenize=False)

    def spans(self, messages: list[dict], text: str) -> list[tuple[int, int]]:
        """Where in the text the answers lie that are to be learnt from."""
        turns = [n for n, m in enumerate(messages) if m["role"] == "assistant"]
        marks = {n: MARK.format(n) for n in turns}
        marked = self.text([m | {"content": [{"type": "text", "text": marks[n]}]} if n in marks else m
                            for n, m in enumerate(messages)])
        pieces = re.split("|".join(marks.values()), marked)
        answers = ["".join(part["text"] for part in messages[n]["content"]) for n in turns]
        for said in (answers, [answer.strip() for answer in answers]):  # some templates strip
            if pieces[0] + "".join(a + p for a, p in zip(said, pieces[1:], strict=True)) == text:
                break
        else:
            raise ValueError(f"the chat template changes this answer, so it cannot be found: {answers[-1][:80]!r}")
        ending, found, at = self.end.match(pieces[-1]), [], len(pieces[0])
        end = ending.group(0) if ending else ""
        for n, answer, piece in zip(turns, said, pieces[1:], strict=True):
            if messages[n].get("weight") != 0:
                found.append((at, at + len(answer) + (len(end) if end and piece.startswith(end) else 0)))
            at += len(answer) + len(piece)
        return found

    def shifted(self, text: str, written: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The same places in what the processor made of the text: it writes out each picture's tokens."""
        pieces, found, old, new = text.split(self.image) if self.image else [text], [], 0, 0
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            start = len(written) - len(piece) if last else written.find(piece, new)
            if start < new or not written.startswith(piece, start):
                raise ValueError(f"the processor rewrites the text around pictures: {text[:80]!r}")
            found += [(a + start - old, b + start - old) for a, b in spans if old <= a and b <= old + len(piece)]
            old, new = old + len(piece) + len(self.image or ""), start + len(piece)
        return found

    def __call__(self, examples: list[dict]) -> dict[str, torch.Tensor]:
        talks = [[{"role": m["role"], "weight": m.get("weight"),
                   "content": [{k: v for k, v in part.items() if v is not None} for part in m["content"]]}
                  for m in example["prompt"] + example["completion"]] for example in examples]
        texts = [self.text(talk) for talk in talks]
        shown = [[picture(one) for one in example.get("images") or []] for example in examples]
        begins = bool(self.tokens.bos_token) and texts[0].startswith(self.tokens.bos_token)
        options = {"padding": True, "return_tensors": "pt", "add_special_tokens": not begins}
        if self.sees:
            batch = self.processor(text=texts, images=shown if any(shown) else None, **options)
        else:
            batch = self.tokens(texts, **options)
        labels = torch.full_like(batch["input_ids"], -100)
        for row, (talk, text) in enumerate(zip(talks, texts, strict=True)):
            begin, end = self.tokens.offsets[row].unbind(-1)
            for a, b in self.shifted(text, self.tokens.texts[row], self.spans(talk, text)):
                place = (begin < b) & (end > a) & (end > begin)
                labels[row, place] = batch["input_ids"][row, place]
        labels[:, 0] = -100
        return dict(batch) | {"labels": labels}
