"""What a file or a model holds, as digests: two models are the same when their files are, wherever they lie."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from cadc.study.files import file_digest, write_json

log = logging.getLogger(__name__)

SUFFIXES = (".json", ".safetensors", ".jinja", ".model", ".txt", ".tiktoken")
"""Files that make a model: config, weights, processor, chat template, tokenizer of any kind. Pickles are never read."""
REMEMBERED = 4 << 20
"""Bytes of a file from which its digest is worth remembering; smaller ones are read each time."""
SETTLED_S = 2.0
"""A file that changed so shortly ago is not remembered: another change within the clock's grain would not be seen."""


def model_files(folder: Path) -> list[Path]:
    """The files in a folder and below that make a model, links followed, hidden ones left out; in order."""
    return sorted(path for path in _walk(folder) if path.suffix in SUFFIXES and path.is_file())


def _walk(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden; a folder that links lead to twice is entered once."""
    seen: set[str] = set()
    for place, below, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def model_folder(path_or_id: str) -> Path | None:
    """Where a model's files lie on this machine: a local folder, or the copy of a Hugging Face id that was downloaded.

    None for an id without its weights here. The network is not asked.
    """
    if Path(path_or_id).expanduser().is_dir():
        return Path(path_or_id).expanduser()
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(path_or_id, "config.json")
    except HFValidationError:
        return None
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if any(path.suffix == ".safetensors" for path in model_files(folder)) else None


def model_digest(path_or_id: str, memo: Path | None = None) -> str:
    """Digest of all files that make a model, by content whatever their size; an id without a copy here stands for
    itself. `memo`: as in `digest_of_file`."""
    folder = model_folder(path_or_id)
    if folder is None:
        return path_or_id
    whole = hashlib.sha256()
    for path in model_files(folder):
        whole.update(f"{path.relative_to(folder)} {digest_of_file(path, memo)}\n".encode())
    return whole.hexdigest()


def digest_of_file(path: Path, memo: Path | None = None) -> str:
    """SHA-256 of a file's bytes.

    `memo`: a file that remembers the digests of large files by path, size, inode and the times of their last change of
    content (mtime) and of anything (ctime), so that weights are read once and not at every start. A change that leaves
    all of these as they were is not seen: on Linux only another clock or raw access to the disk can do that, since
    ctime cannot be set. The memo may be lost, damaged or written by several processes: then files are read again.
    """
    place = os.path.realpath(path)
    about = _about(place)
    if memo is None or about[0] < REMEMBERED:
        return file_digest(path)
    entry = _remembered(memo).get(place)
    if isinstance(entry, dict) and entry.get("about") == about and isinstance(known := entry.get("sha256"), str):
        return known
    digest = file_digest(path)
    if about == _about(place) and time.time_ns() - max(about[1:3]) > SETTLED_S * 1e9:
        others = {name: entry for name, entry in _remembered(memo).items() if os.path.exists(name)}
        try:
            write_json(memo, others | {place: {"about": about, "sha256": digest}})
        except OSError as error:
            log.warning("%s cannot be written (%s): large files are read at every start", memo, error.strerror)
    return digest


def _about(place: str) -> list[int]:
    """What `stat` tells one content of a file from another by: size, mtime, ctime [ns], inode."""
    info = os.stat(place)
    return [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]


def _remembered(memo: Path) -> dict[str, object]:
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
