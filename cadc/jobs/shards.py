"""Shards: which pool rows go together, and files that are written once, verified, and refused when they are another
question's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.errors import JobError
from cadc.study import Study, file_digest, write_json, write_tensors

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shard:
    """One piece of the pool."""

    number: int
    rows: tuple[int, ...]
    """Positions in the pool's samples file, in the order of computing: neighbours have similar lengths."""

    def file(self, study: Study) -> Path:
        """Its tensors; the sidecar has the same name with `.json`."""
        return study.shards_folder / f"shard-{self.number:05d}.safetensors"


def cut(ordered: list[int], size: int) -> list[Shard]:
    """Rows in order of length, cut into shards of `size`."""
    return [Shard(i, tuple(ordered[start:start + size])) for i, start in enumerate(range(0, len(ordered), size))]


def write(study: Study, shard: Shard, tensors: Mapping[str, "torch.Tensor"], facts: Mapping[str, Any]) -> None:
    """Write a shard and then its sidecar, each atomically: only with a sidecar that fits does a shard count."""
    path = shard.file(study)
    # one key only: safetensors writes several in a random order, and equal shards shall have equal bytes
    write_tensors(path, dict(tensors), {"identity": study.identity})
    write_json(path.with_suffix(".json"), {"identity": study.identity, "shard": shard.number, "rows": list(shard.rows),
                                           "sha256": file_digest(path)} | dict(facts))


def sidecar(study: Study, shard: Shard, source: str, *, checksum: bool = True) -> dict[str, Any] | None:
    """Facts of a finished shard, or None when it must be computed (again).

    None: files missing, torn or of other bytes than recorded, or computed from other target vectors than `source`.
    Raises JobError for a shard that carries another study's identity.
    """
    path = shard.file(study)
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    if facts.get("identity") != study.identity:
        raise JobError(f"{path.stem} belongs to another question ({facts.get('identity')}), not to study "
                       f"{study.name!r} ({study.identity}). Move it away, then run again.")
    if facts.get("rows") != list(shard.rows) or facts.get("source") != source or not path.exists():
        return None
    if checksum and file_digest(path) != facts.get("sha256"):
        return None
    return facts
