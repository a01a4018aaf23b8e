"""LoRA warm-up on a small random share of the pool; it leaves T checkpoints θ_1 … θ_T (CADC §3, METHOD §1).

Each checkpoint holds the adapter (`{name}.A` [r, in], `{name}.B` [out, r]) and AdamW's raw first and second moments
(`.m`, `.v` behind the same names); `steps` in `warmup.json` gives the number of updates for their bias correction.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.errors import DataError, JobError
from cadc.study import Study, file_digest, write_json, write_tensors
from cadc.study.progress import Progress
from cadc.training.loop import BETAS, CLIP, EPSILON

if TYPE_CHECKING:
    from cadc.models.encode import Encoded
    from cadc.models.load import Vlm

log = logging.getLogger(__name__)

_ROWS, _ORDER = 11, 12  # streams of the study's seed: which rows, and in which order


@dataclass(frozen=True)
class Plan:
    """Rows, steps and learning rates, all known before the first step."""

    rows: tuple[int, ...]
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
    rows = np.sort(np.random.default_rng([config.seed, _ROWS]).choice(pool, count, replace=False))
    total = max(config.warmup_epochs * -(-count // config.warmup_batch), config.checkpoints)
    rise = max(1, round(0.05 * total))
    rates = [config.learning_rate * min((i + 1) / rise, 1 - 0.9 * (i + 1 - rise) / max(total - rise, 1))
             for i in range(total)]
    ends = [round((t + 1) * total / config.checkpoints) for t in range(config.checkpoints)]
    return Plan(tuple(rows.tolist()), tuple(rates), tuple(ends))


def checkpoint_file(study: Study, t: int) -> Path:
    """File of checkpoint t = 1 … T."""
    return study.warmup_folder / f"checkpoint-{t}.safetensors"


def finished(study: Study) -> dict[str, Any] | None:
    """`warmup.json` of a finished warm-up whose checkpoints are all there, else None."""
    path = study.warmup_folder / "warmup.json"
    if not path.exists():
        return None
    done = json.loads(path.read_text())
    if done["identity"] != study.identity:
        raise JobError(f"warmup of study {study.name!r} belongs to another question. Delete its warmup folder and run "
                       "again.")
    there = all(checkpoint_file(study, t + 1).exists() for t in range(study.config.checkpoints))
    return done if there else None


def run_warmup(study: Study, progress: Progress) -> None:
    """Train and write the checkpoints; finished work is not redone, a broken run goes on from its last checkpoint.

    The same study on the same machine gives the same checkpoints, interrupted or not. Raises Cancelled, ModelError,
    and JobError when no row of the share can be encoded.
    """
    if finished(study):
        progress.note("warm-up is already finished")
        return
    from cadc.models import open_vlm
    from cadc.models.feed import Feed

    started = time.monotonic()
    config = study.config
    progress.note(f"loading {Path(config.model).name}")
    vlm = open_vlm(config)
    source = _Rows(Feed(study, "pool", vlm))
    todo = plan(study, len(source.feed))
    failed = _train(study, vlm, source, todo, progress)
    write_json(study.warmup_folder / "warmup.json", {
        "identity": study.identity, "eta": todo.eta, "steps": list(todo.ends), "rows": len(todo.rows) - len(failed),
        "failed": failed, "notes": vlm.notes, "device": vlm.device, "precision": vlm.precision,
        "seconds": round(time.monotonic() - started, 3),
        "checkpoints": [file_digest(checkpoint_file(study, t + 1)) for t in range(config.checkpoints)]})


class _Rows:
    """Encoded rows of the share, kept while they fit; rows that cannot be encoded are remembered with their reason."""

    BYTES = 1 << 30

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.failed: dict[int, str] = {}
        self._kept: dict[int, Encoded] = {}
        self._bytes = 0

    def get(self, row: int) -> "Encoded | None":
        """The encoded row, or None when it cannot be."""
        if row in self._kept:
            return self._kept[row]
        if row in self.failed:
            return None
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


def batches(config: Any, rows: tuple[int, ...], steps: int) -> Iterator[list[int]]:
    """`steps` batches of pool rows: each epoch is its own seeded shuffle of the share."""
    made = 0
    for epoch in range(steps):
        order = np.random.default_rng([config.seed, _ORDER, epoch]).permutation(len(rows))
        for start in range(0, len(rows), config.warmup_batch):
            if made == steps:
                return
            made += 1
            yield [rows[i] for i in order[start:start + config.warmup_batch]]


def _train(study: Study, vlm: "Vlm", source: _Rows, todo: Plan, progress: Progress) -> list[dict[str, Any]]:
    """All steps; returns the rows that could not be used."""
    import torch

    from cadc.models import answer_losses, lora_parameters, prefix, verify

    parameters = lora_parameters(vlm)
    optimizer = torch.optim.AdamW(parameters, lr=todo.rates[0], betas=BETAS, eps=EPSILON, weight_decay=0.0)
    first = _resume(study, vlm, optimizer, todo)
    progress.start(todo.ends[-1], unit="steps", done=first)
    progress.note(f"warm-up: {len(todo.rows)} rows, {todo.ends[-1]} steps" + (f", from step {first}" if first else ""))
    study.warmup_folder.mkdir(parents=True, exist_ok=True)
    checked = False
    with _log_file(study, first).open("a", encoding="utf-8") as out:
        for step, rows in enumerate(batches(study.config, todo.rows, todo.ends[-1])):
            if step < first:
                continue
            began = time.monotonic()
            encoded = [e for e in (source.get(row) for row in rows) if e is not None]
            if encoded:
                batch = vlm.collate(encoded)
                if not checked:
                    verify(vlm, batch)
                    checked = True
                optimizer.param_groups[0]["lr"] = todo.rates[step]
                loss = answer_losses(vlm, prefix(vlm, batch)).mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, CLIP)
                optimizer.step()
                line = {"step": step + 1, "loss": round(loss.item(), 6), "lr": todo.rates[step],
                        "samples_per_s": round(len(encoded) / max(time.monotonic() - began, 1e-9), 1)}
                out.write(json.dumps(line) + "\n")
                out.flush()
                readings = {"loss": line["loss"], "lr": line["lr"]}
            if step + 1 in todo.ends:
                if not checked:
                    raise JobError("no row of the warm-up share can be encoded: " +
                                   next(iter(source.failed.values()), "the share is empty"))
                _save(study, vlm, optimizer, todo.ends.index(step + 1) + 1, step + 1)
            progress.step(1, **readings if encoded else {})
    return [{"index": source.feed.samples[row].index, "id": source.feed.samples[row].id, "reason": reason}
            for row, reason in sorted(source.failed.items())]


def _save(study: Study, vlm: "Vlm", optimizer: Any, t: int, step: int) -> None:
    """Write checkpoint t: adapter and moments, to a temporary name, flushed, then renamed."""
    import torch

    from cadc.models import adapter_state, lora_parameters

    state = adapter_state(vlm)
    for letter, key in (("m", "exp_avg"), ("v", "exp_avg_sq")):
        moments = [optimizer.state[p].get(key, torch.zeros_like(p)) for p in lora_parameters(vlm)]
        state |= vlm.lora.unflatten(torch.cat([m.reshape(-1) for m in moments]), f".{letter}")
    updates = int(max((s["step"].item() for s in optimizer.state.values()), default=0))
    write_tensors(checkpoint_file(study, t), {k: v.cpu() for k, v in state.items()},
                  {"identity": study.identity, "step": str(step), "updates": str(updates)})


def _resume(study: Study, vlm: "Vlm", optimizer: Any, todo: Plan) -> int:
    """Load the last checkpoint of a broken run into adapter and optimiser; returns its step (0 when there is none)."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file

    from cadc.models import load_adapter_state, lora_parameters

    for t in range(study.config.checkpoints, 0, -1):
        path = checkpoint_file(study, t)
        if not path.exists():
            continue
        with safe_open(path, "pt") as handle:
            head = handle.metadata()
        if head.get("identity") != study.identity:
            raise JobError(f"{path.name} belongs to another question. Delete the warmup folder and run again.")
        state = load_file(path)
        load_adapter_state(vlm, state)
        moments = [vlm.lora.views(vlm.lora.flatten(state, f".{letter}")) for letter in "mv"]
        for number, parameter in enumerate(lora_parameters(vlm)):
            m, v = (pairs[number // 2][number % 2] for pairs in moments)
            optimizer.state[parameter] = {"step": torch.tensor(float(head["updates"])),
                                          "exp_avg": m.to(parameter).clone(), "exp_avg_sq": v.to(parameter).clone()}
        return todo.ends[t - 1]
    return 0


def _log_file(study: Study, first: int) -> Path:
    """log.jsonl, cut back to the steps that the resumed checkpoint has seen."""
    path = study.warmup_folder / "log.jsonl"
    kept = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= first:
                    kept.append(line)
            except ValueError:
                break  # a line cut short by the kill; nothing after it counts
    path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    return path
