"""The slow truth: one sample at a time, float64, torch.autograd on peft's own parameters, the model's uncut forward.

It shares nothing with the engine but the loaded model: samples are tokenised by the processor alone, and answers are
found by comparing the conversation with the same one cut before each answer.
"""

import numpy as np
import torch
from PIL import Image

from cadc.training.loop import EPSILON


def labels_of(tokenizer, text: str, ids: torch.Tensor, answers: list[str], ending: str) -> torch.Tensor:
    """-100 everywhere but on answers and their end-of-turn token, found from the end of the sequence backwards."""
    labels = torch.full_like(ids, -100)
    at = len(ids)
    for answer in reversed(answers):
        piece = tokenizer(answer + ending, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
        while not torch.equal(ids[at - len(piece):at], piece):
            at -= 1
        labels[at - len(piece):at] = piece
        at -= len(piece)
    return labels


class Reference:
    """Gradients of single samples of a study, at given checkpoints."""

    def __init__(self, study) -> None:
        from safetensors.torch import load_file

        from cadc.models import add_lora, load_vlm
        from cadc.training.warmup import checkpoint_file

        config = study.config
        self.study = study
        self.vlm = load_vlm(config.model, dtype="float64")
        add_lora(self.vlm, rank=config.lora_rank, alpha=config.lora_alpha, layers=config.lora_layers, seed=1)
        self.states = [load_file(checkpoint_file(study, t + 1)) for t in range(config.checkpoints)]
        names = self.vlm.lora.names
        modules = [self.vlm.model.get_submodule(name) for name in names]
        self.parameters = [(f"{n}.{letter}", m[0].weight) for n, module in zip(names, modules, strict=True)
                           for letter, m in (("A", list(module.lora_A.values())), ("B", list(module.lora_B.values())))]

    def moment(self, t: int, letter: str) -> np.ndarray:
        """Flat moment of a checkpoint."""
        parts = [self.states[t][f"{name}.{letter}"].reshape(-1).double() for name, _ in self.parameters]
        return torch.cat(parts).numpy()

    def gradient(self, sample, t: int, pictures_of=None) -> tuple[float, np.ndarray]:
        """Loss and flat gradient [P] of one sample."""
        for name, parameter in self.parameters:
            parameter.data = self.states[t][name].double()
        inputs, labels = self._inputs(sample, pictures_of or sample)
        logits = self.vlm.model(**inputs).logits[0, :-1]  # its own loss would go through float32
        loss = torch.nn.functional.cross_entropy(logits, labels[1:])
        found = torch.autograd.grad(loss, [p for _, p in self.parameters], allow_unused=True)
        flat = [torch.zeros_like(p) if g is None else g for g, (_, p) in zip(found, self.parameters, strict=True)]
        return loss.item(), torch.cat([g.reshape(-1) for g in flat]).numpy()

    def _inputs(self, sample, donor):
        processor = self.vlm.encoder._processor
        messages = [{"role": turn.role, "content": [{"type": "text", "text": p} if isinstance(p, str) else
                                                    {"type": "image"} for p in turn.parts]} for turn in sample.turns]
        text = processor.apply_chat_template(messages, tokenize=False)
        root = self.study.image_root("pool")
        pictures = [Image.open(root / donor.images[p]).convert("RGB")
                    for turn in sample.turns for p in turn.parts if isinstance(p, int)]
        inputs = processor(text=text, images=[pictures] if pictures else None, return_tensors="pt",
                           add_special_tokens=False)
        inputs = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
        answers = [turn.parts[0] for turn in sample.turns if turn.role == "assistant"]
        return inputs, labels_of(self.vlm.tokenizer, text, inputs["input_ids"][0], answers, "<end_of_utterance>")


def slow_feature(reference, kind: str, t: int, gradient: np.ndarray) -> np.ndarray:
    """Γ by the formula of METHOD §2."""
    if kind == "sgd":
        return gradient
    m, v = reference.moment(t, "m"), reference.moment(t, "v")
    steps = STEPS[t]
    if kind == "adam":
        return gradient / (np.sqrt(v / (1 - 0.999 ** steps)) + EPSILON)
    m = (0.9 * m + 0.1 * gradient) / (1 - 0.9 ** (steps + 1))
    v = (0.999 * v + 0.001 * gradient**2) / (1 - 0.999 ** (steps + 1))
    return m / (np.sqrt(v) + EPSILON)


STEPS = (2, 4)
"""Updates behind each checkpoint of the tiny study."""
