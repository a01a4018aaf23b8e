"""LoRA warm-up on a small random share of the pool; it leaves T checkpoints θ_1 … θ_T (CADC §3, METHOD §1).

Each checkpoint holds the adapter (`{name}.A` [r, in], `{name}.B` [out, r]) and AdamW's raw first and second moments
(`.m`, `.v` behind the same names); `steps` in `warmup.json` gives the number of updates for their bias correction.
"""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.data.indices import FeedRow
from cadc.data.reasons import NOT_FINITE
from cadc.errors import DataError, JobError, ModelError
from cadc.study import Study, StudyConfig, read_about, replacing, write_json, write_tensors
from cadc.study.progress import Progress

if TYPE_CHECKING:
    import torch

    from cadc.jobs.engines import EngineSettings
    from cadc.models import Batch, Encoded, Prefix, Vlm
    from cadc.models.feed import Feed
    from cadc.training.lanes import Lanes

log = logging.getLogger(__name__)

_ROWS, _ORDER = 11, 12  # streams of the study's seed: which rows, and in which order


@dataclass(frozen=True)
class Plan:
    """Rows, steps and learning rates, all known before the first step."""

    rows: tuple[FeedRow, ...]
    """Positions in the pool."""
    rates: tuple[float, ...]
    """Learning rate of each step."""
    ends: tuple[int, ...]
    """Step after which each of the T checkpoints is taken; the last is the number of steps."""

    @property
    def eta(self) -> list[float]:
        """η_t: mean learning rate of each checkpoint's interval."""
        starts = (0, *self.ends[:-1])
        return [float(np.mean(self.rates[a:b])) for a, b in zip(starts, self.ends, strict=True)]


def plan(study: Study, pool: int) -> Plan:
    """The warm-up of a pool of `pool` rows: random share, steps, short linear rise, linear decay to a tenth."""
    config = study.config
    count = min(pool, max(config.warmup_min_rows, round(config.warmup_share * pool)))
    drawn = np.sort(np.random.default_rng([config.seed, _ROWS]).choice(pool, count, replace=False))
    total = max(config.warmup_epochs * -(-count // config.warmup_batch), config.checkpoints)
    rise = max(1, round(0.05 * total))
    rates = [config.learning_rate * min((i + 1) / rise, 1 - 0.9 * (i + 1 - rise) / max(total - rise, 1))
             for i in range(total)]
    ends = [round((t + 1) * total / config.checkpoints) for t in range(config.checkpoints)]
    return Plan(tuple(map(FeedRow, drawn.tolist())), tuple(rates), tuple(ends))


def checkpoint_file(study: Study, t: int) -> Path:
    """File of checkpoint t = 1 … T."""
    return study.warmup_folder / checkpoint_name(t)


def checkpoint_name(t: int) -> str:
    """Its name."""
    return f"checkpoint-{t}.safetensors"


def summary(study: Study) -> dict[str, Any]:
    """`warmup.json` of a finished warm-up. Raises JobError before it ran, or when the file is damaged."""
    return json.loads(study.require("warmup").intact("warmup.json").read_text())


def run_warmup(study: Study, progress: Progress, *, engine: "EngineSettings | None" = None) -> None:
    """Train and write the checkpoints; finished work is not redone, a broken run goes on from its last checkpoint, and
    a checkpoint that is missing between others is made again from the one before it.

    The same study on the same machine gives the same checkpoints, interrupted or not, and whatever `engine` says: on a
    CPU as many parts of a batch are computed at a time as it has processes (None: one). Raises Cancelled, ModelError,
    and JobError when no row of the share can be encoded.
    """
    result = study.result("warmup")
    if result.finished:
        progress.note("warm-up is already finished")
        return
    from cadc.models import open_vlm
    from cadc.models.feed import Feed
    from cadc.models.threads import lone_threads
    from cadc.training.lanes import lane_count, opened

    started = time.monotonic()
    config = study.config
    progress.note(f"loading {Path(config.model).name}")
    vlm = open_vlm(config)
    rows = _Rows(vlm, Feed(study, "pool", vlm))
    todo = plan(study, len(rows.feed))
    with lone_threads(vlm.device), \
            opened(vlm, lane_count(vlm, config.warmup_batch, engine.processes if engine else 1)) as lanes:
        _train(study, vlm, rows, todo, lanes, progress)
    failed = rows.failures(todo.rows)
    write_json(result.folder / "warmup.json", {
        "eta": todo.eta, "steps": list(todo.ends), "rows": len(todo.rows) - len(failed), "failed": failed,
        "notes": vlm.notes, "device": vlm.device, "precision": vlm.precision})
    write_json(result.folder / "about.json", {"seconds": round(time.monotonic() - started, 3)})
    result.finish()


class _Rows:
    """Encoded rows of the share, kept while they fit; rows that cannot be encoded, or whose loss is not finite when
    they are first met (one of them would ruin the adapter for all), are remembered with their reason."""

    BYTES = 1 << 30

    def __init__(self, vlm: "Vlm", feed: "Feed") -> None:
        self.feed = feed
        self.failed: dict[FeedRow, str] = {}
        self._vlm, self._checked = vlm, False
        self._kept: dict[FeedRow, Encoded] = {}
        self._fine: set[FeedRow] = set()
        self._seen: set[FeedRow] = set()
        self._bytes = 0

    def parts(self, rows: Sequence[FeedRow]) -> "list[tuple[list[int], Prefix]]":
        """See `cadc.training.loop.Rows`: parts as `lanes.cut` makes them, none where no row can be used. The first is
        verified."""
        from cadc.models import prefix, verify
        from cadc.training.lanes import cut

        found = [(place, encoded) for place, row in enumerate(rows) if (encoded := self._get(row)) is not None]
        made = []
        for part in cut([encoded.length for _, encoded in found], self._vlm.device) if found else []:
            places = [found[one][0] for one in part]
            batch = self._vlm.collate([found[one][1] for one in part])
            given = prefix(self._vlm, batch)
            if odd := self._odd(given, [rows[place] for place in places]):
                self._refuse(odd, batch)
                return self.parts(rows)
            if not self._checked:
                verify(self._vlm, batch)
                self._checked = True
            made.append((places, given))
        return made

    def _odd(self, given: "Prefix", rows: Sequence[FeedRow]) -> list[FeedRow]:
        """Rows of a batch that were never met before and whose loss is not finite."""
        if self._fine >= set(rows):
            return []
        fine = self._finite(given)
        self._fine |= {row for row, ok in zip(rows, fine, strict=True) if ok}
        return [row for row, ok in zip(rows, fine, strict=True) if not ok and row not in self._fine]

    def _finite(self, given: "Prefix") -> list[bool]:
        import torch

        from cadc.models import answer_losses
        from cadc.models.folding import folded

        with torch.no_grad(), folded(self._vlm):
            return torch.isfinite(answer_losses(self._vlm, given)).tolist()

    def _alone(self, row: FeedRow) -> bool:
        """Whether the loss of a row is finite on its own."""
        from cadc.models import prefix

        encoded = self._get(row)
        return encoded is not None and all(self._finite(prefix(self._vlm, self._vlm.collate([encoded]))))

    def _refuse(self, odd: Sequence[FeedRow], batch: "Batch") -> None:
        """Leave out rows whose loss is not finite on their own either. Raises ModelError where it is so only beside
        others (then the model cannot be trusted with any batch), JobError where that of a row that was fine is not any
        more (then it is the adapter)."""
        from cadc.models import verify

        if self._fine and not self._alone(min(self._fine)):
            raise _astray()
        for row in odd:
            if self._alone(row):
                verify(self._vlm, batch)
                raise ModelError(f"pool row {self.feed.samples[row].index}: its loss is finite on its own and not "
                                 "beside others. Choose another precision, float32 for instance.")
            self._kept.pop(row, None)
            self.failed[row] = f"{NOT_FINITE}: loss of the warm-up"

    def _get(self, row: FeedRow) -> "Encoded | None":
        """The encoded row, or None when it cannot be."""
        if row in self._kept:
            return self._kept[row]
        if row in self.failed:
            return None
        self._seen.add(row)
        try:
            encoded = self.feed.encode(row)
        except DataError as error:
            self.failed[row] = str(error)
            return None
        size = sum(value.nbytes for value in encoded.inputs.values())
        if self._bytes + size <= self.BYTES:
            self._kept[row] = encoded
            self._bytes += size
        return encoded

    def failures(self, rows: Sequence[FeedRow]) -> list[dict[str, Any]]:
        """Which of these rows cannot be used, and why; rows that a resumed run did not meet are tried now."""
        for row in rows:
            if row not in self._seen:
                self.parts([row])
        return [{"index": self.feed.samples[row].index, "id": self.feed.samples[row].id, "reason": reason}
                for row, reason in sorted(self.failed.items())]


def _astray() -> JobError:
    return JobError("the warm-up went astray: its loss is not a finite number any more. Lower learning_rate, or choose "
                    "another precision (float32).")


def batches(config: StudyConfig, rows: Sequence[FeedRow], steps: int) -> Iterator[list[FeedRow]]:
    """`steps` batches of pool rows: each epoch is its own seeded shuffle of the share."""
    made = 0
    for epoch in range(steps):
        order = np.random.default_rng([config.seed, _ORDER, epoch]).permutation(len(rows))
        for start in range(0, len(rows), config.warmup_batch):
            if made == steps:
                return
            made += 1
            yield [rows[i] for i in order[start:start + config.warmup_batch]]


def _train(study: Study, vlm: "Vlm", rows: _Rows, todo: Plan, lanes: "Lanes", progress: Progress) -> None:
    """Every interval whose checkpoint is not there."""
    from cadc.training.loop import new_optimizer, train

    optimizer = new_optimizer(vlm)
    spans = list(zip((0, *todo.ends[:-1]), todo.ends, strict=True))
    missing = [t for t in range(len(spans)) if not checkpoint_file(study, t + 1).exists()]
    steps = todo.ends[-1]
    first = spans[missing[0]][0] if missing else steps
    progress.start(steps, unit="steps", done=steps - sum(spans[t][1] - spans[t][0] for t in missing))
    progress.note(f"warm-up: {len(todo.rows)} rows, {steps} steps" + (f", from step {first}" if first else ""))
    every = list(batches(study.config, todo.rows, steps))
    log_file = _log_file(study, [spans[t] for t in missing])
    at = 0
    with log_file.open("a", encoding="utf-8") as out:
        for t in missing:
            start, end = spans[t]
            if at != start:
                _load(study, vlm, optimizer, t)
            began = time.monotonic()
            for step, loss in enumerate(train(vlm, rows, every[start:end], todo.rates[start:end], optimizer, lanes),
                                        start):
                used = sum(row not in rows.failed for row in every[step])
                if used and not math.isfinite(loss):
                    raise _astray()
                if used:
                    line = {"step": step + 1, "loss": round(loss, 6), "lr": todo.rates[step],
                            "samples_per_s": round(used / max(time.monotonic() - began, 1e-9), 1)}
                    out.write(json.dumps(line) + "\n")
                    out.flush()
                if step + 1 < end:
                    progress.step(1, **({"loss": line["loss"], "lr": line["lr"]} if used else {}))
                began = time.monotonic()
            if len(rows.failed) == len(todo.rows):
                raise JobError("no row of the warm-up share can be encoded: " +
                               next(iter(rows.failed.values()), "the share is empty").rstrip(".") +
                               ". Raise max_tokens where rows are too long, mend them otherwise.")
            _save(study, vlm, optimizer, t + 1, end)
            progress.step(1, **({"loss": line["loss"], "lr": line["lr"]} if used else {}))
            at = end
    _sort(log_file)


def _save(study: Study, vlm: "Vlm", optimizer: "torch.optim.Optimizer", t: int, step: int) -> None:
    """Write checkpoint t: adapter and moments."""
    import torch

    from cadc.models import adapter_state, lora_parameters

    state = adapter_state(vlm)
    for letter, key in (("m", "exp_avg"), ("v", "exp_avg_sq")):
        moments = [optimizer.state[p].get(key, torch.zeros_like(p)) for p in lora_parameters(vlm)]
        state |= vlm.layout.unflatten(torch.cat([m.reshape(-1) for m in moments]), f".{letter}")
    updates = int(max((s["step"].item() for s in optimizer.state.values()), default=0))
    write_tensors(checkpoint_file(study, t), {k: v.cpu() for k, v in state.items()},
                  {"key": study.key("warmup"), "step": str(step), "updates": str(updates)})


def _load(study: Study, vlm: "Vlm", optimizer: "torch.optim.Optimizer", t: int) -> None:
    """Put checkpoint t into adapter and optimiser."""
    import torch
    from safetensors.torch import load_file

    from cadc.models import load_adapter_state, lora_parameters

    path = checkpoint_file(study, t)
    head, state = read_about(path), load_file(path)
    load_adapter_state(vlm, state)
    moments = [vlm.layout.views(vlm.layout.flatten(state, f".{letter}")) for letter in "mv"]
    for number, parameter in enumerate(lora_parameters(vlm)):
        m, v = (pairs[number // 2][number % 2] for pairs in moments)
        optimizer.state[parameter] = {"step": torch.tensor(float(head["updates"])),
                                      "exp_avg": m.to(parameter).clone(), "exp_avg_sq": v.to(parameter).clone()}


def _log_file(study: Study, missing: Sequence[tuple[int, int]]) -> Path:
    """log.jsonl without the steps that are made (again)."""
    path = study.warmup_folder / "log.jsonl"
    _replace(path, [line for line in _lines(path) if not any(a < line["step"] <= b for a, b in missing)])
    return path


def _sort(path: Path) -> None:
    """Steps in their order, also where an interval was made again."""
    _replace(path, sorted(_lines(path), key=lambda line: line["step"]))


def _lines(path: Path) -> list[dict[str, Any]]:
    kept = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                kept.append(json.loads(line))
            except ValueError:
                break  # a line cut short by the kill; nothing after it counts
    return kept


def _replace(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with replacing(path) as handle:
        handle.write("".join(json.dumps(line) + "\n" for line in lines).encode())
