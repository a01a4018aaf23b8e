"""Runs an export's own `run.sh` with a probe in place of the trainer's command."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.trainers.compare import Pixels, SeenRow

INSIDE = Path(__file__).parent / "inside"
"""Scripts that run in the trainers' own environments."""
COMMANDS = {"trl": "python", "llamafactory": "llamafactory-cli", "swift": "swift", "axolotl": "axolotl"}
"""Trainer → the command of it that `run.sh` calls."""
SWITCHES = {"swift": ("--model_type", "qwen2_vl", "--template", "qwen2_vl")}
"""What a person hands to `run.sh` for a model whose folder's name tells nothing."""
LIMIT = 900
"""Seconds after which a run counts as hanging."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a trainer saw."""

    rows: list[SeenRow]
    pixels: dict[str, Pixels]
    versions: dict[str, str]
    error: str
    """Why it died, '' where it came to its end."""


def run(name: str, export: Path, model: Path, out: Path, *, python: Path, defaults: bool = False) -> Run:
    """Run an export, without a GPU and without a hub.

    python: of the trainer's environment; defaults: take out of its settings what keeps order, length and labels.
    """
    shutil.rmtree(out, ignore_errors=True)
    (out / "bin").mkdir(parents=True)
    command = out / "bin" / COMMANDS[name]
    command.write_text(f'#!/bin/sh\nexec "{python}" "{INSIDE / f"probe_{name}.py"}" "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(out / "bin"), str(python.parent), os.environ["PATH"]])
    home = str(out / "home")
    given = {"PATH": path, "MODEL": str(model), "OUTPUT": str(out / "trained"), "TEMPLATE": "qwen2_vl",
             "PROBE_OUT": str(out), "PROBE_DEFAULTS": str(int(defaults)), "HF_HUB_OFFLINE": "1",
             "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
             "HF_HOME": home, "HF_DATASETS_CACHE": home, "MODELSCOPE_CACHE": home}
    line = ["sh", str(export / "run.sh"), *SWITCHES.get(name, ())]
    with open(out / "log.txt", "w", encoding="utf-8") as log:
        done = subprocess.run(line, env=_plain_environment() | given, stdout=log, stderr=subprocess.STDOUT, cwd=out,
                              check=False, timeout=LIMIT)
    if not (out / "seen.json").is_file():
        tail = (out / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        return Run(rows=[], pixels={}, versions={}, error=f"exit {done.returncode}: {' / '.join(tail)}")
    seen = json.loads((out / "seen.json").read_text())
    with np.load(out / "pixels.npz") as pixels:
        return Run(rows=seen["rows"], pixels=dict(pixels), versions=seen["versions"], error=seen["error"])


def _plain_environment() -> dict[str, str]:
    """This process's, without what would lead another Python to this one's packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
