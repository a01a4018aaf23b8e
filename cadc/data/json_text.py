"""Rows of JSON text, one at a time and with bounded memory: JSON Lines, and the elements of a JSON list.

A broken line is one row with a problem. A JSON list that cannot be read to its end is a `DataError` of one line with
its position.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO

from cadc.data.embedded import lifted, may_hold
from cadc.data.indices import FileIndex
from cadc.data.rawrow import RawRow
from cadc.data.reasons import SetAside, printable
from cadc.data.streams import PIECE, TextFile
from cadc.errors import DataError

MAX_ROW = 16 << 20
"""A line or list element that does not end within this many characters is not looked at."""
MAX_TEXT = 1_000_000
"""Rows with more characters than this, pictures in them aside, are set aside."""

_BLANK = " \t\r\n"
_NEWLINES = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A text (or the start of one that the window cuts off), or a bracket."""


def integer(text: str) -> int | str:
    """An integer of any length; Python refuses more than 4 300 digits, which then stay text."""
    return int(text) if len(text) <= 4000 else text


class _Decoder:
    """JSON decoder that notes what json passes on in silence: NaN and Infinity, which are no JSON, and keys that stand
    twice."""

    def __init__(self) -> None:
        self.constants: list[str] = []
        self.repeated: list[str] = []
        """Keys that one object has twice, with different values."""
        self.json = json.JSONDecoder(parse_constant=self.constants.append, parse_int=integer,
                                     object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        """An object; json alone would take the last of two values in silence."""
        found = dict(pairs)
        if len(found) != len(pairs):
            self.repeated += [key for key, value in pairs if found[key] != value]
        return found

    def clear(self) -> None:
        """Forget what was noted of one row."""
        self.constants.clear()
        self.repeated.clear()

    def row(self, index: FileIndex, value: object, raw: str) -> RawRow:
        """A row that was decoded from `raw`: its pictures taken out of the text, or with what is wrong with it."""
        problem = ""
        if self.constants:
            problem = f"NaN or Infinity is not JSON: {self.constants[0]}"
        elif self.repeated:
            problem = f"key stands twice in one object: {printable(self.repeated[0], 60)}"
        self.clear()
        try:
            if not problem and may_hold(raw):
                value, raw = lifted(value, raw)
        except SetAside as reason:
            return RawRow(index, value, raw if len(raw) <= MAX_TEXT else "", str(reason))
        if len(raw) > MAX_TEXT:
            return RawRow(index, value, "", problem or too_long(len(raw)))
        return RawRow(index, value, raw, problem)


def too_long(length: int) -> str:
    """The reason for a row of absurd length."""
    return f"row longer than 1 MB: {length} characters"


# ---- JSON Lines ----------------------------------------------------------------------------------------------------
def json_lines(file: TextFile) -> Iterator[RawRow]:
    """One row per line that is not blank; a line that cannot be read is a row with a problem."""
    decoder, index, number = _Decoder(), 0, 0
    with file.open() as handle:
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
        if len(raw) > MAX_TEXT and not may_hold(raw):
            return RawRow(index, problem=too_long(len(raw)))
        return decoder.row(index, decoder.json.decode(raw), raw)
    except UnicodeDecodeError as error:
        problem = f"line is not UTF-8: line {number}, byte {error.start + 1}"
    except json.JSONDecodeError as error:
        more = " (one row a line, without a comma between them)" if error.msg == "Extra data" else (
            " (single quotes, as Python prints them)" if raw.startswith("{'") else "")
        problem = f"line is not JSON: line {number}, column {error.colno}, {error.msg}{more}"
    except RecursionError:
        problem = f"nested too deeply: line {number}"
    decoder.clear()
    return RawRow(index, problem=problem)


# ---- JSON list -----------------------------------------------------------------------------------------------------
class _Text:
    """A window over a UTF-8 file that knows the line and column of each position in it."""

    def __init__(self, file: TextFile, handle: IO[bytes]) -> None:
        self.file, self.path, self.handle = file, file.path, handle
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
            raise DataError(f"{self.path} is not {self.file.encoding} near byte {self.bytes + error.start + 1}. "
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


def json_list(file: TextFile) -> Iterator[RawRow]:
    """The elements of a JSON list without holding the whole file; each element's own text is kept as it was written."""
    decoder, index = _Decoder(), 0
    with file.open() as handle:
        text = _Text(file, handle)
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
                decoder.clear()
                continue
            cut = text.ended and (error.pos >= len(text.window) or error.msg.startswith("Unterminated"))
            what = "the file ends in the middle" if cut else error.msg
            raise text.fail(what, error.pos) from None
        except RecursionError:
            decoder.clear()
            return RawRow(index, problem=_skip(text))
        if end == len(text.window) and text.more():
            decoder.clear()
            continue  # a number may go on in the next piece
        raw = _NEWLINES.sub("", text.window[text.at:end])
        text.at = end
        try:
            return decoder.row(index, value, raw)
        except RecursionError:
            return RawRow(index, problem="nested too deeply")


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
