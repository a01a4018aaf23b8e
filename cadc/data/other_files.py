"""What a file that holds no rows may be instead, and how rows are made of it."""

import re
from collections.abc import Mapping
from pathlib import Path

_PYTHON = re.compile(rb"\s*(?:\[\s*)?\{\s*'")
_YAML = re.compile(rb"(?:---\s|%YAML|- ?\w+:|\w+:\s*\n\s*- )")


def rows_of(path: Path, read: str) -> str:
    """A command that makes JSON Lines of a table; `read`: how pandas reads it, `{}` in place of its name."""
    table = read.format(repr(path.name))
    return f"""`python -c "import pandas as pd; {table}.to_json('rows.jsonl', orient='records', lines=True)"`"""


def what_else(path: Path, start: bytes) -> str:
    """The end of a sentence: what a file that begins so seems to be, and what to do."""
    lines = [line for line in start[:65536].splitlines() if line.strip()][:3]
    low = start[:200].lower()
    if low.startswith((b"<!doctype html", b"<html")):
        return ": it is a web page. Get the file itself."
    if low.startswith(b"version https://git-lfs"):
        return ": it is a pointer of Git LFS. `git lfs pull` brings the file."
    if _PYTHON.match(start):
        return ": it looks like objects as Python prints them, with single quotes. Write them with `json.dumps`."
    for mark, kind, more in ((b"\t", "tab-separated (TSV)", ", sep='\\t'"), (b",", "comma-separated (CSV)", "")):
        if len(lines) > 1 and mark in lines[0] and lines[0][:1] not in (b"{", b"[") and mark in lines[1]:
            read = "pd.read_csv({}" + more + ", keep_default_na=False)"
            return f": it looks {kind}. Make rows of it: {rows_of(path, read)}."
    if _YAML.match(start):
        return ": it looks like YAML. Convert it to one of these."
    return ". Convert it to one of these."


def are_columns(value: Mapping[str, object]) -> bool:
    """Whether an object is a table by columns: under every key a list, or an object, of as many cells."""
    cells = list(value.values())
    if len(cells) < 2 or not (all(isinstance(cell, list) for cell in cells) or all(
            isinstance(cell, dict) for cell in cells)):
        return False
    if len({len(cell) for cell in cells if isinstance(cell, list | dict)}) != 1 or not cells[0]:
        return False
    firsts = [next(iter(cell.values() if isinstance(cell, dict) else cell)) for cell in cells
              if isinstance(cell, list | dict)]
    return not any(isinstance(first, dict) for first in firsts)
