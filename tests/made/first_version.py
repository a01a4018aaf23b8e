"""A small study as the first version left it: its data, its whole cache, and what its curricula and exports were."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cadc.demo import MODEL_DIR
from cadc.study import StudyConfig

ARCHIVE = Path(__file__).parents[1] / "golden" / "first-version.zip"
IDENTITY = "01b1ccef05d03b37"


@dataclass(frozen=True)
class Golden:
    """An unpacked copy."""

    root: Path

    @property
    def cache(self) -> Path:
        """The cache root of the first version."""
        return self.root / "cache"

    def old(self, *parts: str) -> Path:
        """A file of its study folder."""
        return self.cache.joinpath("studies", IDENTITY, *parts)

    def array(self, name: str) -> np.ndarray:
        """An array beside the cache."""
        return np.load(self.root / f"{name}.npy", allow_pickle=False)

    def json(self, name: str) -> Any:
        """A JSON beside the cache."""
        return json.loads((self.root / f"{name}.json").read_text())

    def config(self, **changes: Any) -> StudyConfig:
        """The settings it was made with."""
        data = self.root / "data"
        chosen = {"lora_rank": 1, "lora_layers": "last:1", "warmup_min_rows": 48, "warmup_epochs": 2,
                  "warmup_batch": 16, "checkpoints": 2, "samples_per_unit": 10, "near_samples": 8, "near_q": 3,
                  "shard_rows": 64, "reading": 1, "best_rows": 24, "judges": 0, "permutations": 1}
        return StudyConfig(**({"pool": str(data / "pool.jsonl"), "target": str(data / "target.jsonl"),
                               "images": str(data), "unit_column": "task", "model": str(MODEL_DIR)} | chosen | changes))


def unpack(folder: Path) -> Golden:
    """Put the archive down; paths in it become those of here."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith((".json", ".jsonl")):
                content = content.replace(b"{HERE}", str(folder).encode()).replace(b"{MODEL}", str(MODEL_DIR).encode())
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return Golden(folder)
