"""One environment for each trainer, in `.trainers/`: their pins contradict each other's and this project's.

`python -m benchmarks.trainers.environments [NAME …]` makes those that are missing (all four: about 12 GB, ten minutes).
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / ".trainers"
BARE = {"llamafactory": ["llamafactory==0.9.5", "torchaudio==2.11.1"], "axolotl": ["axolotl==0.19.0"]}
"""Installed without their dependencies: see the requirements' heads."""
TRAINERS = ("trl", "llamafactory", "swift", "axolotl")
"""All have an environment of their own. TRL would share this project's, but for torchvision, which that one must not
have and processors of half the families want."""


class BuildError(RuntimeError):
    """An environment could not be made; the message is pip's own last lines."""


def python_of(name: str) -> Path:
    """The interpreter that runs a trainer."""
    return ROOT / name / "bin" / "python"


def build(name: str) -> Path:
    """Make a trainer's environment where it is missing or its requirements changed; its interpreter. Raises
    BuildError."""
    wanted = "".join((HERE / f"requirements-{part}.txt").read_text() for part in ("torch", name)) + str(BARE.get(name))
    ready = ROOT / name / ".ready"
    if ready.is_file() and ready.read_text() == wanted:
        return python_of(name)
    began = time.monotonic()
    torch = _environment("torch")
    _install("torch", "-r", str(HERE / "requirements-torch.txt"))
    site = _environment(name)
    # One torch for all: what an environment holds itself comes before what this path names.
    (site / "torch.pth").write_text(f"{torch}\n")
    _install(name, "-r", str(HERE / f"requirements-{name}.txt"))
    if name in BARE:
        _install(name, "--no-deps", *BARE[name])
    ready.write_text(wanted)
    print(f"{name}: environment made in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return python_of(name)


def _environment(name: str) -> Path:
    """An empty environment; its site-packages."""
    folder = ROOT / name
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return next(folder.glob("lib/python*/site-packages"))


def _install(name: str, *wanted: str) -> None:
    pip = [str(ROOT / name / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("WARNING"))[-1500:]
        raise BuildError(f"the environment of {name} cannot be made: {tail}")


if __name__ == "__main__":
    for asked in sys.argv[1:] or TRAINERS:
        build(asked)
