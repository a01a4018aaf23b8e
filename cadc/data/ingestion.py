"""File → samples, with every row that cannot be used set aside for a stated reason."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from cadc.data.files import Rows, open_rows
from cadc.data.inventory import Inventory, inventory_of
from cadc.data.limits import USUAL, PictureLimits
from cadc.data.pictures import PerceptualHash, PictureBox
from cadc.data.places import relative
from cadc.data.rawrow import Embedded, RawRow
from cadc.data.reasons import Reason, SetAside, printable
from cadc.data.rows import Draft, KeyCounts, Reading, has_known_shape, is_messages, read_row, row_id
from cadc.data.sample import Sample
from cadc.errors import DataError
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

CHUNK = 256
"""Rows whose pictures are examined together."""


@dataclass(frozen=True)
class Ingest:
    """What a file holds."""

    samples: list[Sample]
    """Accepted rows, in file order."""
    raw: list[str]
    """JSON text of the original row of each sample, in one line; embedded pictures as their file names."""
    set_aside: list[Reason]
    warnings: list[Reason]
    format: str
    """Shape and container, such as `llava json` or `messages-blocks jsonl`."""
    rows: int
    """Rows in the file: accepted plus set aside."""
    hashes: dict[str, PerceptualHash] = field(default_factory=dict, repr=False, compare=False)
    """PerceptualHash of every accepted picture, by its name in `Sample.images`."""
    pictures: Inventory = field(default_factory=Inventory, repr=False, compare=False)
    """Every picture that was looked for, found or not."""
    keys: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict, repr=False, compare=False)
    """Columns and keys of turns and blocks that were read, kept or ignored in the accepted rows (`KeyCounts.told`)."""
    passed_over: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    """Files of a folder or glob that are no data → how many (`Rows.passed_over`)."""


def ingest(path: Path | str, images_root: Path | str | None = None, *, unit_column: str = "",
           reading: Reading | None = None, embedded_to: Path | str | None = None, progress: Progress | None = None,
           limits: PictureLimits = USUAL) -> Ingest:
    """Read a pool or target file in any accepted format (docs/data.md).

    `images_root`: folder that picture paths are relative to; none means the file's own folder. `unit_column`: column
    that names the target unit of a row; `reading` says this and how else rows are read. `embedded_to`: folder for
    pictures embedded in the input; without it they are examined and named, but not kept. `limits`: what pictures may
    be. Raises DataError (one line) when the file as a whole cannot be read, or when none of its rows could be of use.
    """
    reading = reading or Reading(unit_column=unit_column)
    found, rows = _read(path, images_root, reading, embedded_to, progress, limits)
    found.require_use(Path(path))
    return found.finish(Path(path), rows)


def _read(path: Path | str, images_root: Path | str | None, reading: Reading, embedded_to: Path | str | None,
          progress: Progress | None, limits: PictureLimits) -> "tuple[_File, Rows]":
    """Every row read, and the files they came in."""
    rows = open_rows(path)
    root = Path(images_root) if images_root not in (None, "") else rows.root
    if not root.is_dir():
        raise DataError(f"image root {root} is not a folder. Give the folder that picture paths are relative to.")
    found = _File(PictureBox(root, Path(embedded_to) if embedded_to is not None else None, limits), reading)
    walk = iter(rows)
    while chunk := list(islice(walk, CHUNK)):
        found.take(chunk)
        if progress is not None:
            progress.step(len(chunk))
    found.say_where(rows)
    return found, rows


def count_rows(path: Path | str) -> int:
    """Rows in a file; the file is read through. Raises DataError as `ingest` does."""
    return sum(1 for _ in open_rows(path))


def listed(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Reasons as JSON values."""
    return [{"index": r.index, "id": r.id, "reason": r.reason} for r in reasons]


class _File:
    """What is known so far of one file."""

    def __init__(self, box: PictureBox, reading: Reading) -> None:
        self.box, self.reading, self.unit_column = box, reading, reading.unit_column
        self.keys = KeyCounts()
        self.samples: list[Sample] = []
        self.raw: list[str] = []
        self.set_aside: list[Reason] = []
        self.warnings: list[Reason] = []
        self.shapes: dict[str, int] = {}
        self.ids: dict[str, int] = {}
        self.columns: dict[str, None] = {}
        self.rows = self.objects = 0
        self.known_shape = self.unit_seen = False

    def take(self, chunk: list[RawRow]) -> None:
        """Read a few rows, then look at their pictures together."""
        drafts = list(self._drafts(chunk))
        self.box.examine(p for _, _, pictures in drafts for p in pictures)
        for row, draft, pictures in drafts:
            self._accept(row, draft, pictures)

    def _drafts(self, chunk: list[RawRow]) -> Iterator[tuple[RawRow, Draft, list[str | Embedded]]]:
        for row in chunk:
            self.rows += 1
            if is_messages(row.value):
                row = replace(row, value={"messages": row.value})
            if isinstance(row.value, dict):
                self.objects += 1
                self.known_shape |= has_known_shape(row.value)
                self.unit_seen |= self.unit_column in row.value
                if len(self.columns) < 100:
                    self.columns |= dict.fromkeys(printable(key, 60) for key in row.value)
            try:
                draft = read_row(row, self.reading)
                pictures = [p if isinstance(p, Embedded) else relative(self.box.given, p) for p in draft.pictures]
            except SetAside as reason:
                self.set_aside.append(Reason(row.index, row_id(row.value), str(reason)))
                continue
            yield row, draft, pictures

    def _accept(self, row: RawRow, draft: Draft, pictures: list[str | Embedded]) -> None:
        """Keep a row whose pictures are all right."""
        looked = self.box.looked(pictures)
        if looked.problem:
            self.set_aside.append(Reason(row.index, draft.id, looked.problem))
            return
        notes = [*draft.warnings, *looked.warnings]
        if draft.id and draft.id in self.ids:
            notes.append(f"duplicate id: first in row {self.ids[draft.id]}")
        self.ids.setdefault(draft.id, row.index)
        self.warnings.extend(Reason(row.index, draft.id, note) for note in notes)
        self.keys.add(draft.keys)
        self.shapes[draft.shape] = self.shapes.get(draft.shape, 0) + 1
        self.raw.append(row.raw)
        self.samples.append(Sample(index=row.index, id=draft.id, images=looked.names, turns=draft.turns,
                                   source=draft.source, unit=draft.unit, kept=draft.kept))

    def require_use(self, path: Path) -> None:
        """DataError when no row could ever have been accepted."""
        columns = ", ".join(self.columns) or "none"
        if self.rows == 0:
            raise DataError(f"{path} holds no rows. Give a file with at least one row.")
        if not self.samples and not self.known_shape:
            first = f" The first row: {self.set_aside[0].reason}." if self.objects < self.rows else ""
            raise DataError(f"{path}: no row is a conversation. Expected the column conversations, messages, texts, or "
                            f"a question with its answer; columns here: {columns}.{first} Rename them, or give another "
                            "file.")
        if self.unit_column and self.objects and not self.unit_seen:
            raise DataError(f"{path}: no row has the unit column {self.unit_column!r}. Columns here: {columns}. Name "
                            "one of them, or none: then every target sample is a unit.")

    def say_where(self, rows: Rows) -> None:
        """Name the file that a row lies in, where there are several."""
        for reasons in (self.set_aside, self.warnings):
            reasons[:] = [replace(one, reason=f"{one.reason}{', ' if ':' in one.reason else ': '}{place}")
                          if (place := rows.place(one.index)) else one for one in reasons]

    def finish(self, path: Path, rows: Rows) -> Ingest:
        """The result."""
        shape = max(self.shapes, key=lambda s: self.shapes[s], default="no accepted row:")
        mixed = " (mixed)" if len(self.shapes) > 1 else ""
        log.info("%s: %d rows, %d accepted, %d set aside, %d warnings", path.name, self.rows, len(self.samples),
                 len(self.set_aside), len(self.warnings))
        self.set_aside.sort(key=lambda reason: reason.index)
        hashes = {name: fact.hash for name, fact in self.box.found.items() if fact.hash is not None}
        return Ingest(self.samples, self.raw, self.set_aside, self.warnings, f"{shape} {rows.container}{mixed}",
                      self.rows, hashes, inventory_of(self.box.found), self.keys.told(), dict(rows.passed_over))
