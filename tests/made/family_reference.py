"""The slow truth for any family: one sample at a time, float64, torch.autograd on peft's own parameters, the model's
uncut forward.

It shares nothing with the engine but the loaded model. The family's processor tokenises; answers are found by looking
for their tokens from the end backwards.
"""

import torch

END = "<end_of_utterance>"


class Reference:
    """A model of a family in float64 with an adapter."""

    def __init__(self, folder, *, flat: torch.Tensor, **lora) -> None:
        from cadc.models import add_lora, load_vlm

        self.vlm = load_vlm(str(folder), dtype="float64")
        layout = add_lora(self.vlm, **lora)
        self.parameters = []
        for name, a, b in ((m.name, *views) for m, views in zip(layout.matrices, layout.views(flat), strict=True)):
            module = self.vlm.model.get_submodule(name)
            for weight, value in ((module.lora_A["default"].weight, a), (module.lora_B["default"].weight, b)):
                weight.data = value.double().clone()
                self.parameters.append(weight)

    def gradient(self, sample, pictures) -> tuple[float, torch.Tensor]:
        """Loss and flat gradient [P] of one sample."""
        inputs = self.inputs(sample, pictures)
        labels = labels_of(self.vlm.tokenizer, inputs["input_ids"][0], answers_of(sample))
        logits = self.vlm.model(**inputs, use_cache=False).logits[0, :-1]  # its own loss would go through float32
        loss = torch.nn.functional.cross_entropy(logits, labels[1:])
        if not loss.requires_grad:  # words only, adapters where pictures go
            return loss.item(), torch.cat([torch.zeros_like(p).reshape(-1) for p in self.parameters])
        found = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        return loss.item(), torch.cat([(torch.zeros_like(p) if g is None else g).reshape(-1)
                                       for g, p in zip(found, self.parameters, strict=True)])

    def inputs(self, sample, pictures) -> dict[str, torch.Tensor]:
        """What the family's own processor makes of a sample."""
        processor, tokenizer = self.vlm.encoder._processor, self.vlm.tokenizer
        template = getattr(processor, "chat_template", None) or tokenizer.chat_template
        shown = [pictures[p] for turn in sample.turns for p in turn.parts if isinstance(p, int)]
        options = {"return_tensors": "pt", "add_special_tokens": False}
        if template is None:
            made = paligemma(processor, tokenizer, sample, shown, options)
        else:
            text = tokenizer.apply_chat_template(messages(sample, blocks=processor is not None), tokenize=False,
                                                 chat_template=template)
            made = processor(text=[text], images=[shown], **options) if shown else tokenizer([text], **options)
        return {k: v.double() if v.is_floating_point() else v for k, v in made.items() if k != "labels"}


def paligemma(processor, tokenizer, sample, shown, options):
    """Its processor takes the answer as `suffix`, or by hand the same without a picture."""
    question, *rest = ["".join(p for p in turn.parts if isinstance(p, str)) for turn in sample.turns]
    suffix = rest[0] + "".join(f"{END}{q}\n{a}" for q, a in zip(rest[1::2], rest[2::2], strict=True))
    if shown:
        return processor(text=["<image>" * len(shown) + question], images=[shown], suffix=[suffix], **options)
    head, tail = (tokenizer(t, **options)["input_ids"] for t in (f"{tokenizer.bos_token}{question}\n", suffix + END))
    ids = torch.cat([head, tail], 1)
    types = torch.cat([torch.zeros_like(head), torch.ones_like(tail)], 1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": types}


def messages(sample, blocks: bool) -> list[dict]:
    """A conversation as chat templates take it."""
    if not blocks:
        return [{"role": turn.role, "content": "".join(turn.parts)} for turn in sample.turns]
    return [{"role": turn.role, "content": [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"}
                                            for p in turn.parts]} for turn in sample.turns]


def answers_of(sample) -> list[str]:
    """Texts of the answers."""
    return [turn.parts[0] for turn in sample.turns if turn.role == "assistant"]


def labels_of(tokenizer, ids: torch.Tensor, answers: list[str]) -> torch.Tensor:
    """-100 everywhere but on answers and their end-of-turn token."""
    labels, at = torch.full_like(ids, -100), len(ids)
    for answer in reversed(answers):
        piece = tokenizer(answer + END, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
        while not torch.equal(ids[at - len(piece):at], piece):
            at -= 1
        labels[at - len(piece):at] = piece
        at -= len(piece)
    return labels
