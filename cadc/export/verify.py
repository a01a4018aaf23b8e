"""Checking an export where it lies, without the study that it came from: files, pictures, lengths, and the curriculum
itself, which is read back by our own reader and compared row by row with what the manifest says."""

import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cadc.data import PictureLimits, Sample, ingest, open_images
from cadc.errors import DataError
from cadc.export.columns import CAPABILITY, STAGE
from cadc.export.copies import differing_copies, differing_ids, label
from cadc.export.reading import MANIFEST, read_manifest
from cadc.export.rowset import row_digest
from cadc.study import file_digest

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN = 3
"""Examples of a fault that are named."""

Measure = Callable[[Sample, "Sequence[Image]"], int]
"""Tokens of a sample with its opened pictures, by somebody's processor. Raises DataError where it refuses."""


@dataclass
class Verified:
    """What was found."""

    rows: int = 0
    """Rows that the manifest lists."""
    restored: int = 0
    """Rows that read back to what was written."""
    files: int = 0
    pictures: int = 0
    """Distinct pictures that were opened."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    """Kind of fault → where, each once."""
    remarks: list[str] = field(default_factory=list)
    """What is no fault, but should be known."""

    def fault(self, kind: str, where: object) -> None:
        """Note one."""
        self.faults.setdefault(kind, []).append(str(where))

    def lines(self) -> list[str]:
        """Each kind of fault once, with its count and examples."""
        return [f"{kind}: {len(where)} ({', '.join(where[:SHOWN])}{', …' if len(where) > SHOWN else ''})"
                for kind, where in self.faults.items()]


def verify(folder: Path | str, *, measure: Measure | None = None) -> Verified:
    """Check an export. measure: how long a row is; without it lengths are taken from the manifest, where it has them.

    Raises DataError where the folder holds no (finished) export.
    """
    folder = Path(folder)
    manifest, found = read_manifest(folder), Verified()
    found.rows = int(manifest["rows_written"])
    _check_files(folder, manifest, found)
    if len(manifest["rows"]) != found.rows:
        found.fault("the manifest lists another number of rows than it says", len(manifest["rows"]))
    try:
        if set(manifest["data"]) == {"ids.jsonl"}:
            found.remarks.append("there are no rows to restore, ids only")
            for where in differing_ids(folder / "ids.jsonl", manifest["rows"]):
                found.fault("ids are not those that were written", where)
            return found
        with _readable(folder, manifest) as (files, root):
            _check_rows(files, root, manifest, found, measure)
        for name in differing_copies(folder, manifest):
            found.fault("file has other rows than the whole", name)
    except (DataError, OSError, ValueError, KeyError, tarfile.TarError) as error:
        found.fault("the rows cannot be read back", error)
    return found


def is_export(folder: Path) -> bool:
    """Whether a folder may hold an export."""
    return (folder / MANIFEST).is_file()


# ---- files ---------------------------------------------------------------------------------------------------------
def _check_files(folder: Path, manifest: dict[str, Any], found: Verified) -> None:
    """Compare every listed file with its size and digest."""
    changed = []
    for key in ("files", "picture_files", "beside"):
        for entry in manifest.get(key) or []:
            found.files += 1
            problem = _problem(folder, entry)
            if problem == _OTHER and key == "beside":
                changed.append(entry["file"])  # a config is there to be changed
            elif problem:
                found.fault(problem, entry["file"])
    if changed:
        found.remarks.append(f"changed since it was written: {', '.join(changed)}")


_OTHER = "file has other bytes than were written"


def _problem(folder: Path, entry: dict[str, Any]) -> str:
    """What is wrong with a file, '' for nothing."""
    name = str(entry["file"])
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        return "file outside the folder"
    path = folder / name
    if not path.is_file():
        return "file is missing"
    return "" if path.stat().st_size == entry["bytes"] and file_digest(path) == entry["sha256"] else _OTHER


# ---- rows ----------------------------------------------------------------------------------------------------------
@contextmanager
def _readable(folder: Path, manifest: dict[str, Any]) -> Iterator[tuple[list[Path], Path]]:
    """Files with all rows in training order that our reader takes, and their image root."""
    files = [folder / name for name in manifest["data"]]
    if all(path.suffix == ".tar" for path in files):
        with tempfile.TemporaryDirectory() as place:
            yield [_unpacked(files, Path(place))], Path(place)
        return
    yield files, Path("/") if manifest["pictures"]["how"] == "absolute" else folder


def _unpacked(shards: Sequence[Path], place: Path) -> Path:
    """Rows of tar shards as JSON Lines, their pictures beside them; only plain members, by their bare names."""
    rows = place / "rows.jsonl"
    with rows.open("w", encoding="utf-8") as out:
        for shard in shards:
            with tarfile.open(shard) as tar:
                for member in tar:
                    data = tar.extractfile(member) if member.isreg() and "/" not in member.name else None
                    if data is None:
                        raise DataError(f"{shard.name}: member {member.name!r} is no plain file.")
                    if member.name.endswith(".json"):
                        out.write(json.dumps(json.load(data), ensure_ascii=True) + "\n")
                    else:
                        (place / member.name).write_bytes(data.read())
    return rows


def _check_rows(files: Sequence[Path], root: Path, manifest: dict[str, Any], found: Verified,
                measure: Measure | None) -> None:
    """Read all rows back; count what cannot be read, opened, or differs."""
    records, start, read = manifest["rows"], 0, dict[int, str]()
    limit = int(manifest["recipe"]["max_tokens"])
    names: set[str] = set()
    limits = _limits(manifest)
    with tempfile.TemporaryDirectory() as kept:
        for path in files:
            part = ingest(path, root, embedded_to=kept, limits=limits)
            for reason in part.set_aside:
                found.fault(reason.reason.partition(":")[0], f"row {start + reason.index}")
            digests = dict(zip(part.pictures.names, part.pictures.sha256, strict=True))
            for sample, raw in zip(part.samples, part.raw, strict=True):
                place = start + int(sample.index)
                read[place] = row_digest(sample, [digests[name] for name in sample.images])
                names.update(sample.images)
                if manifest.get("restorable") and place < len(records):
                    _check_label(place, raw, records[place], found)
                if measure is not None:
                    _check_length(place, partial(_tokens, sample, measure, root, Path(kept), limits), limit, found)
            start += part.rows
    found.pictures = len(names)
    if start != found.rows:
        found.fault("another number of rows than was written", f"{start} instead of {found.rows}")
    _check_order(read, records, found, restorable=bool(manifest.get("restorable")))
    if measure is None:
        _known_lengths(records, limit, found)


def _limits(manifest: dict[str, Any]) -> PictureLimits:
    """Pictures may be as large as the study let them be."""
    pixels = (manifest.get("config") or {}).get("max_pixels")
    return PictureLimits(max_pixels=pixels) if type(pixels) is int else PictureLimits()


def _check_label(place: int, raw: str, record: dict[str, Any], found: Verified) -> None:
    row, wanted = json.loads(raw), label(record)
    row = row if isinstance(row, dict) else {}  # a row that is a list of turns has no label
    for kind, is_now, was in zip(("stage", "capability", "id"),
                                 (row.get(STAGE), row.get(CAPABILITY), str(row.get("id") or "")), wanted, strict=True):
        if is_now != was:
            found.fault(f"row is of another {kind}" if kind != "id" else "row has another id",
                        f"row {place}: {is_now} instead of {was}")


def _check_order(read: dict[int, str], records: Sequence[dict[str, Any]], found: Verified, *, restorable: bool) -> None:
    """Compare what was read with what the manifest says was written, row by row."""
    if not restorable:
        found.remarks.append("rows are as they came or of a format of somebody else's: they are counted, not restored")
        return
    wanted = {place: str(record.get("content")) for place, record in enumerate(records)}
    differing = [place for place, digest in read.items() if wanted.get(place) != digest]
    found.restored = len(read) - len(differing)
    moved = Counter(read[place] for place in differing) & Counter(
        digest for place, digest in wanted.items() if read.get(place) != digest)
    for place in differing:
        kind = "row is not at its place" if moved[read[place]] > 0 else "row reads back otherwise than it was written"
        found.fault(kind, f"row {place}")


# ---- lengths -------------------------------------------------------------------------------------------------------
def _tokens(sample: Sample, measure: Measure, root: Path, embedded: Path, limits: PictureLimits) -> int:
    return measure(sample, open_images(sample, root, embedded, limits))


def _check_length(place: int, measured: Callable[[], int], limit: int, found: Verified) -> None:
    try:
        tokens = measured()
    except DataError as error:
        found.fault("the processor refuses it", f"row {place}: {error}")
        return
    if tokens > limit:
        found.fault(f"longer than the {limit} tokens of the recipe", f"row {place}: {tokens}")


def _known_lengths(records: Sequence[dict[str, Any]], limit: int, found: Verified) -> None:
    """Lengths that the study estimated, where the manifest has them."""
    known = [(place, record["tokens"]) for place, record in enumerate(records) if record.get("tokens") is not None]
    if not known:
        found.remarks.append("lengths were not measured: --model says by whose processor")
    for place, tokens in known:
        if tokens > limit:
            found.fault(f"longer than the {limit} tokens of the recipe, as estimated", f"row {place}: {tokens}")
