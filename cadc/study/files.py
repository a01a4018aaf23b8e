"""Files that a reader sees whole or not at all: the one way in which anything is written."""

import fcntl
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

_ABOUT = "about"

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>[^/]+)\.(?P<pid>\d+)\.tmp")
_OLD_S = 7 * 86_400
"""Temporary files of other machines are left alone for so long: whether their process lives cannot be seen here."""


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file to a temporary name beside it, flush it to disk, rename: a reader sees the old file or the new one.

    Yields the open temporary file; a library that wants a path may write to its `.name` instead. When the block raises
    nothing is left behind. The file gets the mode that the umask gives any other, so that a cache can be shared.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            mode = os.fstat(handle.fileno()).st_mode
            yield handle
        with temporary.open("rb+") as handle:  # opened anew: a library may have put another file in its place
            os.fsync(handle.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Replace a file by this value as JSON. Raises ValueError for a number that is not finite."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=False, allow_nan=False)
    with replacing(path) as handle:
        handle.write(text.encode())


def write_array(path: Path, values: "np.ndarray") -> None:
    """Replace a `.npy` file."""
    import numpy as np

    with replacing(path) as handle:
        np.save(handle, values, allow_pickle=False)


def write_tensors(path: Path, tensors: "Mapping[str, torch.Tensor]", about: Mapping[str, str]) -> None:
    """Replace a safetensors file. Its metadata is one text: safetensors writes several in random order, and the same
    tensors must give the same bytes."""
    from safetensors.torch import save_file

    with replacing(path) as handle:
        save_file({k: v.contiguous() for k, v in tensors.items()}, handle.name,
                  {_ABOUT: json.dumps(dict(about), sort_keys=True)})


def read_about(path: Path) -> dict[str, str]:
    """The metadata that `write_tensors` wrote."""
    from safetensors import safe_open

    with safe_open(path, "pt") as handle:
        return json.loads(handle.metadata()[_ABOUT])


def sweep(folder: Path) -> int:
    """Remove temporary files that dead processes left below a folder; returns how many they were."""
    removed = 0
    for path in folder.rglob(".*.tmp"):
        found = _TEMPORARY.fullmatch(path.name)
        if found and path.is_file() and _abandoned(path, found["host"], int(found["pid"])):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _abandoned(path: Path, host: str, pid: int) -> bool:
    if host != socket.gethostname():
        return time.time() - path.stat().st_mtime > _OLD_S
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process of this machine at a time, by a lock on this file; the others wait, a dead one holds nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
