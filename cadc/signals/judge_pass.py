"""The judges' pass: one forward of the untrained base and one per judge over pool and target, with decoding, vision
tower and all that lies below the adapters done once per batch (METHOD §5).

The base's forward also yields the embedding, so that a study which joins it needs no pass of its own. Shape letters: B
samples, L tokens, W hidden width, J judges.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch

from cadc.data.indices import FeedRow
from cadc.errors import JobError
from cadc.jobs import shards
from cadc.models.batching import Item, run_batches
from cadc.models.copies import Copies
from cadc.signals.embedding import averages
from cadc.signals.judge_training import adapter_file, read_judge
from cadc.study import JOBS, Study, file_digest, write_tensors

if TYPE_CHECKING:
    from cadc.data.sample import Sample
    from cadc.models.feed import Feed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JudgeShard(shards.Shard):
    """One piece of the target (these come first) or of the pool."""

    role: str
    job: ClassVar[str] = "judge"

    def hidden_file(self, study: Study) -> Path:
        """The embeddings of its rows, until the result `embedding` is made of them."""
        return study.result("judge").folder / f"hidden-{self.number:05d}.safetensors"


def judge_shards(study: Study, pool: Sequence["Sample"]) -> list[shards.Shard]:
    """All pieces, always the same."""
    return list(pieces(study, pool))


def pieces(study: Study, pool: Sequence["Sample"]) -> list[JudgeShard]:
    """`judge_shards`, of their own type."""
    from cadc.data import read_samples
    from cadc.models.feed import by_length

    made: list[JudgeShard] = []
    for role, samples in (("target", read_samples(study.samples_file("target"))), ("pool", pool)):
        made += [JudgeShard(len(made) + one.number, one.rows, role)
                 for one in shards.cut(by_length(samples), study.config.shard_rows)]
    return made


def judge_inputs(study: Study) -> str:
    """Digest of the judges. Raises JobError before they are trained."""
    digest = hashlib.sha256()
    for number in range(study.config.judges):
        judge = read_judge(study, number)
        if judge is None:
            raise JobError(f"judge {number + 1} of study {study.name!r} is not trained. Run its jobs (`python -m cadc "
                           f"run {study.name} --until judge`).")
        digest.update(judge.sha256.encode())
    return digest.hexdigest()[:16]


def embeds(study: Study) -> bool:
    """Whether the pass shall make the embedding too: the study joins it, and it is not there."""
    return JOBS["embedding"].wanted(study.config) and not study.finished("embedding")


def finished(study: Study, shard: JudgeShard, inputs: str, hidden: bool) -> bool:
    """Whether a piece is there, with its embeddings where they are needed."""
    facts = shards.sidecar(study, shard, inputs)
    if facts is None or not hidden:
        return facts is not None
    path = shard.hidden_file(study)
    return path.exists() and file_digest(path) == facts["hidden"]


class JudgePass:
    """The base, its judges, both files. `run` computes a batch."""

    def __init__(self, study: Study) -> None:
        from safetensors.torch import load_file

        from cadc.models import adapter_state, open_vlm
        from cadc.models.feed import Feed

        self.study, self.inputs, self.embeds = study, judge_inputs(study), embeds(study)
        self.vlm = open_vlm(study.config)
        folder = study.result("judge").folder
        states = [adapter_state(self.vlm),  # B = 0: the untrained base
                  *(load_file(folder / adapter_file(number)) for number in range(study.config.judges))]
        self._adapters = [self.vlm.layout.flatten(state).to(self.vlm.device) for state in states]
        self._target = Feed(study, "target", self.vlm)

    def run(self, batch: Sequence[Item]) -> dict[str, torch.Tensor]:
        """`loss` float32 [B, 1 + J], the base's first; `tokens` int32 [B]; where they are needed `hidden` float32
        [B, 2, W], the base's last hidden states (`embedding.averages`)."""
        from cadc.models import answer_losses, last_states, prefix, switch
        from cadc.models.folding import folded

        joined = self.vlm.collate([encoded for _, encoded in batch])
        found: dict[str, torch.Tensor] = {}
        losses = []
        with torch.no_grad():
            given = prefix(self.vlm, joined, whole=True)
            for number, adapter in enumerate(self._adapters):
                switch(self.vlm, adapter)
                with folded(self.vlm):
                    # the base's everywhere, whether they are embedded or not: so its losses have the same bits
                    whole = None if number else last_states(self.vlm, given)
                    losses.append(answer_losses(self.vlm, given, whole).float())
                if self.embeds and whole is not None:
                    found["hidden"] = averages(whole, joined, given)
        found |= {"loss": torch.stack(losses, 1), "tokens": given.tokens.to(torch.int32)}
        return {key: value.cpu() for key, value in found.items()}

    def shard(self, feed: "Feed", shard: shards.Shard, step: Callable[[int, float], None]) -> None:
        """Compute and write one piece; `step(rows, loss)` after every batch, cancels by raising. Rows without a finite
        loss stay in it: whoever puts the pieces together reports them."""
        assert isinstance(shard, JudgeShard)
        own = feed if shard.role == "pool" else self._target
        started, failed = time.monotonic(), dict[FeedRow, str]()
        parts: list[dict[str, torch.Tensor]] = []
        rows: list[FeedRow] = []
        same = Copies(own.samples, shard.rows)
        for part, found in run_batches(own, same.firsts, self.run, failed):
            rows += same.all_of(part)
            parts.append(same.spread(part, found))
            step(len(same.all_of(part)), float(found["loss"][:, 1:].nanmean()))
        same.fail(failed, own)
        tensors = {key: torch.cat([part[key] for part in parts]) for key in parts[0]} if parts else {}
        tensors["rows"] = torch.tensor(rows, dtype=torch.int64)
        seconds = round(time.monotonic() - started, 3)
        facts: dict[str, object] = {
            "inputs": self.inputs, "kept": rows, "seconds": seconds, "role": shard.role, "hidden": "",
            "failed": [{"row": row, "reason": reason} for row, reason in sorted(failed.items())]}
        if self.embeds:
            path = shard.hidden_file(self.study)
            write_tensors(path, {"hidden": tensors.pop("hidden", torch.zeros(0, 2, 0)), "rows": tensors["rows"]},
                          {"key": self.study.key("judge")})
            facts["hidden"] = file_digest(path)
        shards.write(self.study, shard, tensors, facts)
        log.info("judged %d (%s): %d rows in %.1f s", shard.number, shard.role, len(rows), seconds)
