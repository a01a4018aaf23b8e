"""What a job made, under the key of what it read: a folder of files, and a record that says it is finished.

The record names every file with its size and SHA-256 and stands in two places, so that a damaged one is replaced by the
other. A result without a record is unfinished; whatever whole files it holds the job goes on from.
"""

import functools
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cadc.errors import JobError
from cadc.study.files import file_digest, write_json
from cadc.study.jobs import JOBS

log = logging.getLogger(__name__)

RECORD = "record.json"
_SEAL = "seal"


@dataclass(frozen=True)
class Kept:
    """One file of a finished result."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a finished job left."""

    job: str
    key: str
    inputs: Mapping[str, str]
    """Job → digest of the result that this one was made from."""
    files: Mapping[str, Kept]
    """Name below the folder → size and digest."""

    @functools.cached_property
    def digest(self) -> str:
        """16 hex digits over the content of all files that do not differ from run to run."""
        volatile = JOBS[self.job].volatile
        lines = [f"{name} {kept.sha256}" for name, kept in sorted(self.files.items())
                 if not any(fnmatchcase(name, pattern) for pattern in volatile)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file of a finished result that is not what it was."""

    job: str
    file: Path
    what: str
    """What the file is and what became of it, for a person."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The place of one job's result under one key."""

    job: str
    key: str
    root: Path
    """The cache root."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Job → digest of the results that it reads, as they are now; '' for one that is being made (again)."""

    @property
    def folder(self) -> Path:
        """Its files."""
        return self.root / "results" / self.job / self.key

    @property
    def source(self) -> str:
        """16 hex digits over `inputs`: parts of an unfinished result carry them and count only while they are so."""
        return hashlib.sha256(json.dumps(dict(self.inputs), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def _places(self) -> tuple[Path, Path]:
        return self.folder.with_name(f"{self.key}.json"), self.folder / RECORD

    @property
    def record(self) -> Record | None:
        """The record of a finished result that was made from the present inputs, else None."""
        for place in self._places:
            found = _read(place, _stamp(place))
            if found and found.job == self.job and found.key == self.key:
                changed = any(self.inputs.get(job, "") not in ("", made) for job, made in found.inputs.items())
                return None if changed else found
        return None

    @property
    def finished(self) -> bool:
        """Whether it is there, made from the present inputs. Files are checked where they are read (`intact`)."""
        return self.record is not None

    def finish(self) -> Record:
        """Record every file that is there now; the job is finished."""
        files = {name: Kept(path.stat().st_size, file_digest(path)) for name, path in self._files()}
        made = Record(job=self.job, key=self.key, inputs=dict(self.inputs), files=files)
        self._write(made)
        return made

    def _write(self, made: Record) -> None:
        value = {"job": made.job, "key": made.key, "inputs": dict(made.inputs),
                 "files": {name: [kept.bytes, kept.sha256] for name, kept in sorted(made.files.items())}}
        for place in reversed(self._places):
            write_sealed(place, value)

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name != RECORD and path.suffix != ".lock" and not path.name.startswith("."):
                yield path.relative_to(self.folder).as_posix(), path

    def intact(self, name: str) -> Path:
        """A file of a finished result whose size and bytes are as recorded (bytes once per process and content).

        Raises JobError that names it otherwise, or when the job is not finished.
        """
        record = self.record
        if record is None or name not in record.files:
            raise JobError(f"{JOBS[self.job].called(name)} ({name}) is not there: the job {self.job!r} is not finished."
                           " Run the study's jobs (`python -m cadc run NAME`).")
        path = self.folder / name
        if problem := _problem(path, record.files[name]):
            raise JobError(f"{JOBS[self.job].called(name)} ({self.job}/{name}) {problem}. `python -m cadc run NAME` "
                           "makes it again, and nothing else.")
        return path

    def damaged(self) -> list[Damage]:
        """Every file of a finished result that is missing or not as recorded; the record's own two copies included."""
        record = self.record
        if record is None:
            return []
        found = [Damage(job=self.job, file=self.folder / name, what=f"{JOBS[self.job].called(name)} {problem}")
                 for name, kept in record.files.items() if (problem := _problem(self.folder / name, kept))]
        for place in self._places:
            if _read(place, _stamp(place)) != record:
                found.append(Damage(job=self.job, file=place, what=f"a copy of the record of the job {self.job!r} "
                                    f"{'is missing' if not place.exists() else 'is damaged'}"))
        return found

    def repair(self) -> list[Damage]:
        """Take damaged files away, so that the job makes them again and keeps the others; returns what was damaged.

        Where only a copy of the record is damaged it is written from the other one, and the result stays finished.
        """
        found, record = self.damaged(), self.record
        files = [damage for damage in found if damage.file not in self._places]
        for damage in found:
            log.warning("%s: %s", damage.what, damage.file)
            damage.file.unlink(missing_ok=True)
        if files:
            self.reopen()
        elif found and record:
            self._write(record)
        return found

    def reopen(self) -> None:
        """The job is not finished any more; its files stay for it to go on from."""
        for place in self._places:
            place.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take everything away."""
        self.reopen()
        shutil.rmtree(self.folder, ignore_errors=True)


def write_sealed(path: Path, value: Mapping[str, object]) -> None:
    """JSON with a checksum of itself in it."""
    write_json(path, {_SEAL: _sealed(value), **value})


def read_sealed(path: Path) -> dict[str, Any] | None:
    """What `write_sealed` wrote; None when the file is missing or is not what was written."""
    try:
        value = json.loads(path.read_bytes())
        seal = value.pop(_SEAL)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return value if seal == _sealed(value) else None


def _sealed(value: Mapping[str, object]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_size, about.st_mtime_ns, about.st_ino, about.st_ctime_ns


@functools.lru_cache(maxsize=512)
def _read(path: Path, stamp: tuple[int, ...]) -> Record | None:
    """`stamp` makes a replaced file another question."""
    value = read_sealed(path) if stamp else None
    if value is None:
        return None
    try:
        return Record(job=value["job"], key=value["key"], inputs=value["inputs"],
                      files={name: Kept(int(size), str(digest)) for name, (size, digest) in value["files"].items()})
    except (KeyError, TypeError, ValueError):
        return None


def _problem(path: Path, kept: Kept) -> str:
    """What is wrong with a file; '' when nothing is."""
    stamp = _stamp(path)
    if not stamp:
        return "is missing"
    if stamp[0] != kept.bytes:
        return f"has {stamp[0]:,} bytes instead of {kept.bytes:,}"
    return "" if _digest(path, stamp) == kept.sha256 else "has other bytes than were written"


@functools.lru_cache(maxsize=65_536)
def _digest(path: Path, stamp: tuple[int, ...]) -> str:
    """Bytes are read once for every content."""
    return file_digest(path)
