"""Digests of a person's own files, by content, without reading a large file twice.

A digest is remembered beside the studies under the file's path, size, times and inode. Whoever replaces a file's bytes
and sets size, both times and inode back is not noticed; nothing else is missed. A lost or damaged memory costs one more
reading, no more.
"""

import functools
import hashlib
import json
import os
from pathlib import Path

from cadc.study.files import file_digest, write_json

MODEL_FILES = (".json", ".safetensors", ".jinja", ".model", ".txt", ".tiktoken")
"""Endings of the files that make a model: weights, configs, tokenizers, chat templates."""
MEMORY = "digests.json"
_SMALL = 1 << 20
"""Smaller files are read each time: quicker than to remember them."""


def file_content(path: Path, root: Path) -> str:
    """SHA-256 of a file. root: the cache root, where it is remembered. Raises OSError."""
    return _of_file(path, root, _stamp(path))


@functools.lru_cache(maxsize=4096)
def _of_file(path: Path, root: Path, stamp: str) -> str:
    size = int(stamp.partition(" ")[0])
    if size < _SMALL:
        return file_digest(path)
    memory = _read(root / MEMORY)
    name = os.path.abspath(path)
    if memory.get(name, ["", ""])[0] != stamp:
        memory = _read(root / MEMORY) | {name: [stamp, file_digest(path)]}
        write_json(root / MEMORY, memory)
    return memory[name][1]


def model_content(model: str, root: Path) -> str:
    """Digest of all files that make a model: of a local folder, or of a hub id's copy on this machine. An id without a
    copy stands for itself."""
    folder = Path(model).expanduser() if Path(model).expanduser().is_dir() else _snapshot(model)
    if folder is None:
        return model
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in MODEL_FILES and p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_content(path.resolve(), root)}\n".encode())
    return digest.hexdigest()


def _snapshot(model: str) -> Path | None:
    """Folder of a hub id's newest copy in the local hub cache."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def _stamp(path: Path) -> str:
    about = path.stat()
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {about.st_ino}"


def _read(path: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(v, list) and len(v) == 2 for v in found.values())
    return found if whole else {}
