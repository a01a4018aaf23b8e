"""What every report has: seconds of its parts, hardware, versions and commit, one line of JSON at the end."""

import json
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from cadc.errors import CadcError
from cadc.study import replacing


@dataclass
class Clock:
    """Wall seconds of each part."""

    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Everything since the last lap belongs to `name`."""
        now = time.perf_counter()
        self.seconds[name], self.began = round(now - self.began, 1), now

    def stop(self) -> dict[str, float]:
        """All laps, and their sum as `total`."""
        return self.seconds | {"total": round(sum(self.seconds.values()), 1)}


def commit() -> str:
    """Short hash of the commit that this code is of; `unknown` outside a repository."""
    try:
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True,
                              cwd=Path(__file__).parent)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def about() -> dict[str, Any]:
    """Hardware, versions, commit and time: what the numbers belong to."""
    import importlib.metadata as metadata
    import os

    from cadc.models import best_device

    packages = ("torch", "transformers", "peft", "numpy", "leidenalg", "hdbscan")
    versions = {name: metadata.version(name) for name in packages}
    return {"device": best_device(), "cores": os.cpu_count(), "machine": platform.machine(),
            "versions": {"python": platform.python_version()} | versions, "commit": commit(),
            "date": datetime.now().isoformat(timespec="minutes")}


def plain(value: Any) -> Any:
    """JSON value without nan: null stands for what is undefined."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else None
    return value


def tell(report: dict[str, Any], file: Path | None) -> None:
    """Print the report as one line of JSON; write the same line to `file`, where one is named."""
    line = json.dumps(report)
    print(line)
    if file:
        with replacing(file.resolve()) as handle:
            handle.write(f"{line}\n".encode())


@contextmanager
def one_line(command: str) -> Iterator[None]:
    """An error that a person can mend ends the command in one line that says so."""
    try:
        yield
    except CadcError as error:
        raise SystemExit(f"{command}: {' '.join(str(error).split())}") from error


def two(value: float | None, digits: int = 2) -> str:
    """A number, or a dash for what is undefined."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in per cent, or a dash for what is undefined."""
    return "–" if value is None or value != value else f"{100 * value:.{digits}f}"
