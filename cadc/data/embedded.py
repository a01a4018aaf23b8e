"""Pictures whose bytes are part of a row: structs and binaries of parquet, data: addresses and base64 in texts."""

import base64
import binascii
import hashlib
import json
import re

from cadc.data.rawrow import Embedded
from cadc.data.reasons import SetAside

EMBEDDED = "ingest/images/"
"""Prefix in `Sample.images` of pictures that were embedded in the input."""
WORDS = ("text", "value", "content", "question", "answer", "instruction", "prompt", "response", "output", "query",
         "completion", "user", "assistant", "system", "input", "context", "hint", "reasoning_content")
"""Keys whose text is words, never a picture."""
TOOLS = ("tools", "functions", "tool_calls", "function_call", "function", "arguments")
"""Keys under which everything is words, however deep."""
OPTIONS = ("options", "choices")
"""Keys under which words are expected, and a picture would be lost."""
SHORTEST = 48
"""Base64 of fewer characters is no picture: the smallest GIF has 35 bytes."""
NO_PATH = 256
"""Characters of nothing but base64, begun as a picture, above which a text cannot be a path either."""

_MAGIC = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif",
          b"MM\0*": ".tif"}
_BEGINS = r"iVBORw0KGgo|(?:\\?/)9j(?:\\?/)|R0lGOD|UklGR|Qk|SUkqA|TU0AK|AAAA.GZ0eX"
_BARE = re.compile("(?:" + _BEGINS.replace(r"\\?", "") + ")[A-Za-z0-9+/\\s]*={0,2}\\s*")
_TRACE = re.compile(rf'data:[\w.+-]*(?:\\?/|;)|"(?:{_BEGINS})', re.IGNORECASE)
_DATA = re.compile(r"\s*data:([\w.+-]+/[\w.+-]+)?((?:;[^,;]*)*),", re.IGNORECASE)


def named(data: bytes) -> Embedded:
    """A picture under the hash of its content."""
    suffix = next((ext for magic, ext in _MAGIC.items() if data.startswith(magic)), "")
    suffix = ".webp" if data[8:12] == b"WEBP" else ".avif" if data[4:12] in (b"ftypavif", b"ftypavis") else suffix
    return Embedded(f"{EMBEDDED}{hashlib.sha256(data).hexdigest()[:32]}{suffix}", data)


def may_hold(raw: str) -> bool:
    """Whether a row's text may have a picture in it; when not, `lifted` changes nothing."""
    return _TRACE.search(raw) is not None


def lifted(value: object, raw: str) -> tuple[object, str]:
    """(the row with `Embedded` in place of every picture written as text, its text with their names instead).

    Raises SetAside for an address, or base64 begun as a picture, that cannot be decoded.
    """
    found: dict[str, Embedded] = {}
    value = _lift(value, found)
    for text, picture in found.items():
        quoted, name = json.dumps(text), json.dumps(picture.name)
        for form in (quoted, quoted.replace("/", "\\/")):
            if form in raw:
                raw = raw.replace(form, name)
                break
        else:  # written with escapes of its own kind: the text is made anew
            return value, json.dumps(value, default=lambda one: one.name)
    return value, raw


def lift(value: dict[str, object]) -> dict[str, object]:
    """The same for a row that has no text of its own. Raises SetAside."""
    found: dict[str, Embedded] = {}
    return {name: one if name in TOOLS else _lift(one, found, name) for name, one in value.items()}


def _lift(value: object, found: dict[str, Embedded], key: str = "") -> object:
    """A value with its pictures taken out into `found`; texts under `WORDS` are left."""
    if isinstance(value, dict):
        return {name: one if name in TOOLS else _lift(one, found, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_lift(one, found, "" if key in WORDS else key) for one in value]
    if not isinstance(value, str) or key in WORDS:
        return value
    if value not in found:
        data = _decoded(value)
        if data is None:
            return value
        if key in OPTIONS:
            raise SetAside("not supported: a picture as an option")
        found[value] = named(data)
    return found[value]


def _decoded(text: str) -> bytes | None:
    """The bytes of a picture written as text; None when it is none."""
    if address := _DATA.match(text[:400]):
        kind, base = (address[1] or "").lower(), address[2].lower().endswith(";base64")
        if not kind.startswith("image/") and not (base and kind in ("", "application/octet-stream")):
            return None
        if not base:
            raise SetAside(f"picture in a data: address is not base64: {kind}, {len(text)} characters")
        try:
            return _bytes(text[address.end():])
        except ValueError:
            raise SetAside(f"picture in a data: address is broken: its {len(text)} characters are not base64") from None
    if len(text) < SHORTEST or not _BARE.match(text[:16]) or not _BARE.fullmatch(text):
        return None
    try:
        data = _bytes(text)
    except ValueError:
        data = b""
    if _is_picture(data):
        return data
    if len(text) > NO_PATH and not text.startswith("Qk"):
        raise SetAside(f"picture written as base64 is broken: {len(text)} characters")
    return None


def _bytes(text: str) -> bytes:
    """Base64 with or without line breaks and padding. Raises ValueError for anything else, and for nothing."""
    text = re.sub(r"\s+", "", text).rstrip("=")
    if not text:
        raise ValueError("empty")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _is_picture(data: bytes) -> bool:
    """Whether bytes begin as a picture file does, by more than two letters."""
    if data[:2] == b"BM":
        return len(data) > 26 and data[6:10] == bytes(4)
    return data[8:12] == b"WEBP" or data[4:8] == b"ftyp" or any(data.startswith(m) for m in _MAGIC if m != b"BM")
