"""Rows of an input, one at a time: a JSON list, JSON Lines, parquet or arrow file, or several of them in order; the
format is found by content, not by extension.

A row that cannot be read is a row with a problem. A file that cannot be read to its end, an empty or a binary file, and
an input in which no row can be read are a `DataError` of one line.
"""

import codecs
import json
import re
import shlex
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import Literal

from cadc.data.indices import FileIndex
from cadc.data.json_text import MAX_ROW, integer, json_lines, json_list
from cadc.data.other_files import are_columns, rows_of, what_else
from cadc.data.parquet import arrow_rows, parquet_rows
from cadc.data.rawrow import RawRow
from cadc.data.reasons import printable
from cadc.data.rows import has_known_shape
from cadc.data.streams import PIECE, CutOffError, TextFile, text_file
from cadc.errors import DataError
from cadc.study.inputs import HINT, InputFiles, input_files

HEAD = 4 << 20
"""Bytes looked at to tell the formats apart."""
COLUMNS = 20
"""Names that a message lists."""

_ROWS_WANTED = "Give a JSON list of rows, or one row per line"

Container = Literal["json", "jsonl", "parquet", "arrow"]

_MEMBER = re.compile(r'"((?:[^"\\]|\\.)*+)"\s*:\s*(\[\s*\{|\[|\{)?|[\[\]{}]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)


@dataclass(frozen=True)
class Shard:
    """One file of rows."""

    file: TextFile
    container: Container

    def rows(self) -> Iterator[RawRow]:
        """Its rows, counted from 0."""
        if self.container == "parquet":
            return parquet_rows(self.file.path)
        if self.container == "arrow":
            return arrow_rows(self.file.path)
        return json_list(self.file) if self.container == "json" else json_lines(self.file)


@dataclass(frozen=True)
class Rows:
    """An input that can be read: its files and how to walk them (as often as needed)."""

    files: InputFiles
    shards: tuple[Shard, ...]
    passed_over: dict[str, int]
    """Files that lie there and are not read → how many: `README.md`, `*.jpg`, `images/`."""
    starts: list[int] = field(default_factory=list, repr=False, compare=False)
    """Index of the first row of every shard that was walked to so far."""

    @property
    def path(self) -> Path:
        """What was asked for."""
        return Path(self.files.given)

    @property
    def root(self) -> Path:
        """Folder that picture paths are relative to unless another is given."""
        return self.files.root

    @property
    def container(self) -> str:
        """`json`, `jsonl`, `parquet` or `arrow`; several joined by `+`."""
        return "+".join(dict.fromkeys(shard.container for shard in self.shards))

    def __iter__(self) -> Iterator[RawRow]:
        """Every row of every shard, counted through. Raises DataError when a shard is damaged or no row can be read."""
        index, usable, first = 0, False, ""
        for number, shard in enumerate(self.shards):
            self.starts[number:] = [index]
            try:
                for row in shard.rows():
                    yield replace(row, index=FileIndex(index)) if number else row
                    usable |= not row.problem
                    first = first or row.problem
                    index += 1
            except CutOffError as error:
                raise DataError(f"{error}; {index - self.starts[number]:,} rows were read before. Get the file anew."
                                ) from None
        if not usable:
            nothing = f"none of its {index:,} rows can be read; the first: {first}. Repair the file" if index else \
                "it holds no rows. Give a file with at least one row"
            raise DataError(f"{self.path}: {nothing}.")

    def place(self, index: int) -> str:
        """The file that a row lies in and its number there, from 0, as `part-2.jsonl row 5`; '' where there is but one
        file. Known for rows that were walked to."""
        if len(self.shards) < 2 or not self.starts:
            return ""
        number = bisect_right(self.starts, index) - 1
        path = self.shards[number].file.path
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        return f"{printable(name)} row {index - self.starts[number]}"


def open_rows(given: Path | str) -> Rows:
    """Tell what a file, a folder, a glob or a downloaded dataset holds. Raises DataError when there is nothing that can
    be read, or a file in it is nothing that is known."""
    files = input_files(given)
    shards, passed = [], dict(files.passed_over)
    for path in files.files:
        try:
            file = text_file(path)
            container = _container(file)
        except CutOffError as error:
            raise DataError(f"{error}. Get the file anew.") from None
        except (OSError, ValueError) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise DataError(f"{path}: cannot be read ({what}). Give the path of {HINT}.") from None
        if container is not None:
            shards.append(Shard(file, container))
        elif files.several:
            passed[f"{path.name} (empty)"] = 1
        else:
            raise DataError(f"{path} is empty. Give a file with at least one row.")
    if not shards:
        raise DataError(f"every file in {given} is empty. Give files with at least one row.")
    return Rows(files, tuple(shards), passed)


def _container(file: TextFile) -> Container | None:
    """What a file holds, from its first bytes; None when it is empty."""
    with file.open() as handle:
        head, rest = _head(handle)
        if head.startswith(b"PAR1"):
            return "parquet"
        if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
            return "arrow"
        body = head.removeprefix(codecs.BOM_UTF8).lstrip()
        if not body and not rest:
            return None
        lines = [line for line in body.split(b"\n") if line.strip()]
        if body[:1] == b"{" and len(lines) == 1:
            _check_only_line(file.path, body, rest, handle)
            return "jsonl"
    if body[:1] == b"{" and _parses(lines[0]) is None:
        _check_over_lines(file.path, body)
    if rest and len(lines) > 1:
        lines.pop()
    if body[:1] == b"[":
        return "jsonl" if len(lines) > 1 and _parses(lines[0]) is not None else "json"
    if any(_parses(line) is dict for line in lines[:200]):
        return "jsonl"
    raise DataError(f"{file.path} is neither a JSON list, nor JSON Lines, nor parquet{what_else(file.path, body)}")


def _head(handle: BufferedReader) -> tuple[bytes, bytes]:
    """(the first bytes of a text, a bit of what follows, '' at its end); those before the damage of a damaged one."""
    pieces, size = [], 0
    try:
        while size < HEAD and (piece := handle.read1(PIECE)):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces), handle.read(1)
    except CutOffError:
        if not size:
            raise
        return b"".join(pieces), b"?"  # whoever reads on meets the damage


def _parses(text: bytes) -> type | None:
    """Type of the JSON value that `text` is, None if it is none."""
    try:
        return type(json.JSONDecoder(parse_int=integer).decode(text.decode("utf-8-sig")))
    except RecursionError:
        return dict if text.lstrip()[:1] == b"{" else list
    except ValueError:
        return None


# ---- one JSON object is no rows ------------------------------------------------------------------------------------
def _check_only_line(path: Path, body: bytes, rest: bytes, handle: BufferedReader) -> None:
    """Raise DataError when a file that begins with one long line is nothing but one object that is no row."""
    size, piece = len(body), rest
    while piece:
        line, newline, after = piece.partition(b"\n")
        size += len(line)
        body += line if size <= MAX_ROW else b""
        while newline and not after.strip() and (after := handle.read(PIECE)):
            pass
        if after.strip():
            return  # more lines: the first one is a row, however long
        piece = b"" if newline else handle.read(PIECE)
    text = body.decode("utf-8-sig", "replace")
    members = _members(text)
    try:
        value = json.JSONDecoder(parse_int=integer).decode(text) if size <= MAX_ROW else _outline(members)
    except (RecursionError, ValueError):
        return  # a row with a problem
    if has_known_shape(value) and are_columns(value):
        raise DataError(f"{path} is one JSON object with a column under each key ({_few(members, 4)}), not rows. Make "
                        f"rows of it: {rows_of(path, 'pd.read_json({})')}.")
    if not has_known_shape(value):
        _refuse_wrapped(path, members)
        if size > MAX_ROW:
            raise DataError(f"{path} is one JSON object of {size:,} bytes, not rows. {_ROWS_WANTED}. Keys here: "
                            f"{_few(members) or 'none'}.")


def _check_over_lines(path: Path, body: bytes) -> None:
    """Raise DataError when a file is one object that is spread over lines, or several such objects."""
    text = body.decode("utf-8-sig", "replace")
    try:
        _, end = json.JSONDecoder(parse_int=integer).raw_decode(text)
        after = text[end:].strip()
    except RecursionError:
        return
    except json.JSONDecodeError as error:
        if error.pos < len(text) - 16 and not error.msg.startswith("Unterminated"):
            return  # a line that is broken by itself
        end, after = len(text), ""
    if "\n" not in text[:end]:
        return
    if after.startswith("{"):
        raise DataError(f"{path} is several JSON objects over several lines each. Write one per line: `jq -c . "
                        f"{shlex.quote(path.name)} > rows.jsonl`.")
    members = _members(text)
    if not has_known_shape(_outline(members)):
        _refuse_wrapped(path, members)
    raise DataError(f"{path} is one JSON object over several lines, not rows. {_ROWS_WANTED}. Keys here: "
                    f"{_few(members) or 'none'}.")


def _refuse_wrapped(path: Path, members: dict[str, str]) -> None:
    """Raise DataError that says how to take the rows out of an object that has them inside."""
    name, lists = shlex.quote(path.name), [key for key, kind in members.items() if kind == "list of objects"]
    others = [key for key in members if key not in lists]
    if lists:
        key = lists[0] if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", lists[0]) else f"[{json.dumps(lists[0])}]"
        take = shlex.quote(f".{key}[]")
        raise DataError(f"{path} is one JSON object with a list of objects under {_few(lists)}"
                        f"{f' beside {_few(others)}' if others else ''}, not rows. Take the list out: "
                        f"`jq -c {take} {name} > rows.jsonl`.")
    if members and all(kind == "object" for kind in members.values()):
        take = shlex.quote("to_entries[] | {id: .key} + .value")
        raise DataError(f"{path} is one JSON object with an object under each key ({_few(members, 4)}), not a list of "
                        f"rows. Make rows of it: `jq -c {take} {name} > rows.jsonl`.")


def _members(text: str) -> dict[str, str]:
    """Keys of the object that a text begins with → `list of objects`, `list`, `object`, `other`, as far as it goes."""
    kinds = {"[": "list", "{": "object", "": "other"}
    found: dict[str, str] = {}
    depth = 0
    for token in _MEMBER.finditer(text):
        opened = token[2] or ""
        if token[1] is None:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        elif depth == 1:
            found[printable(token[1], 60)] = "list of objects" if len(opened) > 1 else kinds[opened]
        depth += len(re.sub(r"\s", "", opened))
        if depth <= 0:
            break
    return found


def _outline(members: dict[str, str]) -> dict[str, object]:
    """An object of these members without what is in them."""
    return {key: [] if kind.startswith("list") else {} if kind == "object" else "" for key, kind in members.items()}


def _few(names: "dict[str, str] | list[str]", most: int = COLUMNS) -> str:
    """The first names, and how many there are beside them."""
    return ", ".join(list(names)[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
