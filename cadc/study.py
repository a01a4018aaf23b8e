"""A study: one question asked of one pool, and the only code that knows where its files lie (DESIGN.md)."""

import dataclasses
import hashlib
import json
import os
import re
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.errors import DataError, JobError

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1
"""Version of the files in a study folder; part of the identity, so that old shards are never misread."""

PRESETS = ("studio", "paper")
PARTS = ("language", "connector", "vision")
"""Parts of a model that can be adapted."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """Everything that changes what a worker computes. Same config and same inputs: same identity, same cache."""

    pool: str
    """Path of the instruction pool."""
    target: str
    """Path of the target benchmark."""
    images: str = ""
    """Image root of pool and target; '' means the folder of each file."""
    unit_column: str = ""
    """Column of the target file that names its units; '' makes every sample a unit of its own."""
    model: str
    """Hugging Face id or local folder of the base model."""
    preset: str = "studio"
    """`paper` or `studio` (METHOD §3): the default choices of later steps; both stay available."""
    seed: int = 0
    """Seeds warm-up sampling, adapter initialisation and picture permutations."""
    lora_rank: int = 8
    """Rank r of every LoRA matrix."""
    lora_alpha: float = 16.0
    """LoRA scale is alpha / r."""
    lora_layers: str = "all"
    """`all`, or `last:k` for adapters on the last k language-model layers only."""
    lora_targets: str = "language"
    """Parts that get adapters: `language`, `connector`, `vision`, or several joined by `+` (`language+connector`)."""
    precision: str = "auto"
    """Base weights and activations: `auto` (bfloat16 on a GPU, else float32), `float32`, `bfloat16` or `float64`."""
    quantization: str = "none"
    """Base weights in `8bit` or `4bit` through bitsandbytes, or `none`."""
    warmup_share: float = 0.1
    """Share of the pool that the warm-up trains on (LESS: 0.05)."""
    warmup_min_rows: int = 256
    """The warm-up never trains on fewer rows than this (or the whole pool)."""
    warmup_epochs: int = 4
    """Passes over that share; checkpoints are spread evenly over them."""
    warmup_batch: int = 32
    """Samples per optimiser step."""
    learning_rate: float = 3e-3
    """Peak AdamW learning rate of the warm-up (short linear rise, then linear decay to a tenth)."""
    checkpoints: int = 4
    """T, the number of checkpoints kept."""
    features: str = "adam"
    """Training-side feature Γ (METHOD §2): `adam`, `less` or `sgd`."""
    grounded: bool = True
    """Also compute grounded target gradients (METHOD §2)."""
    permutations: int = 2
    """P, picture permutations per unit for the grounded gradient."""
    mode: str = "auto"
    """Products with full target vectors: `exact`; with random projections: `sketch`; `auto`: exact where they fit."""
    sketch_dim: int = 4096
    """Numbers per vector in `sketch` mode, over all LoRA matrices together."""
    pool_sketch: int = 0
    """Numbers kept per pool row and checkpoint as a random projection of Γ, for the pool map; 0 keeps none."""
    landmarks: float = 1.0
    """Share of the pool whose gradients are computed; the other rows' influences are predicted from one forward."""
    crossfit: int = 2
    """Rounds of the cross-fitted loss, which finds rows that look wrong (docs/decisions/0016); 0 switches it off."""
    crossfit_share: float = 0.2
    """Share of the pool that its models are trained on, half of it each."""
    crossfit_target: bool = True
    """Its models also train on half of the target samples that gradients see (docs/decisions/0018)."""
    samples_per_unit: int = 64
    """At most this many target samples of a unit enter its mean."""
    near_samples: int = 32
    """At most this many single target samples per unit for near(z, s) (METHOD §4)."""
    nearness: str = "gradients+embedding"
    """What near(z, s) is made of: `gradients` or `gradients+embedding` (docs/decisions/0019)."""
    near_q: int = 5
    """q: near(z, s) is the mean of the q largest influences."""
    best_rows: int = 256
    """L: best pool rows kept per single target sample."""
    max_tokens: int = 2048
    """Longer samples are set aside with a reason."""
    shard_rows: int = 512
    """Pool rows per shard (a shard is ≤ ~30 s of work)."""

    def __post_init__(self) -> None:
        checks = {
            "preset": self.preset in PRESETS,
            "nearness": self.nearness in ("gradients+embedding", "gradients"),
            "features": self.features in ("adam", "less", "sgd"),
            "lora_layers": re.fullmatch(r"all|last:[1-9]\d*", self.lora_layers) is not None,
            "lora_targets": len(set(parts := self.lora_targets.split("+"))) == len(parts) and set(parts) <= set(PARTS),
            "precision": self.precision in ("auto", "float32", "bfloat16", "float64"),
            "quantization": self.quantization in ("none", "8bit", "4bit"),
            "mode": self.mode in ("auto", "exact", "sketch"),
            "pool_sketch": self.pool_sketch >= 0,
            "landmarks": 0 < self.landmarks <= 1,
            "crossfit": 0 <= self.crossfit <= 16,
            "crossfit_share": 0 < self.crossfit_share <= 1,
            "warmup_share": 0 < self.warmup_share <= 1,
            "learning_rate": 0 < self.learning_rate < 1,
            "lora_alpha": self.lora_alpha > 0,
        }
        positive = ("lora_rank", "warmup_min_rows", "warmup_epochs", "warmup_batch", "checkpoints", "permutations",
                    "samples_per_unit", "near_samples", "near_q", "best_rows", "max_tokens", "shard_rows",
                    "sketch_dim")
        checks |= {name: getattr(self, name) >= 1 for name in positive}
        for name, ok in checks.items():
            if not ok:
                raise DataError(f"setting {name}={getattr(self, name)!r} is not allowed. "
                                "docs/settings.md says what is.")

    @classmethod
    def from_settings(cls, base: dict[str, Any], settings: dict[str, str]) -> "StudyConfig":
        """Build a config from typed values plus `key=value` texts; raises DataError for an unknown key or bad value."""
        fields = {f.name: f for f in dataclasses.fields(cls)}
        values = dict(base)
        for key, text in settings.items():
            if key not in fields:
                raise DataError(f"unknown setting {key!r}. Known: {', '.join(fields)}")
            values[key] = _parse(key, text, fields[key].type)
        return cls(**values)


def _parse(key: str, text: str, kind: Any) -> Any:
    """Read one `key=value` text as the type of its field."""
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in words:
            raise DataError(f"setting {key}={text!r}: expected true or false")
        return words[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise DataError(f"setting {key}={text!r}: expected {kind.__name__}") from None


def cache_root(root: str | Path | None = None) -> Path:
    """Folder of all studies and the database: the argument, else $CADC_CACHE, else `cache/` beside the code."""
    chosen = root or os.environ.get("CADC_CACHE") or Path(__file__).resolve().parent.parent / "cache"
    return Path(chosen).expanduser().resolve()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def temporary_beside(path: Path) -> Path:
    """A name that no other process uses, on this machine or another one that shares the folder."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")


def write_json(path: Path, value: Any) -> None:
    """Write JSON to a temporary name, flush it to disk, rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    with temporary.open("w", encoding="utf-8") as handle:
        json.dump(value, handle, ensure_ascii=False, indent=1, sort_keys=False, allow_nan=False)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def write_array(path: Path, values: "np.ndarray") -> None:
    """The same for a `.npy` file."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    with temporary.open("wb") as handle:
        np.save(handle, values, allow_pickle=False)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def _model_digest(model: str) -> str:
    """Digest of a local model folder; an id stands for itself. Weights over 64 MiB count by size and change time."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".safetensors", ".jinja")):
        about = path.stat()
        large = f"{about.st_size} {about.st_mtime_ns}"
        content = file_digest(path) if about.st_size < 64 << 20 else large
        digest.update(f"{path.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()


def identity_of(config: StudyConfig) -> tuple[str, dict[str, str]]:
    """Identity (16 hex digits) of the question, and the digests of its inputs. Raises DataError for a missing file.

    Where the inputs lie does not matter, what is in them does: paths are replaced by digests.
    """
    inputs = {}
    for role in ("pool", "target"):
        path = Path(getattr(config, role))
        if not path.is_file():
            raise DataError(f"{role} file {path} not found. Give the path of a JSON, JSONL or parquet file.")
        inputs[role] = file_digest(path)
    inputs["model"] = _model_digest(config.model)
    question = dataclasses.asdict(config) | inputs | {"format": FORMAT}
    del question["images"]
    text = json.dumps(question, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16], inputs


@dataclass(frozen=True)
class Study:
    """A study on disk. Open it with `Study.open(name)`, make it with `Study.create(name, config)`."""

    name: str
    folder: Path
    config: StudyConfig
    inputs: dict[str, str]
    created: str = ""

    @property
    def identity(self) -> str:
        """16 hex digits that every file of the study carries."""
        return self.folder.name

    @classmethod
    def create(cls, name: str, config: StudyConfig, *, created: str, root: Path | None = None) -> "Study":
        """Register `name` for the question `config`; an existing study of the same question is found again.

        Raises DataError when the name already stands for another question, or a file is missing.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise DataError(f"study name {name!r}: use 1-64 letters, digits, '.', '_' or '-', "
                            "starting with a letter or digit.")
        config = dataclasses.replace(config, **_absolute(config))
        identity, inputs = identity_of(config)
        base = cache_root(root)
        pointer = base / "names" / f"{name}.json"
        if pointer.exists() and (taken := json.loads(pointer.read_text())["identity"]) != identity:
            raise DataError(f"study {name!r} already asks another question ({taken}). Choose another name, "
                            "or remove it first; changed settings make a new study.")
        folder = base / "studies" / identity
        about = folder / "study.json"
        known = json.loads(about.read_text()) if about.exists() else {"created": created}
        if known.get("config") != (asked := dataclasses.asdict(config)):  # new, or the same files at another place
            write_json(about, {"identity": identity, "created": known["created"], "inputs": inputs, "config": asked})
        if not pointer.exists():
            write_json(pointer, {"identity": identity, "created": created})
        return cls.open(name, root=root)

    @classmethod
    def open(cls, name: str, *, root: Path | None = None) -> "Study":
        """Open a study by its name (or its identity). Raises DataError when there is none."""
        base = cache_root(root)
        pointer = base / "names" / f"{name}.json"
        identity = json.loads(pointer.read_text())["identity"] if pointer.exists() else name
        folder = base / "studies" / identity
        if not re.fullmatch(r"[0-9a-f]{16}", identity) or not (folder / "study.json").exists():
            raise DataError(f"no study named {name!r}. `python -m cadc list` shows them, "
                            "`python -m cadc new` makes one.")
        try:
            text = json.loads((folder / "study.json").read_text())
            return cls(name, folder, StudyConfig(**text["config"]), text["inputs"], text["created"])
        except (KeyError, TypeError, ValueError) as error:
            raise JobError(f"{folder.name}/study.json cannot be read ({error}). "
                           "It was written by another version.") from error

    @classmethod
    def names(cls, root: Path | None = None) -> list[str]:
        """All study names, oldest first."""
        pointers = sorted((cache_root(root) / "names").glob("*.json"),
                          key=lambda p: (json.loads(p.read_text()).get("created", ""), p.stem))
        return [p.stem for p in pointers]

    def image_root(self, role: str) -> Path:
        """Folder that the picture paths of `role` ('pool' or 'target') are relative to."""
        return Path(self.config.images) if self.config.images else Path(getattr(self.config, role)).parent

    # ---- where files lie: workers write them, everything else reads them -------------------------------------------
    def samples_file(self, role: str) -> Path:
        """Normalised samples of 'pool' or 'target' (parquet)."""
        return self.folder / "ingest" / f"{role}.parquet"

    def ingest_images(self, role: str) -> Path:
        """Pictures that were embedded in the input of `role`."""
        return self.folder / "ingest" / f"images-{role}"

    @cached_property
    def ingest_report(self) -> Path:
        """What was read, set aside and warned about (json)."""
        return self.folder / "ingest" / "report.json"

    @cached_property
    def warmup_folder(self) -> Path:
        """checkpoint-1.safetensors … checkpoint-T, log.jsonl, warmup.json."""
        return self.folder / "warmup"

    @cached_property
    def targets_folder(self) -> Path:
        """vectors-t.safetensors, gram.safetensors, targets.json."""
        return self.folder / "targets"

    @cached_property
    def shards_folder(self) -> Path:
        """shard-00000.safetensors + .json …"""
        return self.folder / "attribute"

    def batch_file(self, job: str) -> Path:
        """How `targets` or `attribute` cuts its batches, settled once."""
        return (self.targets_folder if job == "targets" else self.shards_folder) / "batch.json"

    @cached_property
    def scores_folder(self) -> Path:
        """The shards compacted for the interactive half."""
        return self.folder / "scores"

    @cached_property
    def embedding_folder(self) -> Path:
        """Last hidden states of the untrained base, of pool and target."""
        return self.folder / "embedding"

    @cached_property
    def nearness_folder(self) -> Path:
        """near(z, s) of gradients alone, where the scores hold the sum of two signals."""
        return self.folder / "nearness"

    @cached_property
    def crossfit_folder(self) -> Path:
        """round-R-fold-F.npz: the losses that each model of the crossfit job read."""
        return self.folder / "crossfit"

    @cached_property
    def evaluation_folder(self) -> Path:
        """One folder per retrain-and-compare run."""
        return self.folder / "evaluation"

    @cached_property
    def exports_folder(self) -> Path:
        """Curricula written from the Curriculum page, one folder each; any other folder may be typed."""
        return self.folder / "exports"

    def job_folder(self, job: str) -> Path:
        """status.json, log.txt, cancel, lock of one job."""
        return self.folder / "jobs" / job

    def cost_file(self, job: str) -> Path:
        """What a job really took (`cadc.cost`)."""
        return self.job_folder(job) / "cost.json"

    def results_of(self, job: str) -> tuple[Path, ...]:
        """Folders that a job writes its results into."""
        return {"ingest": (self.folder / "ingest",), "warmup": (self.warmup_folder,),
                "targets": (self.targets_folder,), "attribute": (self.shards_folder, self.scores_folder),
                "crossfit": (self.crossfit_folder,), "evaluate": (self.evaluation_folder,)}[job]

    @cached_property
    def estimate_file(self) -> Path:
        """The latest predictions of what the jobs cost, here and on named devices."""
        return self.folder / "estimate.json"

    @cached_property
    def decisions_file(self) -> Path:
        """Latest decisions as JSON: a copy of what the database holds, for a command line beside a running app."""
        return self.folder / "decisions.json"


def _absolute(config: StudyConfig) -> dict[str, str]:
    """Absolute paths for the files of a config; a model id that is no folder stays an id."""
    fixed = {role: str(Path(getattr(config, role)).expanduser().resolve()) for role in ("pool", "target")}
    if config.images:
        fixed["images"] = str(Path(config.images).expanduser().resolve())
    if Path(config.model).expanduser().is_dir():
        fixed["model"] = str(Path(config.model).expanduser().resolve())
    return fixed
