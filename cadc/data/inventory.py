"""Which pictures an input names and what was in them, so that a picture that is replaced, lost or brought later is
noticed: a study is told apart by the content of its pictures, not by their names or times.

Every picture that ingest looked at is listed, those that were not there included; rows that are set aside for their
words alone are not asked for theirs.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cadc.data.limits import USUAL, PictureLimits
from cadc.data.parquet import EMBEDDED
from cadc.data.pictures import Fact, read_picture
from cadc.data.places import Places
from cadc.data.reasons import SetAside
from cadc.errors import JobError
from cadc.study import replacing

THREADS, PART = 8, 2048
"""Files are looked at by so many threads (a network's delay is long), so many at a time."""


@dataclass(frozen=True)
class Inventory:
    """Pictures of one input, in order of their names."""

    names: tuple[str, ...] = ()
    """As in `Sample.images`."""
    bytes: tuple[int, ...] = ()
    """Size of each file; −1 where none was read."""
    mtime_ns: tuple[int, ...] = ()
    """When each was last written; −1 where none was read, and for an embedded picture of which no copy is kept."""
    sha256: tuple[str, ...] = ()
    """Digest of each file's content, '' where it was not read."""
    problems: tuple[str, ...] = ()
    """Why it is of no use (`Reason.kind`), '' where it is."""
    widths: tuple[int, ...] = ()
    """Pixels, upright; 0 where it was not decoded; () in inventories of earlier versions."""
    heights: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over names and contents: the same wherever and whenever the files were written."""
        whole = hashlib.sha256()
        for name, content in zip(self.names, self.sha256, strict=True):
            whole.update(f"{name}\0{content}\n".encode())
        return whole.hexdigest()

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Change:
    """One picture that is not what ingest found."""

    name: str
    what: Literal["replaced", "gone", "arrived"]
    """`gone`: it could be read and cannot be now; `arrived`: the reverse."""


def inventory_of(facts: Mapping[str, Fact]) -> Inventory:
    """What a `PictureBox` found out, by name."""
    return _listed({name: facts[name] for name in sorted(facts)})


def _listed(facts: Mapping[str, Fact]) -> Inventory:
    values = facts.values()
    return Inventory(tuple(facts), tuple(f.bytes for f in values), tuple(f.mtime_ns for f in values),
                     tuple(f.sha256 for f in values), tuple(f.problem.split(":", 1)[0] for f in values),
                     tuple(f.width for f in values), tuple(f.height for f in values))


def differences(before: Inventory, after: Inventory) -> list[Change]:
    """Pictures whose content is another one in the second inventory of the same names, in order of these; a file that
    was only touched is none."""
    found = []
    for name, old, new in zip(before.names, before.sha256, after.sha256, strict=True):
        if old != new:
            found.append(Change(name, "gone" if not new else "arrived" if not old else "replaced"))
    return found


def renewed(inventory: Inventory, root: Path, embedded: Path | None, limits: PictureLimits = USUAL) -> Inventory:
    """The same names, looked at now. Only files of another size or time are read: what is written over with as many
    bytes and given its old time again is not seen.

    `root`: the image root; `embedded`: where copies of pictures inside the input are kept (none: they are not looked
    at, they count with the input file); `limits`: the
    study's, of which links count here. Written back, it spares the next look from reading files that were only touched
    or copied.
    """
    none = (0,) * len(inventory)
    facts = {name: Fact(problem, bytes=size, mtime_ns=time, sha256=content, width=width, height=height)
             for name, size, time, content, problem, width, height
             in zip(inventory.names, inventory.bytes, inventory.mtime_ns, inventory.sha256, inventory.problems,
                    inventory.widths or none, inventory.heights or none, strict=True)}
    look = _Look(facts, root, embedded, limits)
    with ThreadPoolExecutor(THREADS) as pool:
        parts = (inventory.names[start:start + PART] for start in range(0, len(inventory), PART))
        other = [name for part in pool.map(look.moved, parts) for name in part]
        return _listed(facts | dict(zip(other, pool.map(look.again, other), strict=True)))


class _Look:
    """A second look at pictures that facts are known of."""

    def __init__(self, known: Mapping[str, Fact], root: Path, embedded: Path | None, limits: PictureLimits) -> None:
        self._known, self._root = known, Places(root, limits)
        self._embedded = None if embedded is None else Places(embedded)

    def _place(self, name: str) -> tuple[Places | None, str]:
        """Where to look, and for which name; nowhere for an embedded picture that is not looked at."""
        if not name.startswith(EMBEDDED):
            return self._root, name
        return self._embedded if self._known[name].mtime_ns >= 0 else None, name.removeprefix(EMBEDDED)

    def moved(self, names: Iterable[str]) -> list[str]:
        """Those of another size or time, or that came or went."""
        found = []
        for name in names:
            places, inside = self._place(name)
            if places is not None and _seen(places, inside) != (self._known[name].bytes, self._known[name].mtime_ns):
                found.append(name)
        return found

    def again(self, name: str) -> Fact:
        """One file read anew; what is wrong with it stays known while its content is the same."""
        places, inside = self._place(name)
        if places is None:
            raise ValueError(f"{name} is not looked at")
        try:
            place = places.exact(inside)
            data, fact = read_picture(place.path, place.used)
        except FileNotFoundError:
            return Fact("picture not found")
        except SetAside as reason:
            return Fact(str(reason))
        content, known = hashlib.sha256(data).hexdigest(), self._known[name]
        if content != known.sha256:
            return replace(fact, sha256=content)
        return replace(fact, sha256=content, problem=known.problem, width=known.width, height=known.height)


def _seen(places: Places, name: str) -> tuple[int, int]:
    """Size and time of a file; −1 each where there is none under any writing of its name."""
    try:
        info = os.stat(os.path.join(places.root, name))
    except (OSError, ValueError):
        if name.isascii() and "\\" not in name and "%" not in name and name == name.strip():
            return -1, -1
        try:
            info = os.stat(places.exact(name).path)
        except (OSError, SetAside):
            return -1, -1
    return info.st_size, info.st_mtime_ns


def write_inventory(path: Path, inventory: Inventory) -> None:
    """Write an inventory as parquet. Atomic."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    none = (0,) * len(inventory)
    table = pa.table({"name": pa.array(inventory.names, pa.string()), "bytes": pa.array(inventory.bytes, pa.int64()),
                      "mtime_ns": pa.array(inventory.mtime_ns, pa.int64()),
                      "sha256": pa.array(inventory.sha256, pa.string()),
                      "problem": pa.array(inventory.problems, pa.string()),
                      "width": pa.array(inventory.widths or none, pa.int32()),
                      "height": pa.array(inventory.heights or none, pa.int32())})
    with replacing(path) as handle:
        pq.write_table(table, handle, compression="zstd")


def read_inventory(path: Path) -> Inventory:
    """What `write_inventory` wrote. Raises JobError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = ["name", "bytes", "mtime_ns", "sha256", "problem", "width", "height"]
        there = set(pq.read_schema(path).names)  # earlier versions kept no sizes
        table = pq.read_table(path, columns=[name for name in columns if name in there])
        return Inventory(*(tuple(column.to_pylist()) for column in table.columns))
    except (FileNotFoundError, pa.ArrowException, OSError, ValueError) as error:
        raise JobError(f"{path.name} of study {path.parent.parent.name} cannot be read ({type(error).__name__}). "
                       "Run the ingest job again.") from error
