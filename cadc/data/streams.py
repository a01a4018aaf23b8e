"""The bytes of a text file as UTF-8, whatever it is packed in (gzip, zstd) or written in (UTF-16): a stream with
bounded memory. Both are found by content."""

import codecs
import gzip
import io
import os
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from cadc.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE = 1 << 20
"""Bytes read at a time."""
UNPACKED_FREE = 256 << 20
"""An archive may unpack to so many bytes whatever its own size."""
UNPACKED_RATIO = 200
"""Above that, to so many times its own size: rows of text pack 5 to 20 times, a bomb 1 000 times (gzip) and more."""

_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_OTHERS = {b"PK\x03\x04": ("a zip archive", "unzip {}"), b"BZh": ("packed with bzip2", "bunzip2 -k {}"),
           b"\xfd7zXZ": ("packed with xz", "xz -dk {}"), b"\x04\x22\x4d\x18": ("packed with lz4", "lz4 -d {}"),
           b"7z\xbc\xaf": ("a 7z archive", "7z x {}")}


class CutOffError(DataError):
    """An archive or a text that cannot be read on; its text says which and why, without the end of the sentence."""


class _Inner(Protocol):
    def read1(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class TextFile:
    """A file of text and how its UTF-8 is had."""

    path: Path
    packed: str = ""
    """`gzip`, `zstd`, or '' for none."""
    encoding: str = "UTF-8"
    """`UTF-8` or `UTF-16`."""

    @contextmanager
    def open(self) -> Iterator[io.BufferedReader]:
        """Its text as UTF-8, from the start. Reading raises CutOffError where it is damaged, DataError for a bomb."""
        with self.path.open("rb") as file:
            stream = _unpacked(self.path, file, self.packed) if self.packed else file
            yield io.BufferedReader(_Utf8(self.path, stream), PIECE) if self.encoding == "UTF-16" else stream


def text_file(path: Path) -> TextFile:
    """Tell packing and encoding from the first bytes. Raises DataError for what is not read, OSError as `open` does."""
    with path.open("rb") as file:
        head = file.read(512)
    packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), "")
    if packed:
        with TextFile(path, packed).open() as stream:
            head = stream.read(512)
        if any(head.startswith(magic) for magic in _PACKED):
            raise DataError(f"{path} is packed twice. Unpack it once: `{_command(path, packed)}`.")
        if head.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
            raise DataError(f"{path} is a parquet or arrow file inside {packed}; such files are packed by themselves. "
                            f"Unpack it: `{_command(path, packed)}`.")
    for magic, (what, command) in _OTHERS.items():
        if head.startswith(magic):
            raise DataError(f"{path} is {what}. Unpack it: `{command.format(shlex.quote(path.name))}`, or pack it with "
                            "gzip or zstd, which are read.")
    if head[257:262] == b"ustar":
        raise DataError(f"{path} is a tar archive. Unpack it: `tar xf {shlex.quote(path.name)}`, and give the file or "
                        "folder that was in it.")
    if head.startswith(_UTF32):
        raise DataError(f"{path} is written in UTF-32. Save it as UTF-8.")
    if head[:1] in b"[{" and head[1:2] == b"\0" or head[:1] == b"\0" and head[1:2] in (b"[", b"{"):
        raise DataError(f"{path} looks like UTF-16 or UTF-32 without a byte-order mark. Save it as UTF-8.")
    return TextFile(path, packed, "UTF-16" if head.startswith(_UTF16) else "UTF-8")


def _command(path: Path, packed: str) -> str:
    return f"{'gunzip -k' if packed == 'gzip' else 'unzstd'} {shlex.quote(path.name)}"


def _unpacked(path: Path, file: IO[bytes], packed: str) -> io.BufferedReader:
    """What is in an archive; several that were joined are read one after the other."""
    inner: _Inner
    if packed == "gzip":
        inner = gzip.GzipFile(fileobj=file)
    else:
        import pyarrow as pa

        inner = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    return io.BufferedReader(_Unpacked(path, file, packed, inner), PIECE)


class _Unpacked(io.RawIOBase):
    """Counts what comes out of an archive, and says what is wrong with it."""

    def __init__(self, path: Path, file: IO[bytes], packed: str, inner: _Inner) -> None:
        self.path, self.file, self.packed, self.inner = path, file, packed, inner
        self.size = os.fstat(file.fileno()).st_size
        self.done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        try:
            data = self.inner.read1(min(len(view), PIECE))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise CutOffError(f"{self.path}: the {self.packed} archive is damaged or cut off after {self.done:,} bytes "
                              f"of text ({str(error).splitlines()[0][:120]})") from None
        self.done += len(data)
        if self.done > max(UNPACKED_FREE, UNPACKED_RATIO * self.size):
            raise DataError(f"{self.path}: {self.size:,} bytes unpack to more than {self.done:,}, which no rows of "
                            f"text do. If they are what you want, unpack it: `{_command(self.path, self.packed)}`.")
        view[:len(data)] = data
        return len(data)


class _Utf8(io.RawIOBase):
    """UTF-16 with a byte-order mark, as UTF-8; an unpaired surrogate goes through and makes its own row invalid."""

    def __init__(self, path: Path, inner: IO[bytes]) -> None:
        self.path, self.inner = path, inner
        self.decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
        self.ready, self.done, self.ended = memoryview(b""), 0, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        while not self.ready and not self.ended:
            piece = self.inner.read(PIECE)
            self.ended = not piece
            try:
                text = self.decoder.decode(piece, final=self.ended)
            except UnicodeDecodeError:
                raise CutOffError(f"{self.path}: the UTF-16 text is damaged or cut off after {self.done:,} bytes"
                                  ) from None
            self.done += len(piece)
            self.ready = memoryview(text.encode("utf-8", "surrogatepass"))
        length = min(len(view), len(self.ready))
        view[:length] = self.ready[:length]
        self.ready = self.ready[length:]
        return length
