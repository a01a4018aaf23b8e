"""Rows of a JSON list, JSON Lines or parquet file, one at a time; the format is found by content, not by extension.

A broken JSON Lines line is one row with a problem. A JSON list that cannot be read to its end, an empty or a binary
file is a `DataError` of one line with its position.
"""

import codecs
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cadc.data.indices import FileIndex
from cadc.data.parquet import parquet_rows
from cadc.data.rawrow import RawRow
from cadc.errors import DataError

HEAD = 4 << 20
"""Bytes looked at to tell the formats apart."""
PIECE = 1 << 20
"""Bytes read at a time from a JSON list."""
MAX_ROW = 16 << 20
"""A line or list element that does not end within this many characters is not looked at."""
MAX_TEXT = 1_000_000
"""Rows with more characters than this are set aside."""

_BLANK = " \t\r\n"
_NEWLINES = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def _integer(text: str) -> int | str:
    """An integer of any length; Python refuses more than 4 300 digits, which then stay text."""
    return int(text) if len(text) <= 4000 else text


class _Decoder:
    """JSON decoder that notes NaN and Infinity, which are no JSON, instead of passing them on."""

    def __init__(self) -> None:
        self.constants: list[str] = []
        self.json = json.JSONDecoder(parse_constant=self.constants.append, parse_int=_integer)

    def problem(self, raw: str) -> str:
        """What is wrong with a row that could be decoded from `raw`, '' if nothing."""
        if self.constants:
            token = self.constants[0]
            self.constants.clear()
            return f"NaN or Infinity is not JSON: {token}"
        return too_long(len(raw)) if len(raw) > MAX_TEXT else ""


def too_long(length: int) -> str:
    """The reason for a row of absurd length."""
    return f"row longer than 1 MB: {length} characters"


@dataclass(frozen=True)
class Rows:
    """A file that can be read: its container and how to walk it (as often as needed)."""

    path: Path
    container: str
    """`json`, `jsonl` or `parquet`."""

    def __iter__(self) -> Iterator[RawRow]:
        reader = {"json": _json_list, "jsonl": _json_lines, "parquet": parquet_rows}[self.container]
        return reader(self.path)


def open_rows(path: Path) -> Rows:
    """Tell what a file is. Raises DataError when it is no file, empty, binary, or nothing that is known."""
    try:
        info = os.stat(path)
        if stat.S_ISDIR(info.st_mode):
            raise DataError(f"{path} is a folder. Give the JSON, JSONL or parquet file in it.")
        if not stat.S_ISREG(info.st_mode):
            raise DataError(f"{path} is not a regular file. Give a JSON, JSONL or parquet file on disk.")
        with open(path, "rb") as handle:
            head = handle.read(HEAD)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{path}: cannot be read ({what}). Give the path of a JSON, JSONL or parquet file.") from None
    return Rows(path, _container(path, head, complete=len(head) == info.st_size))


def _container(path: Path, head: bytes, *, complete: bool) -> str:
    """`json`, `jsonl` or `parquet` from the first bytes of a file."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is written in UTF-16. Save it as UTF-8.")
    body = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not body:
        raise DataError(f"{path} is empty. Give a file with at least one row.")
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not complete and len(lines) > 1:
        lines.pop()
    first = body[:1]
    if first == b"[":
        return "jsonl" if len(lines) > 1 and _parses(lines[0]) is not None else "json"
    if first == b"{" and _parses(lines[0]) is None and complete and _parses(body) is dict:
        raise DataError(f"{path} is one JSON object, not rows. Give a JSON list of rows, or one row per line.")
    if any(_parses(line) is dict for line in lines[:200]) or (first == b"{" and len(lines) == 1 and not complete):
        return "jsonl"
    raise DataError(f"{path} is neither a JSON list, nor JSON Lines, nor parquet. Convert it to one of these.")


def _parses(text: bytes) -> type | None:
    """Type of the JSON value that `text` is, None if it is none."""
    try:
        return type(json.JSONDecoder(parse_int=_integer).decode(text.decode("utf-8-sig")))
    except RecursionError:
        return dict if text.lstrip()[:1] == b"{" else list
    except ValueError:
        return None


# ---- JSON Lines ----------------------------------------------------------------------------------------------------
def _json_lines(path: Path) -> Iterator[RawRow]:
    """One row per line that is not blank; a line that cannot be read is a row with a problem."""
    decoder, index, number = _Decoder(), 0, 0
    with path.open("rb") as handle:
        while line := handle.readline(MAX_ROW):
            number += 1
            length = len(line)
            while length >= MAX_ROW and not line.endswith(b"\n"):
                if not (line := handle.readline(MAX_ROW)):
                    break
                length += len(line)
            if length >= MAX_ROW:
                yield RawRow(FileIndex(index), problem=too_long(length))
            elif line.strip().removeprefix(codecs.BOM_UTF8):
                yield _line(decoder, FileIndex(index), number, line)
            else:
                continue
            index += 1


def _line(decoder: _Decoder, index: FileIndex, number: int, line: bytes) -> RawRow:
    """One line as a row."""
    try:
        raw = line.decode("utf-8-sig").strip(_BLANK)
        if len(raw) > MAX_TEXT:
            return RawRow(index, problem=too_long(len(raw)))
        value = decoder.json.decode(raw)
    except UnicodeDecodeError as error:
        return RawRow(index, problem=f"line is not UTF-8: line {number}, byte {error.start + 1}")
    except json.JSONDecodeError as error:
        return RawRow(index, problem=f"line is not JSON: line {number}, column {error.colno}, {error.msg}")
    except RecursionError:
        return RawRow(index, problem=f"nested too deeply: line {number}")
    return RawRow(index, value, raw, decoder.problem(raw))


# ---- JSON list -----------------------------------------------------------------------------------------------------
class _Text:
    """A window over a UTF-8 file that knows the line and column of each position in it."""

    def __init__(self, path: Path, handle: IO[bytes]) -> None:
        self.path, self.handle = path, handle
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.window, self.at, self.ended = "", 0, False
        self.line, self.column = 1, 1
        self.bytes = 0

    def more(self) -> bool:
        """Drop what was consumed, read the next piece; False at the end of the file."""
        if self.ended:
            return False
        self.line, self.column = self.position(self.at)
        piece = self.handle.read(max(PIECE, len(self.window) - self.at))
        self.ended = not piece
        try:
            text = self.decoder.decode(piece, final=self.ended)
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not UTF-8 near byte {self.bytes + error.start + 1}. "
                            "Save it as UTF-8.") from None
        self.bytes += len(piece)
        self.window, self.at = self.window[self.at:] + text, 0
        return True

    def position(self, at: int) -> tuple[int, int]:
        """Line and column, from 1, of a place in the window."""
        newlines = self.window.count("\n", 0, at)
        start = self.window.rfind("\n", 0, at)
        return self.line + newlines, at - start if newlines else self.column + at

    def peek(self) -> str:
        """The next character that is not blank (consumed up to it), '' at the end."""
        while True:
            while self.at < len(self.window):
                if self.window[self.at] not in _BLANK:
                    return self.window[self.at]
                self.at += 1
            if not self.more():
                return ""

    def fail(self, what: str, at: int) -> DataError:
        """The one line for a list that cannot be read on."""
        line, column = self.position(min(at, len(self.window)))
        return DataError(f"{self.path}: the JSON list cannot be read at line {line}, column {column}: {what}. "
                         "Repair the file, or save it as JSON Lines, where one broken row is set aside alone.")


def _json_list(path: Path) -> Iterator[RawRow]:
    """The elements of a JSON list without holding the whole file; each element's own text is kept as it was written."""
    decoder, index = _Decoder(), 0
    with path.open("rb") as handle:
        text = _Text(path, handle)
        text.peek()
        text.at += 1
        if text.peek() != "]":
            while True:
                yield _element(decoder, text, FileIndex(index))
                index += 1
                following = text.peek()
                if following == "]":
                    break
                if following != ",":
                    raise text.fail("expected ',' or ']'" if following else "the file ends in the middle", text.at)
                text.at += 1
                text.peek()
        text.at += 1
        if text.peek():
            raise text.fail("there is more text after the end of the list", text.at)


def _element(decoder: _Decoder, text: _Text, index: FileIndex) -> RawRow:
    """Decode one element at the window's place, reading on while it is incomplete."""
    while True:
        try:
            value, end = decoder.json.raw_decode(text.window, text.at)
        except json.JSONDecodeError as error:
            if len(text.window) - text.at < MAX_ROW and text.more():
                decoder.constants.clear()
                continue
            cut = text.ended and (error.pos >= len(text.window) or error.msg.startswith("Unterminated"))
            what = "the file ends in the middle" if cut else error.msg
            raise text.fail(what, error.pos) from None
        except RecursionError:
            return RawRow(index, problem=_skip(text))
        if end == len(text.window) and text.more():
            decoder.constants.clear()
            continue  # a number may go on in the next piece
        raw = _NEWLINES.sub("", text.window[text.at:end])
        text.at = end
        return RawRow(index, value, raw, decoder.problem(raw))


def _skip(text: _Text) -> str:
    """Step over an element that is nested too deeply to be decoded."""
    while True:
        depth = 0
        for token in _TOKENS.finditer(text.window, text.at):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
            if depth == 0:
                text.at = token.end()
                return "nested too deeply"
        if len(text.window) - text.at >= MAX_ROW or not text.more():
            raise text.fail("the file ends in the middle", len(text.window))
