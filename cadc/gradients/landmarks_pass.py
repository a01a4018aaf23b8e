"""The forward-only pass: what one forward at the last checkpoint says about every pool row (decision 0013).

The gradient of the language-model head is Σ_l e_l h_lᵀ, with h_l the last hidden state at an answer token and
e_l = W_headᵀ(p_l − y_l) the output error taken back to the hidden state: both are there after a forward. Shape
letters: B samples, A answer tokens of the batch, W hidden width, V vocabulary.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from cadc.data.indices import FeedRow
from cadc.data.reasons import NOT_FINITE
from cadc.errors import ModelError
from cadc.gradients.attribute import pool_inputs
from cadc.gradients.checkpoints import open_model
from cadc.gradients.landmarks import feature_shards
from cadc.jobs import shards
from cadc.models.batching import Item, run_batches
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.models.feed import Feed
    from cadc.models.forward import Prefix

__all__ = ["FeaturePass", "feature_shards", "pool_inputs"]  # what the engines' table of passes looks for here

log = logging.getLogger(__name__)

WIDTH = 512
"""Hidden states and errors of wider models are brought to this many numbers by a seeded random projection."""
OUTPUT = 256
"""Buckets of the signed random sum of p − y over the vocabulary."""
OUTER = 1024
"""Numbers of the random sketch of the outer products h_l ⊗ e_l."""
_STREAM = 32  # of the study's seed


class FeaturePass:
    """The model at its last checkpoint and the random projections. `run` computes a batch."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.vlm, checkpoints = open_model(study)
        checkpoints.switch(len(checkpoints) - 1)
        self.inputs = pool_inputs(study)
        weight = getattr(self.vlm.head, "weight", None)
        if weight is None or not weight.is_floating_point():
            raise ModelError("the model's head has no plain weight matrix, so its output error cannot be taken back "
                             "to the hidden state. Use landmarks=1.")
        vocabulary, width = weight.shape
        draw = torch.Generator().manual_seed(study.config.seed * 1_000 + _STREAM)
        self._weight = weight
        self._down = (None if width <= WIDTH else
                      (torch.randn(width, WIDTH, generator=draw) / WIDTH**0.5).to(weight.device))
        width = min(width, WIDTH)
        self._left, self._right = (torch.randn(width, OUTER, generator=draw).to(weight.device) for _ in range(2))
        self._bucket = torch.randint(OUTPUT, (vocabulary,), generator=draw).to(weight.device)
        self._sign = (torch.randint(2, (vocabulary,), generator=draw) * 2.0 - 1).to(weight.device)

    def run(self, batch: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Features of a batch: DIRECTIONS [B, …] float16 of length one, `numbers` [B, …] float32 (log lengths of the
        directions, log answer tokens, log tokens, pictures), `loss` float32 [B], `tokens` int32 [B]."""
        from cadc.models import answer_losses, prefix

        caught: list[torch.Tensor] = []
        seen: list[torch.Tensor] = []
        hooks = [self.vlm.head.register_forward_pre_hook(lambda module, args: caught.append(args[0])),
                 self.vlm.head.register_forward_hook(lambda module, args, output: seen.append(output))]
        try:
            with torch.no_grad():
                given = prefix(self.vlm, self.vlm.collate([encoded for _, encoded in batch]))
                caught.clear()
                seen.clear()
                loss = answer_losses(self.vlm, given)
        finally:
            for hook in hooks:
                hook.remove()
        if len(caught) != 1 or caught[0].dim() != 2:
            raise ModelError("the model's head was not called once with the answers' hidden states. Use landmarks=1.")
        found = self._directions(given, caught[0], seen[0])
        lengths = {key: value.norm(dim=1, keepdim=True) for key, value in found.items()}
        tiny = torch.finfo(torch.float32).tiny
        made = {key: (value / lengths[key].clamp_min(tiny)).half() for key, value in found.items()}
        tokens = given.tokens.to(torch.float32)[:, None]
        length = torch.tensor([[float(encoded.length)] for _, encoded in batch], device=tokens.device)
        numbers = torch.cat([*(v.clamp_min(tiny).log() for v in lengths.values()), tokens.log(), length.log()], 1)
        made = {key: value.nan_to_num() for key, value in made.items()}  # `shard` rejects rows of no finite loss
        made |= {"numbers": numbers.nan_to_num(), "loss": loss.float(), "tokens": given.tokens.to(torch.int32)}
        return {key: value.cpu() for key, value in made.items()}

    def _directions(self, given: "Prefix", hidden: torch.Tensor, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """Means over each sample's answer tokens, float32, from hidden [A, W] and logits [A, V] at these tokens."""
        chance = logits.float().softmax(-1)  # [A, V]
        chance[torch.arange(len(chance), device=chance.device), given.labels] -= 1
        error = (chance.to(self._weight.dtype) @ self._weight).float()  # [A, W]
        hidden = hidden.float()
        if self._down is not None:
            hidden, error = hidden @ self._down, error @ self._down
        batch = len(given.tokens)

        def mean(each: torch.Tensor) -> torch.Tensor:
            return each.new_zeros(batch, each.shape[1]).index_add_(0, given.rows, each) / given.tokens[:, None]

        first = torch.searchsorted(given.rows, torch.arange(batch, device=given.rows.device))
        output = mean(chance) * self._sign
        return {"hidden": mean(hidden), "prompt": hidden[first], "error": mean(error),
                "output": output.new_zeros(batch, OUTPUT).index_add_(1, self._bucket, output),
                "outer": mean((hidden @ self._left) * (error @ self._right))}

    def shard(self, feed: "Feed", shard: shards.Shard, step: Callable[[int, float], None]) -> None:
        """Compute and write one shard; `step(rows, loss)` after every batch, cancels by raising."""
        started = time.monotonic()
        failed: dict[FeedRow, str] = {}
        parts: list[dict[str, torch.Tensor]] = []
        rows: list[FeedRow] = []
        for part, found in run_batches(feed, shard.rows, self.run, failed):
            fine = torch.isfinite(found["loss"])
            for row, ok in zip(part, fine.tolist(), strict=True):
                if ok:
                    rows.append(row)
                else:
                    failed[row] = f"{NOT_FINITE}: loss at the last checkpoint"
            parts.append({key: value[fine] for key, value in found.items()})
            step(len(part), float(found["loss"].mean()))
        tensors = {key: torch.cat([part[key] for part in parts]) for key in parts[0]} if parts else {}
        tensors["rows"] = torch.tensor(rows, dtype=torch.int64)
        seconds = time.monotonic() - started
        facts = {"inputs": self.inputs, "kept": rows, "seconds": round(seconds, 3),
                 "failed": [{"index": feed.samples[row].index, "id": feed.samples[row].id, "reason": reason}
                            for row, reason in sorted(failed.items())]}
        shards.write(self.study, shard, tensors, facts)
        log.info("features %d: %d rows, %.1f samples/s", shard.number, len(rows), len(rows) / max(seconds, 1e-9))
