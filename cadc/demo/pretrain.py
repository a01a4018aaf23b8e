"""Pre-train the shipped model: ``python -m cadc.demo.pretrain --out FOLDER`` (one free core, about 20 minutes).

Two parts (docs/demo.md). *eye*: vision tower and connector learn to tell every attribute of every picture,
against fixed random heads that are dropped afterwards. *tongue*: with the eye frozen, the language model
learns captions and the four answer formats, on the pictures that it is meant to know; of the others it only
hears what kind they are and their colours.
"""

import argparse
import json
import logging
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.demo import codes, model, scenes, talk
from cadc.demo.plain import DRAW, KNOWN
from cadc.study import write_tensors

if TYPE_CHECKING:
    import torch
    from transformers import Idefics3ForConditionalGeneration as Net
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)

# Families that the tower learns last are drawn more often.
HARD = {"table": 4.0, "sequence": 4.0, "label": 1.5, "total": 1.5, "twins": 1.5, "scatter": 1.0, "fence": 1.0}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What pre-training does; the defaults made the shipped model."""

    seed: int = 7
    """Seeds pictures, talk and the initial weights."""
    eye_steps: int = 7200
    """Steps of the vision part."""
    tongue_steps: int = 5600
    """Steps of the language part."""
    drill_steps: int = 600
    """The first of them: short lines of text only."""
    batch: int = 64
    """Pictures a step."""
    rate: float = 1e-3
    """Peak learning rate: warm-up over 100 steps, then cosine to a twentieth."""
    tongue_batch: int = 32
    """Lines a step of the language part."""
    scenes: int = 12000
    """Pictures whose eye output is kept for the language part."""


def schedule(step: int, steps: int, rate: float) -> float:
    """Learning rate at a step."""
    return rate * min(1.0, (step + 1) / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def pixels(drawn: list[scenes.Scene]) -> "torch.Tensor":
    """float32 [N, 3, 64, 64] in [-1, 1], as the processor gives them."""
    import torch

    array = np.stack([np.asarray(s.picture) for s in drawn])
    return torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1


def look(net: "Net", images: "torch.Tensor") -> "torch.Tensor":
    """Connector output: float32 [N, 16, 128]."""
    return net.model.connector(net.model.vision_model(pixel_values=images).last_hidden_state)


def train_eye(net: "Net", recipe: Recipe) -> None:
    """Fit the connector's output to the planned sums of attribute vectors."""
    import torch

    rng = random.Random(recipe.seed)
    families, shares = list(DRAW.values()), [HARD.get(name, 0.7) for name in DRAW]
    parts = [*net.model.vision_model.parameters(), *net.model.connector.parameters()]
    optimizer = torch.optim.AdamW(parts, lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98))
    start, lens = time.time(), torch.from_numpy(codes.weights())
    for step in range(recipe.eye_steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule(step, recipe.eye_steps, recipe.rate)
        drawn = [draw(rng) for draw in rng.choices(families, shares, k=recipe.batch)]
        goal = torch.from_numpy(np.stack([codes.planned(s.marks) for s in drawn]))
        # Most cells are empty: without the weight the tower first learns to say nothing.
        weight = torch.where(goal.abs().sum(-1) > 0, 4.0, 1.0)
        loss = (((look(net, pixels(drawn)) - goal) @ lens).pow(2).sum(-1) * weight).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts, 1.0)
        optimizer.step()
        if step % 100 == 99:
            log.info("eye %d loss %.3f %.0f s", step + 1, loss.item(), time.time() - start)
        if step % 800 == 799:
            log.info("eye %d %s", step + 1, json.dumps(eye_accuracy(net, seed=step)))


def eye_accuracy(net: "Net", *, seed: int, per_family: int = 60) -> dict[str, float]:
    """How often the nearest vector of a head is the right one, at marked cells: "family.head" -> share."""
    import torch

    rng, book = random.Random(f"eye{seed}"), codes.codebook()
    hits: dict[str, list[bool]] = {}
    for family, draw in DRAW.items():
        drawn = [draw(rng) for _ in range(per_family)]
        with torch.no_grad():
            seen = look(net, pixels(drawn)).numpy()
        for scene, cells in zip(drawn, seen, strict=True):
            for mark in scene.marks:
                values = [v for h, v in book if h == mark.head]
                if len(values) > 1:
                    scores = [float(cells[mark.cell] @ book[mark.head, v]) for v in values]
                    best = values[int(np.argmax(scores))]
                    hits.setdefault(f"{family}.{mark.head}", []).append(best == mark.value)
    return {name: round(float(np.mean(h)), 2) for name, h in hits.items()}


def save(net: "Net", folder: Path) -> None:
    """Weights as a checkpoint that a later part can start from."""
    write_tensors(folder / "part.safetensors", {k: v for k, v in net.state_dict().items() if k != "lm_head.weight"}, {})


def load(net: "Net", folder: Path) -> None:
    """Take up a checkpoint."""
    from safetensors.torch import load_file

    net.load_state_dict(load_file(folder / "part.safetensors"), strict=False)
    net.tie_weights()


# ---- tongue ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Line:
    """A tokenised turn: ids, where the answer starts, its picture's row in the kept eye output (-1: none)."""

    ids: tuple[int, ...]
    answer: int
    picture: int


def tokenised(turn: talk.Turn, picture: int, tokenizer: "PreTrainedTokenizerFast") -> Line:
    """The chat template's text with the picture's tokens unfolded, as the processor would do."""
    fold = model.FENCE + model.GLOBAL + model.IMAGE * model.IMAGE_TOKENS + model.FENCE if picture >= 0 else " "
    head = f"{model.START}User:{fold}{turn.question}{model.END}\nAssistant:"
    left = tokenizer(head, add_special_tokens=False)["input_ids"]
    right = tokenizer(f" {turn.answer}{model.END}\n", add_special_tokens=False)["input_ids"]
    return Line(ids=(*left, *right), answer=len(left), picture=picture)


def kept_scenes(net: "Net", recipe: Recipe) -> "tuple[list[scenes.Scene], torch.Tensor]":
    """Pictures for the language part: (scenes, float32 [N, 16, 128]); seven of eight are known kinds."""
    import torch

    rng = random.Random(f"tongue{recipe.seed}")
    drawn: list[scenes.Scene] = []
    # Picking the thing that the question names by its colour is the slow part: more of dice and blobs.
    known = [DRAW[f] for f in ("die", "dice", "dice", "blob", "blobs", "blobs", "spots")]
    for i in range(recipe.scenes):
        drawn.append((known[i % 8] if i % 8 < 7 else rng.choice(list(DRAW.values())))(rng))
    with torch.no_grad():
        seen = [look(net, pixels(drawn[i:i + 256])) for i in range(0, len(drawn), 256)]
    return drawn, torch.cat(seen)


def lesson(drawn: list[scenes.Scene], rng: random.Random) -> tuple[talk.Turn, int]:
    """One training turn and its picture's number."""
    lot = rng.random()
    if lot < 0.3:
        return (talk.drill(rng) if lot < 0.1 else talk.spoken(rng)), -1
    picture = rng.randrange(len(drawn))
    scene = drawn[picture]
    known = scene.family in KNOWN
    if not known or lot < 0.35:
        return talk.caption(scene, rng, facts=known), picture
    ask = rng.choice(scene.asks)
    # Choice and yes/no are the slow formats.
    many = [f for f in talk.formats(ask) for _ in range(2 if f in ("letter", "yes/no") else 1)]
    return talk.turn(ask, rng.choice(many), rng), picture


def tongue_loss(net: "Net", lines: list[Line], seen: "torch.Tensor", image_id: int
                ) -> "tuple[torch.Tensor, torch.Tensor]":
    """Mean cross-entropy over answer tokens, and whether each line's first answer token is right: bool [lines]."""
    import torch

    longest = max(len(x.ids) for x in lines)
    ids = torch.zeros(len(lines), longest, dtype=torch.long)
    target = torch.full((len(lines), longest), -100)
    for i, x in enumerate(lines):
        ids[i, :len(x.ids)] = torch.tensor(x.ids)
        target[i, x.answer - 1 : len(x.ids) - 1] = torch.tensor(x.ids[x.answer:])
    embeds = net.model.text_model.get_input_embeddings()(ids)
    pictured = [x.picture for x in lines if x.picture >= 0]
    if pictured:
        embeds = embeds.masked_scatter((ids == image_id)[..., None], seen[pictured].reshape(-1, embeds.shape[-1]))
    hidden = net.model.text_model(inputs_embeds=embeds).last_hidden_state
    where = target != -100
    logits, wanted = net.lm_head(hidden[where]), target[where]
    first = torch.zeros_like(target, dtype=torch.bool)
    first[torch.arange(len(lines)), [x.answer - 1 for x in lines]] = True
    hits = (logits.argmax(-1) == wanted)[first[where]]
    # Mean over lines, not tokens: captions are long and would drown the answers.
    share = 1 / where.sum(1, keepdim=True).expand_as(where)[where]
    return (torch.nn.functional.cross_entropy(logits, wanted, reduction="none") * share).sum() / len(lines), hits


def _line(drills: bool, drawn: list[scenes.Scene], rng: random.Random, tokenizer: "PreTrainedTokenizerFast") -> Line:
    """A line of the lesson; at first drills only."""
    if drills:
        return tokenised(talk.drill(rng) if rng.random() < 0.7 else talk.spoken(rng), -1, tokenizer)
    return tokenised(*lesson(drawn, rng), tokenizer)


def train_tongue(net: "Net", recipe: Recipe) -> None:
    """Teach the language model to talk, the eye kept as it is."""
    import torch

    rng, tokenizer, start = random.Random(f"lesson{recipe.seed}"), model.build_tokenizer(), time.time()
    drawn, seen = kept_scenes(net, recipe)
    image_id = tokenizer.get_vocab()[model.IMAGE]
    parts = list(net.model.text_model.parameters())
    optimizer = torch.optim.AdamW(parts, lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    recent: list[float] = []
    ready: list[list[Line]] = []
    for step in range(recipe.tongue_steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule(step, recipe.tongue_steps, recipe.rate)
        if not ready:
            # Lines of similar length share a batch: a third less padding.
            drills, n = step < recipe.drill_steps, recipe.tongue_batch
            lines = [_line(drills, drawn, rng, tokenizer) for _ in range(4 * n)]
            lines.sort(key=lambda line: len(line.ids))
            ready = [lines[i:i + n] for i in range(0, 4 * n, n)]
            rng.shuffle(ready)
        loss, hits = tongue_loss(net, ready.pop(), seen, image_id)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts, 1.0)
        optimizer.step()
        recent.append(hits.float().mean().item())
        if step % 100 == 99:
            log.info("tongue %d loss %.3f first token right %.3f %.0f s", step + 1, loss.item(),
                     sum(recent[-100:]) / 100, time.time() - start)
        if step % 600 == 599:
            log.info("tongue %d %s", step + 1, json.dumps(tongue_accuracy(net, tokenizer, seed=step)))


def tongue_accuracy(net: "Net", tokenizer: "PreTrainedTokenizerFast", *, seed: int, per_cell: int = 32
                    ) -> dict[str, float]:
    """Right first answer tokens on fresh known pictures: "family.ask.format" -> share."""
    import torch

    rng, image_id = random.Random(f"check{seed}"), tokenizer.get_vocab()[model.IMAGE]
    out: dict[str, float] = {}
    for family, draw in KNOWN.items():
        drawn = [draw(rng) for _ in range(per_cell)]
        with torch.no_grad():
            seen = look(net, pixels(drawn))
        for i, ask in enumerate(drawn[0].asks if family in ("die", "blob") else drawn[0].asks[:1]):
            for form in talk.formats(ask):
                lines = [tokenised(talk.turn(s.asks[i], form, rng), n, tokenizer) for n, s in enumerate(drawn)]
                with torch.no_grad():
                    hits = tongue_loss(net, lines, seen, image_id)[1]
                out[f"{family}.{ask.kind}.{form}"] = round(hits.float().mean().item(), 2)
    return out


# ---- command ---------------------------------------------------------------------------------------------------------


def ship(net: "Net", folder: Path, notes: dict[str, Any]) -> None:
    """Model, processor and the pre-training's own report, as transformers loads them offline."""
    folder.mkdir(parents=True, exist_ok=True)
    net.save_pretrained(folder)
    model.build_processor().save_pretrained(folder)
    (folder / "pretraining.json").write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Run what is not there yet: eye, tongue, ship."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=model.MODEL_DIR, help="where the finished model goes")
    parser.add_argument("--work", type=Path, default=Path("cache/demo-pretrain"), help="checkpoints of the parts")
    parser.add_argument("--eye-steps", type=int, default=Recipe.eye_steps)
    parser.add_argument("--tongue-steps", type=int, default=Recipe.tongue_steps)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    recipe, start = Recipe(eye_steps=args.eye_steps, tongue_steps=args.tongue_steps), time.time()
    net = model.build_model(recipe.seed)
    notes: dict[str, Any] = {"recipe": asdict(recipe)}
    for part, train in (("eye", train_eye), ("tongue", train_tongue)):
        if (args.work / part / "part.safetensors").is_file():
            log.info("%s: taken from %s", part, args.work / part)
            load(net, args.work / part)
            continue
        train(net, recipe)
        save(net, args.work / part)
        notes[f"{part}_seconds_since_start"] = round(time.time() - start)
    notes["eye"] = eye_accuracy(net, seed=1, per_family=200)
    notes["tongue"] = tongue_accuracy(net, model.build_tokenizer(), seed=1, per_cell=200)
    ship(net, args.out, notes)
    log.info("wrote %s", args.out)


if __name__ == "__main__":
    main()
