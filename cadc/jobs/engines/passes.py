"""Which passes there are: the one table that an engine opens a pass from, by its name.

A name travels to other processes and machines, where the pass is opened anew; nothing of a pass is sent.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cadc.errors import JobError
from cadc.jobs.shards import Shard
from cadc.study import Study


@dataclass(frozen=True, kw_only=True)
class PassKind:
    """Where a pass is found, as names in a module that is imported when its turn comes."""

    module: str
    opens: str
    """Class: `P(study)` loads everything once; has `.vlm` and `.shard(feed, shard, step)`, which computes and writes
    one shard and calls `step(rows, loss)` after every batch."""
    cuts: str
    """Function `(study, pool samples) -> list[Shard]`: all shards, always the same; empty where the study does not
    ask for this pass."""
    job: str = "attribute"
    """The job whose pass it is."""
    inputs: str
    """Function `(study) -> str`: digest of what the pass computes from. Raises JobError when that is not there yet."""

    def find(self, name: str) -> Any:
        """Class or function by its name."""
        return getattr(importlib.import_module(self.module), name)


PASSES = {
    "pool": PassKind(module="cadc.gradients.attribute", opens="PoolPass", cuts="pool_shards", inputs="pool_inputs"),
    "features": PassKind(module="cadc.gradients.landmarks_pass", opens="FeaturePass", cuts="feature_shards",
                         inputs="pool_inputs"),
    "judge": PassKind(module="cadc.signals.judge_pass", opens="JudgePass", cuts="judge_shards", inputs="judge_inputs",
                      job="judge"),
}


def kind_of(name: str) -> PassKind:
    """Look a pass up. Raises JobError for an unknown one."""
    if name not in PASSES:
        raise JobError(f"unknown pass {name!r}. Passes: {', '.join(PASSES)}")
    return PASSES[name]


class ShardWorker:
    """What one process holds to compute shards of a pass: model, pool, list of shards."""

    def __init__(self, study: Study, kind: str) -> None:
        from cadc.models.feed import Feed

        found = kind_of(kind)
        self._pass = found.find(found.opens)(study)
        self._feed = Feed(study, "pool", self._pass.vlm)
        self._shards: dict[int, Shard] = {s.number: s for s in found.find(found.cuts)(study, self._feed.samples)}

    def shard(self, number: int, step: Callable[[int, float], None]) -> None:
        """Compute and write shard `number`."""
        self._pass.shard(self._feed, self._shards[number], step)
