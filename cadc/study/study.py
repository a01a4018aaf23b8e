"""A study on disk: its name, its settings, and the only code that knows where its files lie (docs/architecture.md).

Below the cache root: `names/NAME.json` points to a study, `studies/IDENTITY/` holds its settings, what was decided, job
states, comparisons and exports, `results/JOB/KEY/` what jobs made. A key is the hash of what the job reads (its own
settings and the content of its inputs), so studies that ask the same share what was computed.
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cadc.errors import DataError, JobError
from cadc.study.config import BEFORE, StudyConfig
from cadc.study.content import model_digest
from cadc.study.files import write_json
from cadc.study.inputs import input_files, input_root, input_there, is_hub_name
from cadc.study.jobs import JOBS, core_jobs, job_named
from cadc.study.results import Result, read_sealed, write_sealed
from cadc.study.written import created_at, identity_at, read_settings, write_settings

MEMO = "digests.json"
"""Remembers the digests of large files, below the cache root."""


def cache_root(root: str | Path | None = None) -> Path:
    """Folder of all studies and the database: the argument, else $CADC_CACHE, else `cache/` beside the code of a
    checkout, else `cadc-studio` in the person's cache folder."""
    chosen = root or os.environ.get("CADC_CACHE")
    if not chosen:
        checkout = Path(__file__).resolve().parents[2]
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        chosen = checkout / "cache" if (checkout / "pyproject.toml").exists() else Path(home) / "cadc-studio"
    return Path(chosen).expanduser().resolve()


def identity_of(config: StudyConfig, root: Path | None = None) -> tuple[str, dict[str, str]]:
    """Identity (16 hex digits) of the question, and the digests of its inputs. Raises DataError for a missing file.

    Where the inputs lie does not matter, what is in them does: paths are replaced by digests.
    """
    base = cache_root(root)
    inputs = {}
    for role in ("pool", "target"):
        try:
            inputs[role] = input_files(getattr(config, role)).digest(base / MEMO)
        except DataError as error:
            raise DataError(f"{role} file {error}") from None
    inputs["model"] = model_digest(config.model, base / MEMO)
    return _hash({"settings": config.chosen} | inputs), inputs


def as_asked_before(config: StudyConfig, identity: str, root: Path | None = None) -> StudyConfig:
    """The same question as an earlier version asked it, where that is the study `identity`: its results stay. Else
    `config`."""
    earlier = dataclasses.replace(config, **BEFORE)
    return earlier if identity_of(earlier, root)[0] == identity else config


@dataclass(frozen=True)
class Study:
    """A study on disk. Open it with `Study.open(name)`, make it with `Study.create(name, config)`."""

    name: str
    folder: Path
    config: StudyConfig
    inputs: dict[str, str]
    """Digests of pool, target and model when it was made; they stand in for files that are gone."""
    created: str = ""

    @property
    def identity(self) -> str:
        """16 hex digits: the name of the study's folder."""
        return self.folder.name

    @property
    def root(self) -> Path:
        """The cache root."""
        return self.folder.parent.parent

    # ---- making and finding ------------------------------------------------------------------------------------------
    @classmethod
    def create(cls, name: str, config: StudyConfig, *, created: str, root: Path | None = None) -> "Study":
        """Register `name` for the question `config`; an existing study of the same question is found again.

        Raises DataError when the name already stands for another question, or a file is missing.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise DataError(f"study name {name!r}: use 1-64 letters, digits, '.', '_' or '-', "
                            "starting with a letter or digit.")
        base = cache_root(root)
        config = _absolute(config)
        identity, inputs = identity_of(config, base)
        pointer = base / "names" / f"{name}.json"
        taken = identity_at(pointer)
        if taken and taken != identity:
            config = as_asked_before(config, taken, base)
            identity = identity_of(config, base)[0]
        if taken and taken != identity:
            raise DataError(f"study {name!r} already asks another question ({taken}). Choose another name, or remove "
                            f"it first (`python -m cadc remove {name}`); changed settings make a new study, which "
                            "shares with the old one whatever they do not change.")
        folder = base / "studies" / identity
        known = read_settings(folder, base) or {"created": created}
        if known.get("config") != dataclasses.asdict(config):  # new, or the same files at another place
            cls(name, folder, config, inputs, known["created"]).write_down()
        if not taken:
            write_json(pointer, {"identity": identity, "created": created})
        return cls.open(name, root=root)

    def write_down(self) -> None:
        """Write settings and inputs, in two copies."""
        write_settings(self.folder, self.root, {"identity": self.identity, "created": self.created,
                                                "inputs": self.inputs, "config": dataclasses.asdict(self.config)})

    @classmethod
    def open(cls, name: str, *, root: Path | None = None) -> "Study":
        """Open a study by its name (or its identity). Raises DataError when there is none."""
        base = cache_root(root)
        identity = identity_at(base / "names" / f"{name}.json") or name
        folder = base / "studies" / identity
        if not re.fullmatch(r"[0-9a-f]{16}", identity) or not folder.is_dir():
            raise DataError(f"no study named {name!r}. `python -m cadc list` shows them, "
                            "`python -m cadc new` makes one.")
        text = read_settings(folder, base)
        try:
            if text is None:
                raise ValueError("both copies are damaged or missing")
            return cls(name, folder, StudyConfig.of(text["config"]), text["inputs"], text["created"])
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise JobError(f"{folder.name}/study.json cannot be read ({error}). It was damaged, or written by a later "
                           "version. Register the study again with `python -m cadc new`: what was computed is found "
                           "again.") from error

    @classmethod
    def names(cls, root: Path | None = None) -> list[str]:
        """All study names, oldest first."""
        pointers = sorted((cache_root(root) / "names").glob("*.json"), key=lambda p: (created_at(p), p.stem))
        return [p.stem for p in pointers]

    # ---- keys and results --------------------------------------------------------------------------------------------
    @functools.cached_property
    def content(self) -> dict[str, str]:
        """Digests of pool, target and model as they are now; of a file that is gone, as it was."""
        found = dict(self.inputs)
        for role in ("pool", "target"):
            if input_there(given := getattr(self.config, role)):
                found[role] = input_files(given).digest(self.root / MEMO)
        if (now := model_digest(self.config.model, self.root / MEMO)) != self.config.model:
            found["model"] = now
        return found

    @property
    def question(self) -> str:
        """16 hex digits over what ingest is asked: files and settings, without the pictures, which only reading the
        files can name."""
        return _hash(self._own("ingest"))

    def key(self, job: str) -> str:
        """16 hex digits over what a job reads. Raises JobError before pool and target were read."""
        job = job_named(job).name
        if job == "ingest":
            found = read_sealed(self.ingest_pointer)
            if found is None:
                raise JobError(f"study {self.name!r} has not read its pool and target yet. Run that job first "
                               f"(`python -m cadc run {self.name} --until ingest`).")
            return str(found["key"])
        known = self._keys.setdefault(self.key("ingest"), {})
        if job not in known:
            known[job] = _hash(self._own(job) | {"after": {one: self.key(one) for one in self._before(job)}})
        return known[job]

    @functools.cached_property
    def _keys(self) -> dict[str, dict[str, str]]:
        """Key of what was read → job → its key: nothing else that keys are of changes while a study is open."""
        return {}

    def _own(self, job: str) -> dict[str, object]:
        """What a job reads beside the results of others."""
        about, chosen = JOBS[job], self.config.chosen
        return {"job": job, "version": about.version, "files": {role: self.content[role] for role in about.files},
                "settings": {name: chosen[name] for name in sorted(about.settings) if name in chosen}}

    def _before(self, job: str) -> tuple[str, ...]:
        return tuple(one for one in JOBS[job].after if one in JOBS and JOBS[one].wanted(self.config))

    def result(self, job: str) -> Result:
        """Where a job's result is or will be. Raises JobError before pool and target were read."""
        return self._result(job_named(job).name, {})

    def _result(self, job: str, digests: dict[str, str]) -> Result:
        """`digests`: of the results that were looked at on the way; each is looked at once."""
        for one in self._before(job):
            if one not in digests:
                record = self._result(one, digests).record
                digests[one] = record.digest if record else ""
        inputs = {one: digests[one] for one in self._before(job)}
        return Result(job=job, key=self.key(job), root=self.root, inputs=inputs)

    def finished(self, job: str) -> bool:
        """Whether a job's result is there, made from what its inputs are now."""
        try:
            return self.result(job).finished
        except JobError:
            return False

    def require(self, job: str) -> Result:
        """The result of a finished job. Raises JobError that says how to get it."""
        if not self.finished(job):
            raise JobError(f"study {self.name!r} has no result of the job {job!r} yet: it {JOBS[job].about}. Run it "
                           f"first (`python -m cadc run {self.name} --until {job}`, or the Trajectories page).")
        return self.result(job)

    @property
    def complete(self) -> bool:
        """Whether every job that its pages need is finished."""
        return all(self.finished(job) for job in core_jobs(self.config))

    # ---- where files lie: workers write them, everything else reads them ---------------------------------------------
    def image_root(self, role: str) -> Path:
        """Folder that the picture paths of `role` ('pool' or 'target') are relative to."""
        return Path(self.config.images) if self.config.images else input_root(getattr(self.config, role))

    @property
    def ingest_pointer(self) -> Path:
        """Which ingest result belongs to this question: its key holds the pictures, which change under it."""
        return self.root / "results" / "ingest" / f"question-{self.question}.json"

    @contextmanager
    def new_ingest(self) -> Iterator[Path]:
        """A folder to read pool and target into, while nobody knows the key yet; it is gone afterwards."""
        folder = self.root / "results" / "ingest" / f".making-{self.question}-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep_ingest(self, folder: Path, pictures: Mapping[str, str]) -> Result:
        """Put what was read under its key: the question and the content of the pictures (digest of each role)."""
        key = _hash({"question": self.question, "pictures": dict(pictures)})
        result = Result(job="ingest", key=key, root=self.root)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            place = result.folder / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)
        result.finish()
        write_sealed(self.ingest_pointer, {"key": key})
        return result

    def samples_file(self, role: str) -> Path:
        """Normalised samples of 'pool' or 'target' (parquet)."""
        return self.result("ingest").folder / f"{role}.parquet"

    def ingest_images(self, role: str) -> Path:
        """Pictures that were embedded in the input of `role`."""
        return self.result("ingest").folder / f"images-{role}"

    @property
    def ingest_report(self) -> Path:
        """What was read, set aside and warned about (json)."""
        return self.result("ingest").folder / "report.json"

    @property
    def warmup_folder(self) -> Path:
        """checkpoint-1.safetensors … checkpoint-T, log.jsonl, warmup.json."""
        return self.result("warmup").folder

    @property
    def targets_folder(self) -> Path:
        """vectors-t.safetensors, gram.safetensors, targets.json."""
        return self.result("targets").folder

    @property
    def shards_folder(self) -> Path:
        """shard-00000.safetensors + .json …"""
        return self.result("attribute").folder

    def batch_file(self, job: str) -> Path:
        """How `targets` or `attribute` cuts its batches, chosen once."""
        return self.result(job).folder / "batch.json"

    @property
    def evaluation_folder(self) -> Path:
        """Comparisons asked for, and one file per finished retraining."""
        return self.folder / "evaluation"

    @property
    def exports_folder(self) -> Path:
        """Curricula written from the Curriculum page, one folder each; any other folder may be typed."""
        return self.folder / "exports"

    @property
    def exports_file(self) -> Path:
        """Every export there was, wherever its folder lies (`cadc.export.record`)."""
        return self.folder / "exports.json"

    def job_folder(self, job: str) -> Path:
        """status.json, log.txt, cancel, lock of one job."""
        return self.folder / "jobs" / job

    def cost_file(self, job: str) -> Path:
        """What a job really took (`cadc.jobs.meter`)."""
        return self.job_folder(job) / "cost.json"

    @property
    def estimate_file(self) -> Path:
        """The latest predictions of what the jobs cost, here and on named devices."""
        return self.folder / "estimate.json"

    @property
    def decisions_file(self) -> Path:
        """Latest decisions as JSON: a copy of what the database holds, for a command line beside a running app."""
        return self.folder / "decisions.json"


def studies(root: Path | None = None) -> Iterator["Study"]:
    """Every study of a cache root, by its first name or its identity."""
    base = cache_root(root)
    called = {identity_at(base / "names" / f"{name}.json"): name for name in reversed(Study.names(base))}
    for folder in sorted((base / "studies").glob("*")):
        if folder.is_dir() and re.fullmatch(r"[0-9a-f]{16}", folder.name):
            yield Study.open(called.get(folder.name, folder.name), root=base)


def _absolute(config: StudyConfig) -> StudyConfig:
    """Absolute paths for the files of a config; the name of a model or dataset on the hub that is no path stays."""

    def whole(path: str) -> str:
        return str(Path(path).expanduser().resolve())

    model = Path(config.model).expanduser()
    def data(given: str) -> str:
        return given if is_hub_name(given) else whole(given)

    return dataclasses.replace(config, pool=data(config.pool), target=data(config.target),
                               images=whole(config.images) if config.images else "",
                               model=whole(config.model) if model.is_dir() else config.model)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
