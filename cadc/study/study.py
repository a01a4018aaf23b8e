"""A study: one question asked of one pool, and the only code that knows where its files lie."""

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cadc.errors import DataError, JobError
from cadc.study.config import StudyConfig
from cadc.study.files import file_digest, write_json

FORMAT = 1
"""Version of the files in a study folder; part of the identity, so that old shards are never misread."""


def cache_root(root: str | Path | None = None) -> Path:
    """Folder of all studies and the database: the argument, else $CADC_CACHE, else `cache/` beside the code."""
    chosen = root or os.environ.get("CADC_CACHE") or Path(__file__).resolve().parent.parent.parent / "cache"
    return Path(chosen).expanduser().resolve()


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
        """What a job really took (`cadc.jobs.meter`)."""
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
