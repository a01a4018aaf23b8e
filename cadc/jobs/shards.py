"""Shards: which pool rows go together, and files that are written once, verified, and refused when they are another
question's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cadc.data.indices import FeedRow
from cadc.errors import JobError
from cadc.study import Study, file_digest, write_tensors
from cadc.study.results import read_sealed, write_sealed

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shard:
    """One piece of the pool."""

    number: int
    rows: tuple[FeedRow, ...]
    """Rows of the pool's samples file, in the order of computing: neighbours have similar lengths."""
    job: ClassVar[str] = "attribute"
    """The job whose result it is a part of."""

    def file(self, study: Study) -> Path:
        """Its tensors; the sidecar has the same name with `.json`."""
        return study.result(self.job).folder / f"shard-{self.number:05d}.safetensors"


def cut(ordered: Sequence[FeedRow], size: int) -> list[Shard]:
    """Rows in order of length, cut into shards of `size`."""
    return [Shard(i, tuple(ordered[start:start + size])) for i, start in enumerate(range(0, len(ordered), size))]


def write(study: Study, shard: Shard, tensors: "Mapping[str, torch.Tensor]", facts: Mapping[str, object]) -> None:
    """Tensors, then the sidecar with their checksum: only both together count as a finished shard."""
    path, key = shard.file(study), study.key(shard.job)
    write_tensors(path, dict(tensors), {"key": key})
    write_sealed(path.with_suffix(".json"), {"key": key, "shard": shard.number, "rows": list(shard.rows),
                                             "sha256": file_digest(path)} | dict(facts))


def sidecar(study: Study, shard: Shard, inputs: str, *, checksum: bool = True) -> dict[str, Any] | None:
    """Facts of a finished shard, or None when it must be computed (again).

    None: files missing, torn or of other bytes than recorded, or computed from other target vectors than those with the
    digest `inputs`. Raises JobError for a shard that carries another question's key.
    """
    path = shard.file(study)
    facts = read_sealed(path.with_suffix(".json"))
    if facts is None:
        return None
    if facts.get("key") != (key := study.key(shard.job)):
        raise JobError(f"{path.stem} belongs to another question ({facts.get('key')}), not to study {study.name!r} "
                       f"({key}). Move it away, then run again.")
    if facts.get("rows") != list(shard.rows) or facts.get("inputs") != inputs or not path.exists():
        return None
    if checksum and file_digest(path) != facts.get("sha256"):
        return None
    return facts
